package githubsim

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// rateLimitMessage is what GitHub says with a 403 of the primary limit.
const rateLimitMessage = "API rate limit exceeded for user ID 1."

// rate is one caller's primary limit in its present hour.
type rate struct {
	limit, used int
	reset       time.Time
}

func (r rate) remaining() int { return max(0, r.limit-r.used) }

func (r rate) setHeaders(h http.Header) {
	h.Set("X-RateLimit-Limit", strconv.Itoa(r.limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(r.remaining()))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(r.reset.Unix(), 10))
	h.Set("X-RateLimit-Used", strconv.Itoa(min(r.used, r.limit)))
	h.Set("X-RateLimit-Resource", "core")
}

// tellLimit sets the headers of a limit, which a Gitea has none of.
func (s *Server) tellLimit(h http.Header, r rate) {
	if !s.o.Gitea {
		r.setHeaders(h)
	}
}

func (r rate) object() object {
	return object{
		{"limit", r.limit},
		{"used", min(r.used, r.limit)},
		{"remaining", r.remaining()},
		{"reset", r.reset.Unix()},
	}
}

// rates are the primary limits of all callers.
type rates struct {
	mu       sync.Mutex
	byCaller map[string]*rate
}

// charge adds requests (0: only looks, -1: gives one back) to a caller's hour,
// which begins with its first request. A request is over the limit if used is
// more than limit.
func (s *Server) charge(caller string, requests int) rate {
	now := s.now()
	if s.o.RateLimit == 0 {
		return rate{limit: 5000, used: 1, reset: now.Truncate(time.Hour).Add(time.Hour)}
	}
	s.rates.mu.Lock()
	defer s.rates.mu.Unlock()
	if s.rates.byCaller == nil {
		s.rates.byCaller = map[string]*rate{}
	}
	r := s.rates.byCaller[caller]
	if r == nil || !now.Before(r.reset) {
		r = &rate{limit: s.o.RateLimit, reset: now.Add(time.Hour)}
		s.rates.byCaller[caller] = r
	}
	r.used += requests
	return *r
}

// getRateLimit is GET /rate_limit, which costs nothing.
func (s *Server) getRateLimit(c *call) {
	r := s.charge(c.caller, 0).object()
	s.writeJSON(c, http.StatusOK, object{{"resources", object{{"core", r}}}, {"rate", r}})
}
