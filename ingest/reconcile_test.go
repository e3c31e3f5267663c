package ingest_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// unreliable is how GitHub's webhooks come: some find nobody at home, some are
// never sent, some come twice, and none in order.
var unreliable = githubsim.SendOptions{Secret: ingesttest.Secret, Refused: .05, Lost: .03, Duplicates: .1, Shuffle: true, Seed: 3, Concurrency: 16}

// deliverBadly sends a history's webhooks as GitHub does, and records them.
func (r *rig) deliverBadly(day githubsim.Day) {
	r.T.Helper()
	r.GitHub.SetHook(r.Receiver.URL+"/webhook", ingesttest.Secret)
	results := githubsim.Send(r.T.Context(), r.Receiver.URL+"/webhook", day.Deliveries, unreliable)
	r.GitHub.RecordAt(time.Now().Add(-25*time.Minute), results...)
	refused := 0
	for _, res := range results {
		switch {
		case res.Status == http.StatusBadGateway:
			refused++
		case res.Err != nil || res.Status != http.StatusAccepted:
			r.T.Fatalf("delivery %s: %d, %v", res.Delivery.GUID, res.Status, res.Err)
		}
	}
	if lost := len(day.Deliveries) - len(results) + int(unreliable.Duplicates*float64(len(day.Deliveries))); refused == 0 || lost == 0 {
		r.T.Fatalf("%d refused, about %d lost: this shows nothing", refused, lost)
	}
}

// After one reconcile every job is accounted for, however bad the webhooks were,
// and the next one costs next to nothing.
func TestReconcileFindsEveryJob(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{GitHub: githubsim.Options{RateLimit: 1_000_000}})
	day := r.GitHub.AddHistory(ingesttest.Recent(600, 90))
	r.Work()
	r.deliverBadly(day)
	r.Await(time.Minute, `NOT EXISTS (SELECT FROM deliveries WHERE state = 'received')`)
	before := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM jobs WHERE fetched_at IS NOT NULL`)
	done := r.Reconcile(ingesttest.HookOf(t, day))
	r.GitHub.AwaitRedeliveries()
	r.Await(time.Minute, ingesttest.Settled)
	if done.Asked == 0 || done.Asked != done.Failed || done.Repositories != len(day.Repositories) || before == len(day.Jobs) {
		t.Errorf("%+v, %d of %d jobs known before", done, before, len(day.Jobs))
	}
	r.CompareDay(day)
	wantComplete(t, r)

	// The second round sees that all have arrived, and the third what that saves.
	if again := r.Reconcile(ingesttest.HookOf(t, day)); again.Asked != 0 || again.Attempts != 0 {
		t.Errorf("a second round did %+v", again)
	}
	used, asked := r.limitUsed(), r.GitHub.Requests()
	if again := r.Reconcile(ingesttest.HookOf(t, day)); again.Asked != 0 || again.Attempts != 0 {
		t.Errorf("a third round did %+v", again)
	}
	for e, n := range r.GitHub.Requests() {
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
	r.T.Helper()
	req, err := http.NewRequestWithContext(r.T.Context(), http.MethodGet, r.GitHub.URL()+"rate_limit", nil)
	r.Check(err)
	req.Header.Set("Authorization", "Bearer "+r.GitHub.Token())
	resp, err := http.DefaultClient.Do(req)
	r.Check(err)
	defer resp.Body.Close()
	var said struct{ Rate struct{ Limit, Used int64 } }
	r.Check(json.NewDecoder(resp.Body).Decode(&said))
	if said.Rate.Limit != 1_000_000 {
		r.T.Fatalf("the limit is %d", said.Rate.Limit)
	}
	return said.Rate.Used
}

// wantComplete wants every day that has ended to be accounted for, and as many
// jobs in the coverage as there are.
func wantComplete(t testing.TB, r *rig) {
	t.Helper()
	for _, row := range r.Rows(`
		SELECT repository, day::text, jobs, complete FROM coverage
		WHERE NOT complete OR jobs <> archived + none + expired + missing + denied + removed + pending`) {
		// The first day began before the first sweep.
		if row["day"].(string) > time.Now().Add(-72*time.Hour).UTC().Format(time.DateOnly) {
			t.Errorf("coverage: %v", row)
		}
	}
	if got, want := ingesttest.Scalar[int](r.Rig, `SELECT sum(jobs)::int FROM coverage`), ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM jobs`); got != want {
		t.Errorf("%d jobs in the coverage, %d known", got, want)
	}
}

