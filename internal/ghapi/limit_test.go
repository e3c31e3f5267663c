package ghapi_test

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// No request leaves until a limit ends, whatever it was that hit it.
func TestLimitHoldsEverythingBackUntilItEnds(t *testing.T) {
	for name, fault := range map[string]githubsim.Fault{
		"429":             {Endpoint: githubsim.EndpointJob, Kind: githubsim.TooMany, RetryAfter: 10 * time.Minute},
		"primary limit":   {Endpoint: githubsim.EndpointRunJobs, Kind: githubsim.PrimaryLimit, RetryAfter: 10 * time.Minute},
		"secondary limit": {Endpoint: githubsim.EndpointLog, Kind: githubsim.SecondaryLimit, RetryAfter: 10 * time.Minute},
		"no token":        {Endpoint: githubsim.EndpointToken, Kind: githubsim.TooMany, RetryAfter: 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			now := newClock()
			gh, cs := app(t, githubsim.Options{Now: newClock().Now}, ghapi.Config{Now: now.Now}, completed(7, githubsim.TextLog([]byte("x"))))
			remove := gh.Inject(fault)
			for _, op := range operations {
				if op.endpoint == fault.Endpoint {
					refusal(t, op.do(soon(t), cs), ghapi.RateLimited, -1, "")
				}
			}
			remove()
			before := fmt.Sprint(gh.Requests())
			ends := now.Now().Add(10 * time.Minute)
			for _, passes := range []time.Duration{0, 5 * time.Minute, 5*time.Minute - 1} {
				now.advance(passes)
				for _, op := range operations[1:] {
					if e := refusal(t, op.do(soon(t), cs), ghapi.RateLimited, 0, "waiting for the limit to end"); !e.RetryAt.Equal(ends) {
						t.Errorf("%s: to be tried again at %s, want %s", op.endpoint, e.RetryAt, ends)
					}
				}
			}
			if after := fmt.Sprint(gh.Requests()); after != before {
				t.Errorf("requests %s in spite of the limit, before %s", after, before)
			}
			now.advance(1)
			for _, op := range operations {
				if err := op.do(soon(t), cs); err != nil {
					t.Errorf("%s after the limit: %v", op.endpoint, err)
				}
			}
		})
	}
}

// The last request of the hour is answered; what would come after it stays here.
func TestLastRequestIsKnownByItsAnswer(t *testing.T) {
	now := newClock()
	gh := simulate(t, githubsim.Options{Now: now.Now, RateLimit: 3}, completed(7, githubsim.TextLog([]byte("x"))))
	c := clientOf(t, ghapi.Config{BaseURL: gh.URL(), Token: gh.Token(), Now: now.Now})
	check(t, getJob(t.Context(), c))
	check(t, listRun(t.Context(), c))
	if text, err := readLog(t.Context(), c, 7); err != nil || string(text) != "x" {
		t.Fatalf("log %q, %v", text, err)
	}
	for range 3 {
		if e := refusal(t, getJob(t.Context(), c), ghapi.RateLimited, 0, "waiting"); !e.RetryAt.Equal(now.Now().Add(time.Hour)) {
			t.Errorf("to be tried again at %s, want in an hour from %s", e.RetryAt, now.Now())
		}
	}
	if n := gh.Requests(); n[githubsim.EndpointJob] != 1 {
		t.Errorf("requests %v, want one of each", n)
	}
	now.advance(time.Hour)
	check(t, getJob(t.Context(), c))
}

// limits is a server that answers every request with its headers.
func limits(t testing.TB, status int, header http.Header) (base string, requests *atomic.Int64) {
	t.Helper()
	requests = new(atomic.Int64)
	return serve(t, func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		for k, v := range header {
			w.Header()[k] = v
		}
		w.WriteHeader(status)
		io.WriteString(w, `{"id":7}`)
	}).URL, requests
}

func TestAnswersThatSayNothingRemains(t *testing.T) {
	now := newClock()
	reset := func(d time.Duration) []string { return []string{fmt.Sprint(now.Now().Add(d).Unix())} }
	for _, c := range []struct {
		name   string
		status int
		header http.Header
		waits  time.Duration
	}{
		{"with a reset", 200, http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": reset(20 * time.Minute)}, 20 * time.Minute},
		{"with a reset that is past", 200, http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": reset(-time.Second)}, time.Minute},
		{"with a reset next year", 200, http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": reset(24 * 365 * time.Hour)}, time.Minute},
		{"with a reset that is none", 200, http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"soon"}}, time.Minute},
		{"without a reset", 200, http.Header{"X-Ratelimit-Remaining": {"0"}}, time.Minute},
		{"with much left", 200, http.Header{"X-Ratelimit-Remaining": {"1"}, "X-Ratelimit-Reset": reset(20 * time.Minute)}, 0},
		{"without headers, as GHES", 200, nil, 0},
		{"of something not found", 404, http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": reset(20 * time.Minute)}, 20 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			base, requests := limits(t, c.status, c.header)
			now := &clock{}
			now.now.Store(newClock().now.Load())
			client := clientOf(t, ghapi.Config{BaseURL: base, Now: now.Now})
			if err := getJob(t.Context(), client); (err == nil) != (c.status == 200) {
				t.Fatal(err)
			}
			err := getJob(t.Context(), client)
			if c.waits == 0 {
				check(t, err)
				return
			}
			e := refusal(t, err, ghapi.RateLimited, 0, "waiting")
			// The table's reset was reckoned a moment earlier.
			if d := e.RetryAt.Sub(now.Now()); d > c.waits || d < c.waits-10*time.Second || requests.Load() != 1 {
				t.Errorf("waits %s, want %s; %d requests", d, c.waits, requests.Load())
			}
		})
	}
}

