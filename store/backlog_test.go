package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/store"
)

func TestBacklogCountsWhatWaits(t *testing.T) {
	f := newFixture(t)
	backlog := func() store.Backlog {
		t.Helper()
		b, err := f.db.Backlog(t.Context())
		f.check(err)
		return b
	}
	if b := backlog(); b != (store.Backlog{}) {
		t.Errorf("of an empty database: %+v", b)
	}
	for i, status := range []string{"completed", "completed", "in_progress"} {
		for j, state := range allStates {
			id := int64(10*i + j + 1)
			f.tell(factsOf(id, status))
			f.settle(settledAs(id, state))
		}
	}
	quarantined := deliveryOf(factsOf(99, "queued"))
	quarantined.State = store.DeliveryQuarantined
	f.insert(quarantined, deliveryOf(factsOf(1, "queued")), deliveryOf(factsOf(98, "queued")), deliveryOf(factsOf(98, "completed")))
	// A job that still runs has no log to wait for.
	if diff := cmp.Diff(store.Backlog{Deliveries: 3, Pending: 2, Denied: 2, Queued: 14}, backlog()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The backlog has the oldest completed job that is not settled, what is in the queue, and
// how sweeps fare.
func TestBacklogTellsWhatIsLate(t *testing.T) {
	f := newFixture(t)
	backlog := func() store.Backlog {
		t.Helper()
		b, err := f.db.Backlog(t.Context())
		f.check(err)
		return b
	}
	ended := func(id int64, status string, created, completed *time.Time) store.Facts {
		return factsOf(id, status, func(f *store.Facts) { f.Job.CreatedAt, f.Job.CompletedAt = created, completed })
	}
	f.fetch(ended(1, "completed", new(hour(-90)), new(hour(-80)))) // settled
	f.settle(settledAs(1, store.LogNone))
	f.fetch(ended(2, "in_progress", new(hour(-70)), nil)) // still runs
	f.fetch(ended(3, "completed", nil, nil))              // nobody knows how old it is
	if diff := cmp.Diff(store.Backlog{Pending: 1}, backlog()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	f.fetch(ended(4, "completed", new(hour(-60)), new(hour(-10))))
	f.fetch(ended(5, "completed", new(hour(-20)), nil))
	f.settle(settledAs(5, store.LogDenied))
	f.exec(`INSERT INTO queue.river_job (kind, args, max_attempts) VALUES ('another', '{}', 1)`)
	var queued int64
	for i, state := range slices.Concat(liveStates, doneStates) {
		f.exec(`INSERT INTO queue.river_job (kind, queue, args, max_attempts, state, finalized_at)
			VALUES ('archive', 'history', jsonb_build_object('job_id', $1::bigint), 25, $2::text::queue.river_job_state, CASE WHEN $2::text = ANY($3) THEN now() END)`,
			100+i, state, doneStates)
		if slices.Contains(liveStates, state) {
			queued++
		}
	}
	want := store.Backlog{Pending: 2, Denied: 1, OldestPending: new(hour(-20)), Queued: queued}
	if diff := cmp.Diff(want, backlog()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSweepEnds(t *testing.T) {
	f := newFixture(t)
	for id := range int64(4) {
		f.repository(id+1, "acme", fmt.Sprint("rocket-", id+1))
	}
	f.check(f.db.SweepFailed(t.Context(), 1, "never came to its end", hour(1)))
	f.note(4, stretch{0, 1, true}) // under way
	f.check(f.db.SweepSucceeded(t.Context(), store.Sweep{RepositoryID: 2}, hour(5)))
	f.check(f.db.SweepSucceeded(t.Context(), store.Sweep{RepositoryID: 3}, hour(4)))
	f.check(f.db.SweepFailed(t.Context(), 3, "denied", hour(6)))
	got, err := f.db.SweepEnds(t.Context())
	f.check(err)
	want := []store.SweepEnd{
		{Owner: "acme", Name: "rocket-1", HasName: true, Failing: true},
		{Owner: "acme", Name: "rocket-2", HasName: true, SucceededAt: new(hour(5))},
		{Owner: "acme", Name: "rocket-3", HasName: true, SucceededAt: new(hour(4)), Failing: true},
		{Owner: "acme", Name: "rocket-4", HasName: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLogStatesCountsTheLedger(t *testing.T) {
	f := newFixture(t)
	states := func() map[string]int {
		t.Helper()
		s, err := f.db.LogStates(t.Context())
		f.check(err)
		return s
	}
	if s := states(); len(s) != 0 {
		t.Errorf("of an empty ledger: %v", s)
	}
	want := make(map[string]int)
	var id int64
	for i, state := range allStates {
		for range i + 1 {
			id++
			f.completed(id)
			f.settle(settledAs(id, state))
			want[state]++
		}
	}
	if diff := cmp.Diff(want, states()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
