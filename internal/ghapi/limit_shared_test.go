package ghapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// together are limits that several Clients share, as replicas do in Postgres: what
// is written on a window that somebody else has changed is done again.
type together struct {
	mu      sync.Mutex
	windows map[int64]ghapi.Window
	updates map[int64]int
	again   bool  // every f is called twice, the first time in vain
	err     error // of every update
}

func newTogether() *together {
	return &together{windows: make(map[int64]ghapi.Window), updates: make(map[int64]int)}
}

func (l *together) Update(_ context.Context, installation int64, f func(*ghapi.Window)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	l.updates[installation]++
	if l.again {
		stale := ghapi.Window{Limit: 5000, Closed: time.Now().AddDate(9, 0, 0)}
		f(&stale)
	}
	w := l.windows[installation]
	f(&w)
	l.windows[installation] = w
	return nil
}

func (l *together) window(installation int64) ghapi.Window {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.windows[installation]
}

// What one process is told, all heed: none asks before the limit ends, and each
// says until when.
func TestReplicasWaitTogether(t *testing.T) {
	for name, fault := range map[string]githubsim.Fault{
		"429":             {Kind: githubsim.TooMany, RetryAfter: 10 * time.Minute},
		"primary limit":   {Kind: githubsim.PrimaryLimit, RetryAfter: 10 * time.Minute},
		"secondary limit": {Kind: githubsim.SecondaryLimit, RetryAfter: 10 * time.Minute},
	} {
		for _, again := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " ", again), func(t *testing.T) {
				now, shared := newClock(), newTogether()
				shared.again = again
				gh := simulate(t, githubsim.Options{Now: now.Now}, completed(7, githubsim.Log{}))
				c := ghapi.Config{BaseURL: gh.URL(), Token: gh.Token(), Now: now.Now, Limits: shared}
				one, other := clientOf(t, c), clientOf(t, c)
				check(t, getJob(t.Context(), other))
				fault.Endpoint, fault.Times = githubsim.EndpointJob, 1
				gh.Inject(fault)
				refusal(t, getJob(t.Context(), one), ghapi.RateLimited, -1, "")
				before := fmt.Sprint(gh.Requests())
				ends := now.Now().Add(10 * time.Minute)
				now.advance(10*time.Minute - 1)
				for _, c := range []*ghapi.Client{one, other} {
					e := refusal(t, getJob(t.Context(), c), ghapi.RateLimited, 0, "waiting for the limit to end")
					if got, want := e.Error(), "get job 7: rate limited: waiting for the limit to end"; got != want || !e.RetryAt.Equal(ends) {
						t.Errorf("%q until %s, want %q until %s", got, e.RetryAt, want, ends)
					}
				}
				if after := fmt.Sprint(gh.Requests()); after != before {
					t.Errorf("requests %s in spite of the limit, before %s", after, before)
				}
				now.advance(1)
				check(t, getJob(t.Context(), other))
				check(t, getJob(t.Context(), one))
			})
		}
	}
}

// The last request of the hour is the last for all.
func TestReplicasShareTheHour(t *testing.T) {
	now, shared := newClock(), newTogether()
	gh := simulate(t, githubsim.Options{Now: now.Now, RateLimit: 7}, completed(7, githubsim.Log{}))
	c := ghapi.Config{BaseURL: gh.URL(), Token: gh.Token(), Now: now.Now, Limits: shared}
	clients := []*ghapi.Client{clientOf(t, c), clientOf(t, c), clientOf(t, c)}
	for i := range 7 {
		check(t, getJob(t.Context(), clients[i%3]))
	}
	for _, c := range clients {
		if e := refusal(t, getJob(t.Context(), c), ghapi.RateLimited, 0, "waiting"); !e.RetryAt.Equal(now.Now().Add(time.Hour)) {
			t.Errorf("waits until %s", e.RetryAt)
		}
	}
	if n := gh.LimitAnswers(); len(n) != 0 {
		t.Errorf("GitHub had to refuse: %v", n)
	}
	now.advance(time.Hour)
	for _, c := range clients {
		check(t, getJob(t.Context(), c))
	}
}

