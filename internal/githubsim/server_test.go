package githubsim

import (
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rocket is the repository of most tests.
var rocket = Repository{ID: 510001, Owner: "Acme", Name: "rocket", Private: true, InstallationID: 60001}

// clock is a time that a test moves while the server reads it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func start(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	s.AddRepository(rocket)
	return s
}

// aJob is a job that ran and ended well.
func aJob(id int64) Job {
	var (
		begin  = time.Date(2026, 4, 1, 9, 0, 0, 0, time.UTC)
		end    = begin.Add(3 * time.Minute)
		runner = int64(7)
		group  = int64(0)
	)
	success, name, groupName := "success", "GitHub Actions 7", "GitHub Actions"
	return Job{
		ID: id, RunID: 9001, RunAttempt: 1, RepositoryID: rocket.ID,
		Name: "build / <linux> & 🚀", WorkflowName: "CI", HeadBranch: "main", HeadSHA: fakeSHA("main"),
		Status: "completed", Conclusion: &success,
		CreatedAt: begin, StartedAt: begin.Add(time.Second), CompletedAt: &end,
		Labels:   []string{"ubuntu-latest"},
		RunnerID: &runner, RunnerName: &name, RunnerGroupID: &group, RunnerGroupName: &groupName,
		Steps: inventedSteps(begin, 0),
		Log:   TextLog([]byte("\ufeff2026-04-01T09:00:00.0000000Z hello\n")),
	}
}

// get asks for a path with the server's token, unless the headers (pairs of key
// and value) say otherwise, and follows no redirect.
func get(t *testing.T, s *Server, path string, headers ...string) (*http.Response, string) {
	t.Helper()
	return getURL(t, s.URL()+path, append([]string{"Authorization", "Bearer " + s.Token()}, headers...)...)
}

func getURL(t *testing.T, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	resp, body, err := tryURL(t, url, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return resp, body
}

// tryURL also returns the error of a body that could not be read to its end.
func tryURL(t *testing.T, url string, headers ...string) (*http.Response, string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err // with a broken body too
}

// wantStatus fails the test unless the response has the status.
func wantStatus(t *testing.T, resp *http.Response, body string, want int) {
	t.Helper()
	if resp.StatusCode != want {
		t.Fatalf("status %d, want %d; body: %.300s", resp.StatusCode, want, body)
	}
}

// hub is a go-github client of the server.
func hub(t *testing.T, s *Server, rt http.RoundTripper) *github.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	if rt == nil {
		rt = transport
	}
	c, err := github.NewClient(&http.Client{Transport: rt}).WithEnterpriseURLs(s.URL(), s.URL())
	if err != nil {
		t.Fatal(err)
	}
	c.BaseURL.Path = "/" // WithEnterpriseURLs adds /api/v3/
	return c
}

func TestCloseTwice(t *testing.T) {
	s := start(t, Options{})
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := tryURL(t, s.URL()); err == nil {
		t.Error("still answers after Close")
	}
}
