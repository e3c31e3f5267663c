package githubsim

import (
	"maps"
	"sync"
)

// counters count requests.
type counters struct {
	mu     sync.Mutex
	total  map[Endpoint]int64
	byJob  map[int64]map[Endpoint]int64
	leaked int64
	same   int64
}

func (c *counters) add(e Endpoint, jobID int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.total == nil {
		c.total, c.byJob = map[Endpoint]int64{}, map[int64]map[Endpoint]int64{}
	}
	c.total[e]++
	if jobID == 0 {
		return
	}
	if c.byJob[jobID] == nil {
		c.byJob[jobID] = map[Endpoint]int64{}
	}
	c.byJob[jobID][e]++
}

func (c *counters) addLeaked() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leaked++
}

func (c *counters) addUnchanged() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.same++
}

// Unchanged counts the answers so far that said that the caller has what it asked for:
// those cost nothing of the limit.
func (s *Server) Unchanged() int64 {
	s.counters.mu.Lock()
	defer s.counters.mu.Unlock()
	return s.counters.same
}

// Requests counts the requests so far by endpoint, refused ones included.
func (s *Server) Requests() map[Endpoint]int64 {
	s.counters.mu.Lock()
	defer s.counters.mu.Unlock()
	return maps.Clone(s.counters.total)
}

// RequestsFor counts the requests for one job by endpoint.
func (s *Server) RequestsFor(jobID int64) map[Endpoint]int64 {
	s.counters.mu.Lock()
	defer s.counters.mu.Unlock()
	return maps.Clone(s.counters.byJob[jobID])
}

// TokenSentToBlob counts the requests to the blob host that carried an
// Authorization header. Each was refused, as Azure does.
func (s *Server) TokenSentToBlob() int64 {
	s.counters.mu.Lock()
	defer s.counters.mu.Unlock()
	return s.counters.leaked
}
