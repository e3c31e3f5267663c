package ghapi_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// gate is a server whose requests wait until the test lets one go, and that
// knows how many were there at most.
type gate struct {
	base    string
	came    chan struct{}
	let     chan struct{}
	present atomic.Int64
	most    atomic.Int64
}

func newGate(t testing.TB) *gate {
	g := &gate{came: make(chan struct{}, 1000), let: make(chan struct{})}
	g.base = serve(t, func(w http.ResponseWriter, r *http.Request) {
		n := g.present.Add(1)
		for most := g.most.Load(); n > most && !g.most.CompareAndSwap(most, n); most = g.most.Load() {
		}
		g.came <- struct{}{}
		select {
		case <-g.let:
		case <-r.Context().Done():
		}
		g.present.Add(-1)
		io.WriteString(w, `{"id":7,"token":"ghs_x","expires_at":"2099-01-01T00:00:00Z"}`)
	}).URL
	return g
}

// open lets every request go from now on.
func (g *gate) open() { close(g.let) }

func TestNeverMoreRequestsThanAllowed(t *testing.T) {
	const allowed, asked = 3, 12
	g := newGate(t)
	c := clientOf(t, ghapi.Config{BaseURL: g.base, Concurrency: allowed})
	var together sync.WaitGroup
	for range asked {
		together.Go(func() {
			if err := getJob(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
	}
	for range allowed {
		<-g.came
	}
	for range asked - allowed {
		g.let <- struct{}{}
		<-g.came // the place goes to the next
	}
	for range allowed {
		g.let <- struct{}{}
	}
	together.Wait()
	if n := g.most.Load(); n != allowed {
		t.Errorf("%d requests at once, want %d", n, allowed)
	}
}

// The limit is of all installations, their tokens and lookups included.
func TestInstallationsShareTheirPlaces(t *testing.T) {
	g := newGate(t)
	cs := clientsOf(t, ghapi.Config{BaseURL: g.base, Concurrency: 1, AppID: appID, AppKey: keyPEM(appKey())})
	g.open()
	for _, installation := range []int64{5, 7} { // that of the operation, that of the lookup
		_, err := cs.For(t.Context(), &installation, owner, repo)
		check(t, err)
	}
	var together sync.WaitGroup
	for i := range 4 {
		together.Go(func() {
			var err error
			if i == 0 {
				_, err = cs.For(t.Context(), nil, owner, repo)
			} else {
				err = operations[2].do(t.Context(), cs)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	together.Wait()
	if n := g.most.Load(); n != 1 {
		t.Errorf("%d requests at once, want 1", n)
	}
}

// A log that GitHub sends itself holds its place until it is closed; one from
// the storage holds none.
func TestLogHoldsAPlaceOnlyAtGitHub(t *testing.T) {
	for _, direct := range []bool{false, true} {
		gh := simulate(t, githubsim.Options{DirectLogs: direct}, completed(7, githubsim.GeneratedLog(1, 5<<20, githubsim.LogStyle{})))
		c := clientOf(t, ghapi.Config{BaseURL: gh.URL(), Token: gh.Token(), Concurrency: 1})
		body, err := c.OpenLog(t.Context(), owner, repo, 7)
		check(t, err)
		if direct {
			ctx, cancel := context.WithCancel(t.Context())
			waits := make(chan error)
			go func() { waits <- getJob(ctx, c) }()
			select {
			case err := <-waits:
				t.Fatalf("there was a second place: %v", err)
			default:
			}
			cancel()
			if err := <-waits; !errors.Is(err, context.Canceled) {
				t.Errorf("waiting for a place ended with %v", err)
			}
			if n := gh.Requests()[githubsim.EndpointJob]; n != 0 {
				t.Errorf("%d requests beside the log", n)
			}
		} else {
			check(t, getJob(soon(t), c))
		}
		// Closing twice gives one place back, not two.
		check(t, body.Close())
		_ = body.Close()
		check(t, getJob(soon(t), c))
		check(t, getLog(soon(t), c))
	}
}

func TestPlacesComeBackFromRefusedLogs(t *testing.T) {
	for _, answer := range []http.HandlerFunc{
		func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "<h1>no</h1>")
		},
		func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			io.WriteString(w, "no")
		},
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusFound) },
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) },
		func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		c := clientOf(t, ghapi.Config{BaseURL: serve(t, answer).URL, Concurrency: 1})
		for range 3 {
			err := getLog(soon(t), c)
			if err == nil || errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("the log was refused with %v", err)
			}
		}
	}
}

// Giving up takes effect wherever a request is: before it, in the queue, on the
// way. Nothing is left behind: the next one has its place.
func TestGivingUp(t *testing.T) {
	g := newGate(t)
	c := clientOf(t, ghapi.Config{BaseURL: g.base, Concurrency: 1})
	cancelled := func(err error) {
		t.Helper()
		refusal(t, err, ghapi.Transient, 0, "")
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v does not say that it was cancelled", err)
		}
	}
	for _, do := range []func(context.Context, *ghapi.Client) error{getJob, getLog, listRun, listAttempt} {
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		cancelled(do(ended, c))
		if n := len(g.came); n != 0 {
			t.Fatalf("%d requests after the end", n)
		}

		onTheWay, cancelFirst := context.WithCancel(t.Context())
		queued, cancelSecond := context.WithCancel(t.Context())
		first, second := make(chan error), make(chan error)
		go func() { first <- do(onTheWay, c) }()
		<-g.came
		go func() { second <- do(queued, c) }()
		cancelSecond()
		cancelled(<-second)
		cancelFirst()
		cancelled(<-first)
	}
	g.open()
	check(t, getJob(soon(t), c))
}

func TestListingMayBeCancelledBetweenPages(t *testing.T) {
	base, asked := gitea(t, 1, 1, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	pages := 0
	var last error
	for _, err := range clientOf(t, ghapi.Config{BaseURL: base}).RunJobs(ctx, owner, repo, 100, ghapi.FilterAll) {
		pages++
		last = err
		cancel()
	}
	if pages != 2 || !errors.Is(last, context.Canceled) || len(*asked) != 1 {
		t.Errorf("%d pages and errors, the last %v; requests %v", pages, last, *asked)
	}
}

// Whoever waits for a token that another fetches may give up, too.
func TestGivingUpOnAnothersToken(t *testing.T) {
	g := newGate(t)
	cs := clientsOf(t, ghapi.Config{BaseURL: g.base, AppID: appID, AppKey: keyPEM(appKey())})
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { first <- operations[2].do(t.Context(), cs) }()
	<-g.came                                                              // for the token
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond) // it has its place long before
	defer cancel()
	go func() { second <- operations[2].do(ctx, cs) }()
	select {
	case err := <-second:
		refusal(t, err, ghapi.Transient, 0, "")
	case <-soon(t).Done():
		t.Error("it waits still")
	}
	g.open()
	check(t, <-first)
}