// Each installation has a budget of its own, and so has the App itself; whichever
// process asks, it is charged.
func TestBudgetIsTheInstallations(t *testing.T) {
	now, shared := newClock(), newTogether()
	// Tokens are signed by the real time.
	gh, cs := app(t, githubsim.Options{RateLimit: 1000}, ghapi.Config{Now: now.Now, Limits: shared}, completed(7, githubsim.Log{}))
	gh.AddRepository(githubsim.Repository{ID: 4, Owner: "other", Name: "open", InstallationID: 6})
	again := clientsOf(t, ghapi.Config{BaseURL: gh.URL(), AppID: appID, AppKey: keyPEM(appKey()), Now: now.Now, Limits: shared})
	for installation, requests := range map[int64]int{5: 4, 6: 2} {
		for i := range requests {
			c, err := []*ghapi.Clients{cs, again}[i%2].For(t.Context(), &installation, owner, repo)
			check(t, err)
			// Installation 6 finds no such job; that costs as much.
			if err := getJob(t.Context(), c); installation == 5 {
				check(t, err)
			}
		}
	}
	_, err := cs.For(t.Context(), nil, owner, repo)
	check(t, err)
	for installation, want := range map[int64]int{0: 1, 5: 4, 6: 2} {
		if w := shared.window(installation); w.Points != want {
			t.Errorf("installation %d was charged %d, want %d: %+v", installation, w.Points, want, w)
		}
	}
}

// Limits that cannot be read are no limit of GitHub's, and nothing is asked
// without them.
func TestSharedLimitsThatCannotBeRead(t *testing.T) {
	shared := newTogether()
	gh := simulate(t, githubsim.Options{}, completed(7, githubsim.Log{}))
	c := clientOf(t, ghapi.Config{BaseURL: gh.URL(), Token: gh.Token(), Limits: shared})
	shared.err = errors.New("no database")
	e := refusal(t, getJob(t.Context(), c), ghapi.Transient, 0, "the shared rate limit cannot be read: no database")
	if !errors.Is(e, shared.err) || !e.Ours || len(gh.Requests()) != 0 {
		t.Errorf("cause %v, ours %t, requests %v", e.Err, e.Ours, gh.Requests())
	}
	shared.err = nil
	check(t, getJob(t.Context(), c))
}

// A pause is noted even if whoever asked gives up when the answer comes.
func TestPauseIsNotedForAll(t *testing.T) {
	shared := newTogether()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var answered atomic.Bool
	gh := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		answered.Store(true)
		w.Header().Set("Retry-After", "600")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	// The clock is read to find out what the answer means.
	now := func() time.Time {
		if answered.Load() {
			cancel()
		}
		return time.Now()
	}
	c := clientOf(t, ghapi.Config{BaseURL: gh.URL, Limits: heedful{shared}, Now: now})
	refusal(t, getJob(ctx, c), ghapi.RateLimited, 429, "")
	if ctx.Err() == nil || !shared.window(0).Closed.After(time.Now()) {
		t.Errorf("the window is %+v", shared.window(0))
	}
}

// heedful are limits that fail with the context, as a database does.
type heedful struct{ ghapi.Limits }

func (l heedful) Update(ctx context.Context, installation int64, f func(*ghapi.Window)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return l.Limits.Update(ctx, installation, f)
}

