package ingest_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// unreliable is how GitHub's webhooks come: some find nobody at home, some are
// never sent, some come twice, and none in order.
var unreliable = githubsim.SendOptions{Secret: secret, Refused: .05, Lost: .03, Duplicates: .1, Shuffle: true, Seed: 3, Concurrency: 16}

// deliverBadly sends a history's webhooks as GitHub does, and records them.
func (r *rig) deliverBadly(day githubsim.Day) {
	r.t.Helper()
	r.github.SetHook(r.receiver.URL+"/webhook", secret)
	results := githubsim.Send(r.t.Context(), r.receiver.URL+"/webhook", day.Deliveries, unreliable)
	r.github.RecordAt(time.Now().Add(-25*time.Minute), results...)
	refused := 0
	for _, res := range results {
		switch {
		case res.Status == http.StatusBadGateway:
			refused++
		case res.Err != nil || res.Status != http.StatusAccepted:
			r.t.Fatalf("delivery %s: %d, %v", res.Delivery.GUID, res.Status, res.Err)
		}
	}
	if lost := len(day.Deliveries) - len(results) + int(unreliable.Duplicates*float64(len(day.Deliveries))); refused == 0 || lost == 0 {
		r.t.Fatalf("%d refused, about %d lost: this shows nothing", refused, lost)
	}
}

// hook is where the simulator's deliveries can be listed.
func hookOf(t testing.TB, day githubsim.Day) ghapi.Hook {
	t.Helper()
	h, err := ghapi.ParseHook(day.Repositories[0].Owner + "/421337")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// reconcile does one round and wants no error.
func (r *rig) reconcile(hooks ...ghapi.Hook) ingest.Reconciled {
	r.t.Helper()
	done, err := r.sweeper().Reconcile(r.t.Context(), hooks)
	r.check(err)
	return done
}

// recent is a history of the last days.
func recent(jobs, runs int) githubsim.History {
	now := time.Now()
	return githubsim.History{Seed: 4, Jobs: jobs, Runs: runs, Begin: now.Add(-60 * time.Hour), End: now.Add(-30 * time.Minute)}
}

// After one reconcile every job is accounted for, however bad the webhooks were,
// and the next one costs next to nothing.
func TestReconcileFindsEveryJob(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{github: githubsim.Options{RateLimit: 1_000_000}})
	day := r.github.AddHistory(recent(600, 90))
	r.work()
	r.deliverBadly(day)
	r.await(time.Minute, `NOT EXISTS (SELECT FROM deliveries WHERE state = 'received')`)
	before := scalar[int](r, `SELECT count(*) FROM jobs WHERE fetched_at IS NOT NULL`)
	done := r.reconcile(hookOf(t, day))
	r.github.AwaitRedeliveries()
	r.await(time.Minute, settled)
	if done.Asked == 0 || done.Asked != done.Failed || done.Repositories != len(day.Repositories) || before == len(day.Jobs) {
		t.Errorf("%+v, %d of %d jobs known before", done, before, len(day.Jobs))
	}
	r.compareDay(day)
	wantComplete(t, r)

	// The second round sees that all have arrived, and the third what that saves.
	if again := r.reconcile(hookOf(t, day)); again.Asked != 0 || again.Attempts != 0 {
		t.Errorf("a second round did %+v", again)
	}
	used, asked := r.limitUsed(), r.github.Requests()
	if again := r.reconcile(hookOf(t, day)); again.Asked != 0 || again.Attempts != 0 {
		t.Errorf("a third round did %+v", again)
	}
	for e, n := range r.github.Requests() {
		cost := n - asked[e]
		if allowed := map[githubsim.Endpoint]int64{
			githubsim.EndpointRuns: int64(len(day.Repositories)), githubsim.EndpointDeliveries: 2,
			// Whose an empty list is; unchanged, as the list.
			githubsim.EndpointRepository: int64(len(day.Repositories)),
		}[e]; cost > allowed {
			t.Errorf("a third round made %d requests to %s", cost, e)
		}
	}
	if cost := r.limitUsed() - used; cost > 2 {
		t.Errorf("a third round cost %d requests of the limit, and only listing deliveries has to", cost)
	}
}

// limitUsed is what GitHub counts of the present hour's limit.
func (r *rig) limitUsed() int64 {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.github.URL()+"rate_limit", nil)
	r.check(err)
	req.Header.Set("Authorization", "Bearer "+r.github.Token())
	resp, err := http.DefaultClient.Do(req)
	r.check(err)
	defer resp.Body.Close()
	var said struct{ Rate struct{ Limit, Used int64 } }
	r.check(json.NewDecoder(resp.Body).Decode(&said))
	if said.Rate.Limit != 1_000_000 {
		r.t.Fatalf("the limit is %d", said.Rate.Limit)
	}
	return said.Rate.Used
}

// wantComplete wants every day that has ended to be accounted for, and as many
// jobs in the coverage as there are.
func wantComplete(t testing.TB, r *rig) {
	t.Helper()
	for _, row := range r.rows(`
		SELECT repository, day::text, jobs, complete FROM coverage
		WHERE NOT complete OR jobs <> archived + none + expired + missing + denied + removed + pending`) {
		// The first day began before the first sweep.
		if row["day"].(string) > time.Now().Add(-72*time.Hour).UTC().Format(time.DateOnly) {
			t.Errorf("coverage: %v", row)
		}
	}
	if got, want := scalar[int](r, `SELECT sum(jobs)::int FROM coverage`), scalar[int](r, `SELECT count(*) FROM jobs`); got != want {
		t.Errorf("%d jobs in the coverage, %d known", got, want)
	}
}

