package githubsim

import (
	"net/http"
	"sync"
	"testing"
)

// TestOnRequestInTheMiddleOfAListing changes the world before the second page.
func TestOnRequestInTheMiddleOfAListing(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Server)
		status int
		want   string // runs of the second page
	}{
		"nothing":    {func(*Server) {}, 200, "9002 9001"},
		"a new run":  {func(s *Server) { j := aJob(50); j.RunID = 9005; s.AddJob(j) }, 200, "9003 9002"},
		"one less":   {func(s *Server) { s.RemoveJob(4) }, 200, "9001"},
		"renamed":    {func(s *Server) { s.RenameRepository(rocket.ID, "Acme", "starship") }, 301, ""},
		"removed":    {func(s *Server) { s.RemoveRepository(rocket.ID) }, 404, ""},
		"and faults": {func(s *Server) { s.Inject(Fault{Endpoint: EndpointRuns, Kind: TooMany}) }, 429, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, Options{})
			for id := range int64(4) {
				j := aJob(id + 1)
				j.RunID = 9001 + id
				s.AddJob(j)
			}
			s.OnRequest(func(e Endpoint, r *http.Request) {
				if e == EndpointRuns && r.URL.Query().Get("page") == "2" {
					c.change(s)
				}
			})
			if got := runIDs(t, s, "?per_page=2"); got != "9004 9003" {
				t.Errorf("first page %s", got)
			}
			resp, body := get(t, s, "repos/acme/rocket/actions/runs?per_page=2&page=2")
			wantStatus(t, resp, body, c.status)
			if s.OnRequest(nil); c.status == 200 {
				if got := runIDs(t, s, "?per_page=2&page=2"); got != c.want {
					t.Errorf("second page %s, want %s", got, c.want)
				}
			}
		})
	}
}

// TestOnRequestTogether is for the race detector: requests, changes and the
// function itself at the same time.
func TestOnRequestTogether(t *testing.T) {
	s := start(t, Options{RateLimit: 1000, SecondaryPoints: 1000, MaxConcurrent: 100})
	var (
		mu   sync.Mutex
		seen = map[Endpoint]int{}
		all  sync.WaitGroup
	)
	note := func(e Endpoint, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen[e]++
		s.AddJob(aJob(int64(len(seen))))
		s.LieAboutTotal(EndpointRuns, seen[e])
	}
	s.OnRequest(note)
	for range 4 {
		all.Go(func() {
			for range 10 {
				s.OnRequest(note)
				tryURL(t, s.URL()+"repos/acme/rocket/actions/runs", "Authorization", "Bearer "+s.Token())
				s.RenameRepository(rocket.ID, "Acme", "rocket")
			}
		})
	}
	all.Wait()
	if seen[EndpointRuns] != 40 || s.Requests()[EndpointRuns] != 40 {
		t.Errorf("seen %v", seen)
	}
}
