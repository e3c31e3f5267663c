package githubsim

import (
	"net/http"
	"slices"
	"sync"
	"time"
)

// LimitAnswer is an answer of the API that told a caller to wait: a primary or a
// secondary limit, be it the server's own or a fault's.
type LimitAnswer struct {
	// Caller is whom the limit counts for: "installation N", "app" for the
	// App's JWTs, or else the token.
	Caller   string
	Endpoint Endpoint
	Status   int // 403 or 429
	At       time.Time
	// Run is how many of them the caller has now got in a row; more than 1
	// means that it did not wait, or not long enough.
	Run int
}

// limitAnswers are the answers that told to wait, in the order in which they
// began.
type limitAnswers struct {
	mu   sync.Mutex
	list []LimitAnswer
	runs map[string]int // by caller, up to its last answer
}

// LimitAnswers returns all answers so far that told a caller to wait.
func (s *Server) LimitAnswers() []LimitAnswer {
	s.waits.mu.Lock()
	defer s.waits.mu.Unlock()
	return slices.Clone(s.waits.list)
}

// LongestLimitRun is how often in a row, at most, any caller was told to wait:
// 1 is a caller that heeded it, 0 one that never was. Requests that were already
// under way when the first was refused count as well.
func (s *Server) LongestLimitRun() int {
	longest := 0
	for _, a := range s.LimitAnswers() {
		longest = max(longest, a.Run)
	}
	return longest
}

// noteAnswer must be called for every answer, because an answer without a limit ends a
// caller's run.
func (s *Server) noteAnswer(c *call, status int, h http.Header, f Fault) {
	w := &s.waits
	w.mu.Lock()
	defer w.mu.Unlock()
	if !tellsToWait(status, h, f) {
		delete(w.runs, c.caller)
		return
	}
	if w.runs == nil {
		w.runs = map[string]int{}
	}
	w.runs[c.caller]++
	w.list = append(w.list, LimitAnswer{c.caller, c.endpoint, status, s.now(), w.runs[c.caller]})
}

// tellsToWait recognises a limit by the headers. Only a fault can be a secondary limit
// without such a header.
func tellsToWait(status int, h http.Header, f Fault) bool {
	switch status {
	case http.StatusTooManyRequests:
		return true
	case http.StatusForbidden:
		return h.Get("Retry-After") != "" || h.Get("X-RateLimit-Remaining") == "0" || f.Kind == SecondaryLimit
	}
	return false
}
