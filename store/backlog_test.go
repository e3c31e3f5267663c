package store_test

import (
	"testing"

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
