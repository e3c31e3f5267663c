package access_test

import (
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/lookup/access"
	"github.com/jobvault/jobvault/store"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// The repositories of the tests, in the archive and at GitHub.
var (
	rocket = store.Repository{ID: 1, Owner: "acme", Name: "rocket", Private: new(true)}
	lander = store.Repository{ID: 2, Owner: "acme", Name: "lander", Private: new(true)}
	public = store.Repository{ID: 3, Owner: "other", Name: "public", Private: new(false)}
)

// fixture is a gate over a database that knows the repositories, in a server of its
// own, and with a clock that the test moves.
type fixture struct {
	*testenv.Vault
	gate     *access.Gate
	now      atomic.Pointer[time.Time]
	server   *httptest.Server
	client   *http.Client // keeps cookies
	outcomes chan outcome
}

// outcome is what the gate said of a request.
type outcome struct {
	reader access.Reader
	err    error
}

func newFixture(t *testing.T, gate func(*store.DB) *access.Gate) *fixture {
	t.Helper()
	f := &fixture{Vault: testenv.NewVault(t), outcomes: make(chan outcome, 1)}
	f.see(rocket, lander, public)
	f.gate = gate(f.DB)
	f.now.Store(new(time.Now()))
	access.SetClock(f.gate, func() time.Time { return *f.now.Load() })
	f.server = httptest.NewServer(f.handler())
	t.Cleanup(f.server.Close)
	f.client = f.browser(f.server)
	return f
}

// browser is a client of a server that keeps cookies as browsers do.
func (f *fixture) browser(server *httptest.Server) *http.Client {
	f.T.Helper()
	jar, err := cookiejar.New(nil)
	f.Check(err)
	client := *server.Client()
	client.Jar = jar
	return &client
}

// handler signs in on POST and out on DELETE, else it finds the reader.
func (f *fixture) handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var o outcome
		switch req.Method {
		case http.MethodPost:
			o.err = f.gate.SignIn(w, req, req.FormValue("token"))
		case http.MethodDelete:
			o.err = f.gate.SignOut(w, req)
		default:
			o.reader, o.err = f.gate.Reader(req)
		}
		f.outcomes <- o
	})
}

// later moves the clock.
func (f *fixture) later(d time.Duration) { f.now.Store(new(f.now.Load().Add(d))) }

// see tells the archive of repositories under their present names.
func (f *fixture) see(rs ...store.Repository) {
	f.T.Helper()
	_, err := f.DB.SeeRepositories(f.T.Context(), rs)
	f.Check(err)
}

// request makes one to the fixture's server. Headers are name, value, …; Host is one
// of them.
func (f *fixture) request(method, address, body string, headers ...string) *http.Request {
	f.T.Helper()
	req, err := http.NewRequestWithContext(f.T.Context(), method, address, strings.NewReader(body))
	f.Check(err)
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	return req
}

// do sends a request and says what the gate made of it.
func (f *fixture) do(client *http.Client, req *http.Request) (*http.Response, outcome) {
	f.T.Helper()
	resp, err := client.Do(req)
	f.Check(err)
	resp.Body.Close()
	return resp, <-f.outcomes
}

// ask sends a request with headers, and without cookies but those among them.
func (f *fixture) ask(headers ...string) (access.Reader, error) {
	f.T.Helper()
	_, o := f.do(f.server.Client(), f.request(http.MethodGet, f.server.URL, "", headers...))
	return o.reader, o.err
}

// refused wants a request with headers to be refused with an error.
func (f *fixture) refused(want error, headers ...string) {
	f.T.Helper()
	reader, err := f.ask(headers...)
	f.wants(err, want)
	// Whoever overlooks the error reads nothing all the same.
	if may, err := reader.MayRead(f.T.Context(), public); may || err != nil {
		f.T.Errorf("%q: a refused reader may read: %t, %v", headers, may, err)
	}
	if ids, err := reader.Repositories(f.T.Context()); ids == nil || len(ids) > 0 || err != nil {
		f.T.Errorf("%q: a refused reader has repositories: %v, %v", headers, ids, err)
	}
}

// as is whoever has a token.
func (f *fixture) as(token string) access.Reader {
	f.T.Helper()
	reader, err := f.ask("Authorization", "Bearer "+token)
	f.Check(err)
	return reader
}

func (f *fixture) wants(err, want error) {
	f.T.Helper()
	if !errors.Is(err, want) {
		f.T.Errorf("%v, want %v", err, want)
	}
}

// reads wants a reader to be allowed these repositories, of those of the tests.
func (f *fixture) reads(reader access.Reader, want ...store.Repository) {
	f.T.Helper()
	all, err := f.DB.Repositories(f.T.Context())
	f.Check(err)
	var got []int64
	for _, r := range all {
		may, err := reader.MayRead(f.T.Context(), r)
		f.Check(err)
		if may {
			got = append(got, r.ID)
		}
	}
	if diff := cmp.Diff(idsOf(want), got); diff != "" {
		f.T.Errorf("%s may read (-want +got):\n%s", reader.Subject, diff)
	}
}

// lists wants a reader to be shown the jobs of repositories.
func (f *fixture) lists(reader access.Reader, want ...store.Repository) {
	f.T.Helper()
	got, err := reader.Repositories(f.T.Context())
	f.Check(err)
	if got == nil {
		f.T.Errorf("%s is shown all", reader.Subject)
	}
	if diff := cmp.Diff(append([]int64{}, idsOf(want)...), got); diff != "" {
		f.T.Errorf("%s is shown (-want +got):\n%s", reader.Subject, diff)
	}
}

// names wants a reader to find repositories by a name.
func (f *fixture) names(reader access.Reader, owner, name string, want ...store.Repository) {
	f.T.Helper()
	rs, err := reader.Named(f.T.Context(), owner, name)
	f.Check(err)
	if diff := cmp.Diff(idsOf(want), idsOf(rs)); diff != "" {
		f.T.Errorf("%s/%s (-want +got):\n%s", owner, name, diff)
	}
}

func idsOf(rs []store.Repository) []int64 {
	var ids []int64
	for _, r := range rs {
		ids = append(ids, r.ID)
	}
	return ids
}

// signIn signs in from a client.
func (f *fixture) signIn(client *http.Client, address, token string, headers ...string) (*http.Response, error) {
	f.T.Helper()
	headers = append(headers, "Content-Type", "application/x-www-form-urlencoded")
	resp, o := f.do(client, f.request(http.MethodPost, address, url.Values{"token": {token}}.Encode(), headers...))
	return resp, o.err
}

// simulated is a GitHub that has the repositories.
func simulated(t *testing.T, o githubsim.Options) *githubsim.Server {
	t.Helper()
	sim, err := githubsim.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, r := range []store.Repository{rocket, lander, public} {
		sim.AddRepository(githubsim.Repository{ID: r.ID, Owner: r.Owner, Name: r.Name, Private: *r.Private})
	}
	return sim
}

// gitHubGate asks a simulated GitHub.
func gitHubGate(t *testing.T, sim *githubsim.Server) func(*store.DB) *access.Gate {
	t.Helper()
	clients, err := ghapi.New(ghapi.Config{BaseURL: sim.URL(), Token: sim.Token(), Concurrency: 50, UserAgent: "jobvault-test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(clients.Close)
	return func(db *store.DB) *access.Gate { return access.GitHub(db, clients) }
}
