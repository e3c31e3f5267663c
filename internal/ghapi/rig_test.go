package ghapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	owner = "acme"
	repo  = "rocket"
)

var repository = githubsim.Repository{ID: 3, Owner: owner, Name: repo, Private: true, InstallationID: 5}

func ptr[T any](v T) *T { return &v }

// completed is an ordinary job of run 100 that has ended.
func completed(id int64, log githubsim.Log) githubsim.Job {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return githubsim.Job{
		ID: id, RunID: 100, RunAttempt: 1, RepositoryID: repository.ID, Name: fmt.Sprintf("build %d", id), WorkflowName: "ci",
		HeadBranch: "main", HeadSHA: strings.Repeat("a", 40), Status: "completed", Conclusion: ptr("success"),
		CreatedAt: at, StartedAt: at, CompletedAt: &at, Labels: []string{"linux"}, Log: log,
	}
}

// clock is a time that only the test moves. It starts now, as the App's tokens
// are signed with the real time.
type clock struct{ now atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.now.Store(time.Now().Truncate(time.Second).UnixNano())
	return c
}

func (c *clock) Now() time.Time          { return time.Unix(0, c.now.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.now.Add(int64(d)) }

// simulate starts a GitHub with the repository and jobs.
func simulate(t testing.TB, o githubsim.Options, jobs ...githubsim.Job) *githubsim.Server {
	t.Helper()
	gh, err := githubsim.Start(o)
	check(t, err)
	t.Cleanup(func() { check(t, gh.Close()) })
	gh.AddRepository(repository)
	for _, j := range jobs {
		gh.AddJob(j)
	}
	return gh
}

// clientsOf makes clients; fields that are zero are the usual.
func clientsOf(t testing.TB, c ghapi.Config) *ghapi.Clients {
	t.Helper()
	if c.Concurrency == 0 {
		c.Concurrency = 10
	}
	if c.Token == "" && c.AppID == 0 {
		c.Token = "ghp_TheTokenOfThisTest"
	}
	c.UserAgent = "jobvault-test"
	cs, err := ghapi.New(c)
	check(t, err)
	t.Cleanup(cs.Close)
	return cs
}

// clientOf makes the client with a token.
func clientOf(t testing.TB, c ghapi.Config) *ghapi.Client {
	t.Helper()
	client, err := clientsOf(t, c).For(t.Context(), nil, owner, repo)
	check(t, err)
	return client
}

// ask is clientOf for a simulated GitHub.
func ask(t testing.TB, gh *githubsim.Server) *ghapi.Client {
	t.Helper()
	return clientOf(t, ghapi.Config{BaseURL: gh.URL(), Token: gh.Token()})
}

// serve starts a server for what the simulator does not do.
func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refusal compares an error with what it should be and returns it. status -1 is
// any, an empty message too.
func refusal(t testing.TB, err error, class ghapi.Class, status int, message string) *ghapi.Error {
	t.Helper()
	var e *ghapi.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v is not this package's", err)
	}
	if e.Class != class || status >= 0 && e.Status != status || !strings.Contains(err.Error(), message) {
		t.Errorf("error %q of status %d; want %s, status %d, saying %q", err, e.Status, class, status, message)
	}
	return e
}

// readLog opens and reads a log.
func readLog(ctx context.Context, c *ghapi.Client, id int64) ([]byte, error) {
	body, err := c.OpenLog(ctx, owner, repo, id)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(body)
	return text, errors.Join(err, body.Close())
}

// collect reads a listing to its end.
func collect(seq iter.Seq2[ghapi.JobPage, error]) (jobs []ghapi.Job, err error) {
	for p, err := range seq {
		if err != nil {
			return jobs, err
		}
		jobs = append(jobs, p.Jobs...)
	}
	return jobs, nil
}

// cancelOn is a context that is cancelled once the nth request is written.
func cancelOn(t testing.TB, nth int32) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	var written atomic.Int32
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) {
		if written.Add(1) == nth {
			cancel()
		}
	}})
}

// soon bounds what should happen at once, for a test that would else hang.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}
