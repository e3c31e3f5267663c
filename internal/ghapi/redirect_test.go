package ghapi_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// host is a server that remembers what it was sent.
type host struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
}

func newHost(t testing.TB, h http.HandlerFunc) *host {
	s := &host{}
	s.Server = serve(t, func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r)
		s.mu.Unlock()
		h(w, r)
	})
	return s
}

// heard are the requests so far.
func (s *host) heard() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// countConnections tells of each connection that a server gets.
func countConnections(s *http.Server, to chan<- struct{}) {
	s.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			to <- struct{}{}
		}
	}
}

// redirect answers every request with a redirect.
func redirect(status int, to func() string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to())
		w.WriteHeader(status)
	}
}

func text(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, s) }
}

// anonymous fails for a request that says who sent it or where it came from.
func anonymous(t *testing.T, requests ...*http.Request) {
	t.Helper()
	for _, r := range requests {
		for _, name := range []string{"Authorization", "Proxy-Authorization", "Cookie", "Referer", "X-GitHub-Api-Version"} {
			if v := r.Header.Get(name); v != "" {
				t.Errorf("%s was sent %s: %s", r.Host, name, v)
			}
		}
	}
}

// The address of a log is followed from host to host, and none of them learns
// the token or the address that led there.
func TestStorageLearnsNothing(t *testing.T) {
	third := newHost(t, text("the log\n"))
	second := newHost(t, redirect(http.StatusTemporaryRedirect, func() string { return third.URL + "/z?sig=third" }))
	first := newHost(t, redirect(http.StatusFound, func() string { return second.URL + "/y?sig=second" }))
	gh := newHost(t, redirect(http.StatusFound, func() string {
		return first.URL + "/x?sig=first&q=%2B%20+"
	}))
	got, err := readLog(t.Context(), clientOf(t, ghapi.Config{BaseURL: gh.URL}), 7)
	if string(got) != "the log\n" || err != nil {
		t.Fatalf("log %q, %v", got, err)
	}
	var asked []string
	for _, s := range []*host{first, second, third} {
		anonymous(t, s.heard()...)
		for _, r := range s.heard() {
			asked = append(asked, r.Method+" "+r.RequestURI)
		}
	}
	if diff := cmp.Diff([]string{"GET /x?sig=first&q=%2B%20+", "GET /y?sig=second", "GET /z?sig=third"}, asked); diff != "" {
		t.Errorf("requests of the storage (-want +got):\n%s", diff)
	}
	if h := gh.heard(); len(h) != 1 || !strings.HasPrefix(h[0].Header.Get("Authorization"), "Bearer ") {
		t.Errorf("GitHub itself heard %d requests", len(h))
	}
}

// Not even GitHub gets the token for what a storage sends there.
func TestStorageCannotSendTheTokenHome(t *testing.T) {
	var gh *host
	blob := newHost(t, redirect(http.StatusFound, func() string { return gh.URL + "/repos/acme/rocket/actions/jobs/8" }))
	gh = newHost(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/logs") {
			w.Header().Set("Location", blob.URL)
			w.WriteHeader(http.StatusFound)
			return
		}
		w.WriteHeader(http.StatusUnauthorized)
	})
	_, err := readLog(t.Context(), clientOf(t, ghapi.Config{BaseURL: gh.URL}), 7)
	refusal(t, err, ghapi.Transient, 401, "from storage")
	anonymous(t, gh.heard()[1:]...)
}

// A redirect of the API to another host is not followed at all.
func TestAPIRedirectToAnotherHostIsNotFollowed(t *testing.T) {
	elsewhere := newHost(t, text(`{"id":7}`))
	for _, status := range []int{301, 303, 307, 308} {
		// Another name of the same machine is another host, too.
		for _, to := range []string{elsewhere.URL, strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1), "https://gist.example/"} {
			gh := newHost(t, redirect(status, func() string { return to + "/repositories/3/actions/jobs/7" }))
			c := clientOf(t, ghapi.Config{BaseURL: gh.URL})
			refusal(t, getJob(t.Context(), c), ghapi.Transient, status, "left the API's host")
			refusal(t, getLog(t.Context(), c), ghapi.Transient, status, "left the API's host")
			refusal(t, listRun(t.Context(), c), ghapi.Transient, status, "left the API's host")
		}
	}
	if h := elsewhere.heard(); len(h) > 0 {
		t.Errorf("the other host was asked %d times", len(h))
	}
}