// Backfills stop first, then sweeps; live requests have the whole of it.
func TestPriorityIsTheContexts(t *testing.T) {
	for _, c := range []struct {
		share    float64
		backfill int
	}{{0, 10}, {0.25, 5}, {0.75, 15}} {
		now := newClock()
		gh := simulate(t, githubsim.Options{Now: now.Now, RateLimit: 20}, completed(7, githubsim.Log{}))
		client := clientOf(t, ghapi.Config{BaseURL: gh.URL(), Token: gh.Token(), Now: now.Now, BackfillShare: c.share})
		var got []int
		for _, ctx := range []context.Context{
			ghapi.WithPriority(t.Context(), ghapi.Backfill), ghapi.WithPriority(t.Context(), ghapi.Sweep),
			ghapi.WithPriority(ghapi.WithPriority(t.Context(), ghapi.Backfill), ghapi.Live), t.Context(),
		} {
			n := 0
			for ; n < 30; n++ {
				if err := getJob(ctx, client); err != nil {
					if e := refusal(t, err, ghapi.RateLimited, 0, "waiting"); !e.RetryAt.Equal(now.Now().Add(time.Hour)) {
						t.Errorf("waits until %s", e.RetryAt)
					}
					break
				}
			}
			got = append(got, n)
		}
		if want := []int{c.backfill, 18 - c.backfill, 2, 0}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("share %v: backfills, sweeps, live and others asked %v times, want %v", c.share, got, want)
		}
		if n := gh.LimitAnswers(); len(n) != 0 {
			t.Errorf("GitHub had to refuse: %v", n)
		}
	}
}

// The points of a minute are shared out in the same way, where the server has a
// secondary limit.
func TestMinuteIsSharedOut(t *testing.T) {
	now, shared := newClock(), newTogether()
	gh := simulate(t, githubsim.Options{Now: now.Now, SecondaryPoints: 10}, completed(7, githubsim.Log{}))
	config := ghapi.Config{BaseURL: gh.URL(), Token: gh.Token(), Now: now.Now, PointsPerMinute: 10, Limits: shared}
	client, other := clientOf(t, config), clientOf(t, config)
	for minute := range 2 {
		for _, c := range []struct {
			priority ghapi.Priority
			asks     int
		}{{ghapi.Backfill, 5}, {ghapi.Sweep, 4}, {ghapi.Live, 1}} {
			ctx := ghapi.WithPriority(t.Context(), c.priority)
			for range c.asks {
				check(t, getJob(ctx, client))
				client, other = other, client
			}
			if e := refusal(t, getJob(ctx, client), ghapi.RateLimited, 0, "waiting"); !e.RetryAt.Equal(now.Now().Add(time.Minute)) {
				t.Errorf("minute %d: priority %d waits until %s", minute, c.priority, e.RetryAt)
			}
		}
		now.advance(time.Minute)
	}
	if n := gh.LimitAnswers(); len(n) != 0 {
		t.Errorf("GitHub had to refuse: %v", n)
	}
}

// A server whose clock is an hour off makes nobody wait for an hour more or less.
func TestWaitWithAServerWhoseClockIsOff(t *testing.T) {
	for _, off := range []time.Duration{-time.Hour, time.Hour} {
		for _, remaining := range []string{"0", "1"} {
			now := newClock()
			gh := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				server := now.Now().Add(off)
				h := w.Header()
				h.Set("Date", server.Format(http.TimeFormat))
				h.Set("X-RateLimit-Limit", "5000")
				h.Set("X-RateLimit-Remaining", remaining)
				h.Set("X-RateLimit-Reset", fmt.Sprint(server.Add(20*time.Minute).Unix()))
				fmt.Fprint(w, `{"id":7}`)
			})
			c := clientOf(t, ghapi.Config{BaseURL: gh.URL, Now: now.Now})
			check(t, getJob(t.Context(), c))
			e := refusal(t, getJob(ghapi.WithPriority(t.Context(), ghapi.Sweep), c), ghapi.RateLimited, 0, "waiting")
			if wait := e.RetryAt.Sub(now.Now()); wait != 20*time.Minute {
				t.Errorf("%s off with %s left: waits %s", off, remaining, wait)
			}
		}
	}
}

// Errors say what was asked for, so that a log of them can be read.
func TestRefusalSaysWhatWasAsked(t *testing.T) {
	shared := newTogether()
	shared.windows[0] = ghapi.Window{Closed: time.Now().Add(time.Hour)}
	cs := clientsOf(t, ghapi.Config{BaseURL: "http://127.0.0.1:1", Limits: shared})
	for want, do := range newOperations {
		if err := do(t.Context(), cs); err == nil || !strings.HasPrefix(err.Error(), want+": rate limited: waiting") {
			t.Errorf("%v, want it to begin with %q", err, want)
		}
	}
}
