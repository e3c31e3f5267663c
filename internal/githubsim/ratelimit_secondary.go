package githubsim

import (
	"net/http"
	"sync"
	"time"
)

// secondaryMessage is what GitHub says with a 403 of a secondary limit.
const secondaryMessage = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."

// secondaryLimit answers that a caller is too fast. A wait of 0 is not told.
func (s *Server) secondaryLimit(w http.ResponseWriter, wait time.Duration) {
	if wait > 0 {
		w.Header().Set("Retry-After", seconds(wait))
	}
	s.apiError(w, http.StatusForbidden, secondaryMessage, docsSecondary)
}

// pace is how fast one caller asks.
type pace struct {
	points  int // in the present minute
	ends    time.Time
	running int
}

// paces are those of all callers.
type paces struct {
	mu       sync.Mutex
	byCaller map[string]*pace
}

// of needs the lock.
func (p *paces) of(caller string) *pace {
	if p.byCaller == nil {
		p.byCaller = map[string]*pace{}
	}
	one := p.byCaller[caller]
	if one == nil {
		one = &pace{}
		p.byCaller[caller] = one
	}
	return one
}

// enter takes one of a caller's places (limit 0: there are any number) until
// leave, which is idempotent. A request that finds none takes none either, and
// so is in nobody's way.
func (p *paces) enter(caller string, limit int) (leave func(), ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.of(caller)
	if limit > 0 && one.running >= limit {
		return func() {}, false
	}
	one.running++
	return sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		one.running--
	}), true
}

// spend takes a point of the caller's minute, if there is one left.
func (p *paces) spend(caller string, limit int, now time.Time) bool {
	if limit == 0 {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.of(caller)
	if !now.Before(one.ends) {
		one.points, one.ends = 0, now.Add(time.Minute)
	}
	if one.points >= limit {
		return false
	}
	one.points++
	return true
}