// Only a log may be elsewhere: a 302 for anything else is no answer.
func TestFoundIsForLogs(t *testing.T) {
	elsewhere := newHost(t, text(`{"id":7}`))
	gh := newHost(t, redirect(http.StatusFound, func() string { return elsewhere.URL }))
	c := clientOf(t, ghapi.Config{BaseURL: gh.URL})
	refusal(t, getJob(t.Context(), c), ghapi.Transient, 302, "redirect")
	refusal(t, listAttempt(t.Context(), c), ghapi.Transient, 302, "redirect")
	if h := elsewhere.heard(); len(h) > 0 {
		t.Errorf("the other host was asked %d times", len(h))
	}
}

func TestRenamedRepositoryIsFollowedWithTheToken(t *testing.T) {
	gh := simulate(t, githubsim.Options{}, completed(7, githubsim.TextLog([]byte("x"))))
	gh.RenameRepository(repository.ID, "acme", "starship")
	c := ask(t, gh)
	check(t, getJob(t.Context(), c))
	check(t, getLog(t.Context(), c))
	check(t, listRun(t.Context(), c))
	check(t, listAttempt(t.Context(), c))
	if n := gh.TokenSentToBlob(); n != 0 {
		t.Errorf("the token went to the storage %d times", n)
	}
}

func TestRedirectLoopsEnd(t *testing.T) {
	var gh, blob *host
	turns := 0
	again := func(base func() string) http.HandlerFunc {
		return redirect(http.StatusMovedPermanently, func() string { turns++; return fmt.Sprintf("%s/again/%d", base(), turns) })
	}
	gh = newHost(t, again(func() string { return gh.URL }))
	c := clientOf(t, ghapi.Config{BaseURL: gh.URL, Concurrency: 1})
	for _, do := range []func() error{func() error { return getJob(soon(t), c) }, func() error { return getLog(soon(t), c) }} {
		before := len(gh.heard())
		refusal(t, do(), ghapi.Transient, 301, "redirects")
		if n := len(gh.heard()) - before; n > 10 {
			t.Errorf("went round %d times", n)
		}
	}
	blob = newHost(t, again(func() string { return blob.URL }))
	gh = newHost(t, redirect(http.StatusFound, func() string { return blob.URL }))
	refusal(t, getLog(soon(t), clientOf(t, ghapi.Config{BaseURL: gh.URL})), ghapi.Transient, 301, "redirects")
	if n := len(blob.heard()); n > 10 {
		t.Errorf("went round %d times", n)
	}
	anonymous(t, blob.heard()...)
}

// A page of a listing is asked for at the API's host, whatever the link says.
func TestNextPageIsOfTheSameHost(t *testing.T) {
	elsewhere := newHost(t, text(`{"jobs":[{"id":2}]}`))
	for _, base := range []string{"", "/api/v3"} {
		for _, path := range []string{"/p?page=2", "//" + elsewhere.Listener.Addr().String() + "/p", base + "//" + elsewhere.Listener.Addr().String() + "/p", base + "/" + elsewhere.URL} {
			gh := newHost(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("filter") != "" {
					w.Header().Set("Link", fmt.Sprintf(`<%s%s>; rel="next"`, elsewhere.URL, path))
				}
				io.WriteString(w, `{"jobs":[{"id":1}]}`)
			})
			_, err := collect(clientOf(t, ghapi.Config{BaseURL: gh.URL + base}).RunJobs(t.Context(), owner, repo, 100, ghapi.FilterAll))
			if err != nil {
				refusal(t, err, ghapi.Transient, 0, "left the API's host")
			}
		}
	}
	if h := elsewhere.heard(); len(h) > 0 {
		t.Errorf("the other host was asked %d times", len(h))
	}
}

// Close gives back what it holds of GitHub's connections.
func TestCloseDropsIdleConnections(t *testing.T) {
	closed := make(chan struct{}, 10)
	gh := httptest.NewUnstartedServer(text(`{"id":7}`))
	gh.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			closed <- struct{}{}
		}
	}
	gh.Start()
	t.Cleanup(gh.Close)
	cs := clientsOf(t, ghapi.Config{BaseURL: gh.URL})
	c, err := cs.For(t.Context(), nil, owner, repo)
	check(t, err)
	check(t, getJob(t.Context(), c))
	cs.Close()
	select {
	case <-closed:
	case <-soon(t).Done():
		t.Error("the connection is still open")
	}
}