func TestLimitOfOneInstallationIsNotAnothers(t *testing.T) {
	gh, cs := app(t, githubsim.Options{}, ghapi.Config{}, completed(7, githubsim.Log{}), completed(8, githubsim.Log{}))
	gh.AddRepository(githubsim.Repository{ID: 4, Owner: "other", Name: "secret", InstallationID: 6})
	gh.Inject(githubsim.Fault{Endpoint: githubsim.EndpointJob, JobID: 7, Kind: githubsim.TooMany})
	five, err := cs.For(t.Context(), ptr(int64(5)), owner, repo)
	check(t, err)
	refusal(t, getJob(t.Context(), five), ghapi.RateLimited, 429, "")
	gh.AddRepository(githubsim.Repository{ID: 3, Owner: owner, Name: repo, InstallationID: 6})
	six, err := cs.For(t.Context(), ptr(int64(6)), owner, repo)
	check(t, err)
	if _, err := six.Job(t.Context(), owner, repo, 8); err != nil {
		t.Error(err)
	}
	if again, _ := cs.For(t.Context(), ptr(int64(5)), owner, repo); again != five {
		t.Error("the limit is forgotten with its client")
	}
}

// A storage that wants less is asked later for this log; GitHub need not wait.
func TestLimitOfTheStorageIsNotGitHubs(t *testing.T) {
	gh := simulate(t, githubsim.Options{}, completed(7, githubsim.TextLog([]byte("x"))))
	c := ask(t, gh)
	for _, f := range []githubsim.Fault{
		{Kind: githubsim.TooMany}, {Kind: githubsim.PrimaryLimit}, {Kind: githubsim.SecondaryLimit, RetryAfter: time.Hour},
	} {
		f.Endpoint, f.Times = githubsim.EndpointBlob, 1
		gh.Inject(f)
		refusal(t, getLog(t.Context(), c), ghapi.Transient, -1, "from storage")
		check(t, getJob(t.Context(), c))
	}
}

// A server that is overloaded is not a limit of ours.
func TestServerErrorWithATimeHoldsNothingBack(t *testing.T) {
	base, requests := limits(t, 503, http.Header{"Retry-After": {"600"}})
	c := clientOf(t, ghapi.Config{BaseURL: base})
	for range 3 {
		refusal(t, getJob(t.Context(), c), ghapi.Transient, 503, "")
	}
	if n := requests.Load(); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
}

// Requests that wait for their turn when the limit comes stay here too.
func TestLimitStopsThoseInTheQueue(t *testing.T) {
	base, requests := limits(t, 429, http.Header{"Retry-After": {"600"}})
	c := clientOf(t, ghapi.Config{BaseURL: base, Concurrency: 1})
	var together sync.WaitGroup
	for range 20 {
		together.Go(func() { refusal(t, getJob(t.Context(), c), ghapi.RateLimited, -1, "") })
	}
	together.Wait()
	if n := requests.Load(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

// Of two limits the longer counts.
func TestShorterLimitDoesNotEndALongerOne(t *testing.T) {
	arrived := make(chan chan string)
	gh := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		wait := make(chan string)
		arrived <- wait
		w.Header().Set("Retry-After", <-wait)
		w.WriteHeader(http.StatusTooManyRequests)
	})
	now := newClock()
	c := clientOf(t, ghapi.Config{BaseURL: gh.URL, Now: now.Now})
	errs := make(chan error)
	for range 2 {
		go func() { errs <- getJob(t.Context(), c) }()
	}
	longer, shorter := <-arrived, <-arrived
	longer <- "600"
	refusal(t, <-errs, ghapi.RateLimited, 429, "")
	shorter <- "60"
	refusal(t, <-errs, ghapi.RateLimited, 429, "")
	if e := refusal(t, getJob(t.Context(), c), ghapi.RateLimited, 0, "waiting"); !e.RetryAt.Equal(now.Now().Add(10 * time.Minute)) {
		t.Errorf("waits until %s, want 10 minutes from %s", e.RetryAt, now.Now())
	}
}

// The App has a limit of its own, and lookups for many repositories hit it.
func TestLimitOfLookupsIsRemembered(t *testing.T) {
	now := newClock()
	gh, cs := app(t, githubsim.Options{Now: newClock().Now}, ghapi.Config{Now: now.Now}, completed(7, githubsim.Log{}))
	remove := gh.Inject(githubsim.Fault{Endpoint: githubsim.EndpointInstallation, Kind: githubsim.TooMany, RetryAfter: time.Minute})
	for range 3 {
		_, err := cs.For(t.Context(), nil, owner, repo)
		refusal(t, err, ghapi.RateLimited, -1, "")
	}
	if n := gh.Requests()[githubsim.EndpointInstallation]; n != 1 {
		t.Errorf("%d lookups in spite of the limit, want 1", n)
	}
	remove()
	now.advance(time.Minute)
	if _, err := cs.For(t.Context(), nil, owner, repo); err != nil {
		t.Error(err)
	}
}
