package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/jobvault/jobvault/store"
)

// How far a hook is accounted for never goes back, and each has its own.
func TestHookResolvedToOnlyGoesOn(t *testing.T) {
	f := newFixture(t)
	resolvedTo := func(name string) time.Time {
		t.Helper()
		at, err := f.db.HookResolvedTo(t.Context(), name)
		f.check(err)
		return at
	}
	if at := resolvedTo("app"); !at.IsZero() {
		t.Errorf("a hook that was never looked at is resolved to %s", at)
	}
	for _, c := range []struct{ to, at, wantTo, wantAt int }{{1, 2, 1, 2}, {3, 4, 3, 4}, {2, 5, 3, 5}, {4, 1, 4, 5}} {
		f.check(f.db.ResolveHook(t.Context(), "app", hour(c.to), hour(c.at)))
		at := scalar[time.Time](f, `SELECT succeeded_at FROM hooks WHERE name = 'app'`)
		if to := resolvedTo("app"); !to.Equal(hour(c.wantTo)) || !at.Equal(hour(c.wantAt)) {
			t.Errorf("after %d at %d: resolved to %s at %s", c.to, c.at, to, at)
		}
	}
	f.check(f.db.ResolveHook(t.Context(), "acme/rocket/7", hour(-9), hour(-9)))
	if to := resolvedTo("acme/rocket/7"); !to.Equal(hour(-9)) {
		t.Errorf("another hook is resolved to %s", to)
	}
	if to := resolvedTo("acme/rocket"); !to.IsZero() {
		t.Errorf("an unknown hook is resolved to %s", to)
	}
}

// Every delivery that was accepted counts, whatever became of it.
func TestCommittedDeliveries(t *testing.T) {
	f := newFixture(t)
	received, done, quarantined, pruned := deliveryOf(factsOf(1, "queued")), deliveryOf(factsOf(2, "queued")), deliveryOf(factsOf(3, "queued")), deliveryOf(factsOf(4, "queued"))
	done.State, pruned.State, quarantined.State, pruned.Payload = store.DeliveryDone, store.DeliveryDone, store.DeliveryQuarantined, nil
	f.insert(received, done, quarantined, pruned)
	never := uuid.New()
	got, err := f.db.CommittedDeliveries(t.Context(), []uuid.UUID{received.GUID, done.GUID, quarantined.GUID, never, pruned.GUID, done.GUID})
	f.check(err)
	want := map[uuid.UUID]bool{received.GUID: true, done.GUID: true, quarantined.GUID: true, pruned.GUID: true}
	if diff := cmp.Diff(want, got); diff != "" || got[never] {
		t.Errorf("(-want +got):\n%s", diff)
	}
	none, err := f.db.CommittedDeliveries(t.Context(), nil)
	f.check(err)
	if len(none) != 0 {
		t.Errorf("of none: %v", none)
	}
}

// The deliveries of a job come in the order of arrival, those without use left
// out: quarantined, or pruned.
func TestDeliveriesOfAJob(t *testing.T) {
	f := newFixture(t)
	first, second, third := deliveryOf(factsOf(1, "queued")), deliveryOf(factsOf(1, "in_progress")), deliveryOf(factsOf(1, "completed"))
	pruned, quarantined := deliveryOf(factsOf(1, "queued")), deliveryOf(factsOf(1, "queued"))
	pruned.Payload, pruned.State, quarantined.State, first.State = nil, store.DeliveryDone, store.DeliveryQuarantined, store.DeliveryDone
	f.insert(first, quarantined, second, deliveryOf(factsOf(2, "queued")), pruned)
	f.insert(third)
	got, err := f.db.Deliveries(t.Context(), 1)
	f.check(err)
	if diff := cmp.Diff(guids([]store.Delivery{first, second, third}), guids(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(got) == 3 && (string(got[2].Payload) != string(third.Payload) || got[0].State != store.DeliveryDone || got[1].State != store.DeliveryReceived) {
		t.Errorf("read back as %+v", got)
	}
	if none, err := f.db.Deliveries(t.Context(), 99); err != nil || len(none) != 0 {
		t.Errorf("of an unknown job: %v, %v", none, err)
	}
}