// A hook without any jobvault behind it: GitHub accepts every redelivery and
// none arrives. They are asked for again, more and more seldom, and never taken
// for resolved.
func TestRedeliveryIsNoArrival(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now})
	r.GitHub.AddRepository(ingesttest.Repository)
	j := ingesttest.Completed(1, now.Now(), githubsim.TextLog([]byte("x")))
	r.GitHub.AddJob(j)
	down := "http://127.0.0.1:1/webhook"
	r.GitHub.SetHook(down, ingesttest.Secret)
	ds := r.GitHub.Deliveries(j)
	for _, d := range ds {
		r.GitHub.RecordAt(now.Now(), githubsim.SendResult{Delivery: d, Err: errors.New("connection refused")})
	}
	h, err := ghapi.ParseHook("acme/rocket/421337")
	r.Check(err)
	asked := 0
	for range 200 {
		now.Advance(10 * time.Minute)
		done, err := r.Sweeper().Redeliver(t.Context(), h)
		r.Check(err)
		r.GitHub.AwaitRedeliveries()
		if done.Failed != len(ds) {
			t.Fatalf("%d failed, want %d", done.Failed, len(ds))
		}
		asked += done.Asked
	}
	if per := asked / len(ds); per < 8 || per > 20 {
		t.Errorf("each was asked for %d times in 33 hours", per)
	}
	// Somebody is at home again: all arrive, and nothing is left.
	r.GitHub.SetHook(r.Receiver.URL+"/webhook", ingesttest.Secret)
	now.Advance(7 * time.Hour)
	done, err := r.Sweeper().Redeliver(t.Context(), h)
	r.Check(err)
	r.GitHub.AwaitRedeliveries()
	if done.Asked != len(ds) || ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM deliveries`) != len(ds) {
		t.Errorf("asked for %d of %d", done.Asked, len(ds))
	}
	if done, err = r.Sweeper().Redeliver(t.Context(), h); err != nil || done != (ingest.RedeliverResult{}) {
		t.Errorf("at the end %+v, %v", done, err)
	}
}

// A round that fails in the middle, at every request in turn, skips no delivery.
func TestRedeliveryIsCheckpointed(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now})
	r.GitHub.AddRepository(ingesttest.Repository)
	r.GitHub.SetHook(r.Receiver.URL+"/webhook", ingesttest.Secret)
	var all []githubsim.Delivery
	for id := range int64(70) {
		j := ingesttest.Completed(id+1, now.Now(), githubsim.TextLog([]byte("x")))
		r.GitHub.AddJob(j)
		for _, d := range r.GitHub.Deliveries(j) {
			r.GitHub.RecordAt(now.Now(), githubsim.SendResult{Delivery: d, Status: 500})
			all = append(all, d)
		}
	}
	h, err := ghapi.ParseHook("acme/421337")
	r.Check(err)
	for n := 0; ; n++ {
		now.Advance(2 * time.Minute)
		remove := r.GitHub.Inject(githubsim.Fault{Endpoint: githubsim.EndpointRedeliver, Kind: githubsim.ServerError})
		if n > 0 {
			remove()
			remove = failAfter(r.GitHub, githubsim.EndpointRedeliver, n*9)
		}
		_, err := r.Sweeper().Redeliver(t.Context(), h)
		remove()
		r.GitHub.AwaitRedeliveries()
		got := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM deliveries`)
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
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now})
	r.GitHub.AddRepository(ingesttest.Repository)
	r.GitHub.SetHook(r.Receiver.URL+"/webhook", ingesttest.Secret)
	for id := range int64(5) {
		j := ingesttest.Completed(id+1, now.Now(), githubsim.TextLog([]byte("x")))
		r.GitHub.AddJob(j)
		for _, d := range r.GitHub.Deliveries(j)[:1] {
			r.GitHub.RecordAt(now.Now(), githubsim.SendResult{Delivery: d, Status: 500})
		}
		now.Advance(20 * time.Minute)
	}
	h, err := ghapi.ParseHook("acme/421337")
	r.Check(err)
	r.GitHub.Inject(githubsim.Fault{Endpoint: githubsim.EndpointRedeliver, Kind: githubsim.ServerError, Times: 1})
	done, err := r.Sweeper().Redeliver(t.Context(), h)
	r.GitHub.AwaitRedeliveries()
	if err == nil || done != (ingest.RedeliverResult{Failed: 5, Asked: 4}) {
		t.Errorf("%+v, %v", done, err)
	}
	// The one that is still lost is known without listing all since then again.
	if to := ingesttest.Scalar[time.Time](r.Rig, `SELECT resolved_to FROM hooks`); to.Before(now.Now().Add(-31 * time.Minute)) {
		t.Errorf("resolved to %s only, at %s", to, now.Now())
	}
	now.Advance(2 * time.Minute)
	done, err = r.Sweeper().Redeliver(t.Context(), h)
	r.Check(err)
	r.GitHub.AwaitRedeliveries()
	if done.Asked != 1 || ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM deliveries`) != 5 {
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
