package githubsim

import "sync"

// lies are the numbers that listings add to their true totals.
type lies struct {
	mu     sync.Mutex
	totals map[Endpoint]int
}

// LieAboutTotal adds delta to the total_count of a listing: EndpointRuns,
// EndpointAttemptJobs or EndpointRunJobs. Its pages and their links stay true. A
// delta of 0 ends it; no total is less than 0.
func (s *Server) LieAboutTotal(e Endpoint, delta int) {
	s.lies.mu.Lock()
	defer s.lies.mu.Unlock()
	if s.lies.totals == nil {
		s.lies.totals = map[Endpoint]int{}
	}
	s.lies.totals[e] = delta
}

func (l *lies) total(e Endpoint, truth int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(0, truth+l.totals[e])
}