// A hook without any jobvault behind it: GitHub accepts every redelivery and
// none arrives. They are asked for again, more and more seldom, and never taken
// for resolved.
func TestRedeliveryIsNoArrival(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := newRig(t, rigOptions{now: now.Now})
	r.github.AddRepository(repository)
	j := completed(1, now.Now(), githubsim.TextLog([]byte("x")))
	r.github.AddJob(j)
	down := "http://127.0.0.1:1/webhook"
	r.github.SetHook(down, secret)
	ds := r.github.Deliveries(j)
	for _, d := range ds {
		r.github.RecordAt(now.Now(), githubsim.SendResult{Delivery: d, Err: errors.New("connection refused")})
	}
	h, err := ghapi.ParseHook("acme/rocket/421337")
	r.check(err)
	asked := 0
	for range 200 {
		now.advance(10 * time.Minute)
		done, err := r.sweeper().Redeliver(t.Context(), h)
		r.check(err)
		r.github.AwaitRedeliveries()
		if done.Failed != len(ds) {
			t.Fatalf("%d failed, want %d", done.Failed, len(ds))
		}
		asked += done.Asked
	}
	if per := asked / len(ds); per < 8 || per > 20 {
		t.Errorf("each was asked for %d times in 33 hours", per)
	}
	// Somebody is at home again: all arrive, and nothing is left.
	r.github.SetHook(r.receiver.URL+"/webhook", secret)
	now.advance(7 * time.Hour)
	done, err := r.sweeper().Redeliver(t.Context(), h)
	r.check(err)
	r.github.AwaitRedeliveries()
	if done.Asked != len(ds) || scalar[int](r, `SELECT count(*) FROM deliveries`) != len(ds) {
		t.Errorf("asked for %d of %d", done.Asked, len(ds))
	}
	if done, err = r.sweeper().Redeliver(t.Context(), h); err != nil || done != (ingest.Redelivered{}) {
		t.Errorf("at the end %+v, %v", done, err)
	}
}

// A round that fails in the middle, at every request in turn, skips no delivery.
func TestRedeliveryIsCheckpointed(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := newRig(t, rigOptions{now: now.Now})
	r.github.AddRepository(repository)
	r.github.SetHook(r.receiver.URL+"/webhook", secret)
	var all []githubsim.Delivery
	for id := range int64(70) {
		j := completed(id+1, now.Now(), githubsim.TextLog([]byte("x")))
		r.github.AddJob(j)
		for _, d := range r.github.Deliveries(j) {
			r.github.RecordAt(now.Now(), githubsim.SendResult{Delivery: d, Status: 500})
			all = append(all, d)
		}
	}
	h, err := ghapi.ParseHook("acme/421337")
	r.check(err)
	for n := 0; ; n++ {
		now.advance(2 * time.Minute)
		remove := r.github.Inject(githubsim.Fault{Endpoint: githubsim.EndpointRedeliver, Kind: githubsim.ServerError})
		if n > 0 {
			remove()
			remove = failAfter(r.github, githubsim.EndpointRedeliver, n*9)
		}
		_, err := r.sweeper().Redeliver(t.Context(), h)
		remove()
		r.github.AwaitRedeliveries()
		got := scalar[int](r, `SELECT count(*) FROM deliveries`)
		if err == nil && got == len(all) {
			break
		}
		if n > 100 {
			t.Fatalf("%d of %d deliveries arrived, and it never comes to an end: %v", got, len(all), err)
		}
	}
}

// A delivery that GitHub refuses to send again does not keep the others from being
// asked for, nor those that come after it from being looked at.
func TestRefusedRedeliveryStopsNoOther(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := newRig(t, rigOptions{now: now.Now})
	r.github.AddRepository(repository)
	r.github.SetHook(r.receiver.URL+"/webhook", secret)
	for id := range int64(5) {
		j := completed(id+1, now.Now(), githubsim.TextLog([]byte("x")))
		r.github.AddJob(j)
		for _, d := range r.github.Deliveries(j)[:1] {
			r.github.RecordAt(now.Now(), githubsim.SendResult{Delivery: d, Status: 500})
		}
		now.advance(20 * time.Minute)
	}
	h, err := ghapi.ParseHook("acme/421337")
	r.check(err)
	r.github.Inject(githubsim.Fault{Endpoint: githubsim.EndpointRedeliver, Kind: githubsim.ServerError, Times: 1})
	done, err := r.sweeper().Redeliver(t.Context(), h)
	r.github.AwaitRedeliveries()
	if err == nil || done != (ingest.Redelivered{Failed: 5, Asked: 4}) {
		t.Errorf("%+v, %v", done, err)
	}
	// The one that is still lost is known without listing all since then again.
	if to := scalar[time.Time](r, `SELECT resolved_to FROM hooks`); to.Before(now.Now().Add(-31 * time.Minute)) {
		t.Errorf("resolved to %s only, at %s", to, now.Now())
	}
	now.advance(2 * time.Minute)
	done, err = r.sweeper().Redeliver(t.Context(), h)
	r.check(err)
	r.github.AwaitRedeliveries()
	if done.Asked != 1 || scalar[int](r, `SELECT count(*) FROM deliveries`) != 5 {
		t.Errorf("asked for %d", done.Asked)
	}
}

// failAfter has requests to an endpoint fail after the first n.
func failAfter(gh *githubsim.Server, e githubsim.Endpoint, n int) (remove func()) {
	var mu sync.Mutex
	undo := func() {}
	gh.OnRequest(func(got githubsim.Endpoint, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if got != e {
			return
		}
		if n--; n == -1 {
			undo = gh.Inject(githubsim.Fault{Endpoint: e, Kind: githubsim.ServerError})
		}
	})
	return func() {
		gh.OnRequest(nil)
		mu.Lock()
		defer mu.Unlock()
		undo()
	}
}
