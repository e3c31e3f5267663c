package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/jobvault/jobvault/store"
)

// The time up to which a hook is accounted for never goes back, and each hook has its
// own.
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
		f.check(f.db.NoteLook(t.Context(), "app", store.HookLook{ResolvedTo: hour(c.to), At: hour(c.at)}))
		at := scalar[time.Time](f, `SELECT succeeded_at FROM hooks WHERE name = 'app'`)
		if to := resolvedTo("app"); !to.Equal(hour(c.wantTo)) || !at.Equal(hour(c.wantAt)) {
			t.Errorf("after %d at %d: resolved to %s at %s", c.to, c.at, to, at)
		}
	}
	f.check(f.db.NoteLook(t.Context(), "acme/rocket/7", store.HookLook{ResolvedTo: hour(-9), At: hour(-9)}))
	if to := resolvedTo("acme/rocket/7"); !to.Equal(hour(-9)) {
		t.Errorf("another hook is resolved to %s", to)
	}
	if to := resolvedTo("acme/rocket"); !to.IsZero() {
		t.Errorf("an unknown hook is resolved to %s", to)
	}
}

// A delivery is lost until it is here, whatever became of it then, or GitHub says
// that it arrived, or has forgotten it. A look that is late brings none back.
func TestLostDeliveries(t *testing.T) {
	f := newFixture(t)
	lost := func() []store.LostDelivery {
		t.Helper()
		ds, err := f.db.LostDeliveries(t.Context(), "app")
		f.check(err)
		return ds
	}
	received, quarantined, never, elsewhere, forgotten := deliveryOf(factsOf(1, "queued")), deliveryOf(factsOf(2, "queued")), uuid.New(), uuid.New(), uuid.New()
	quarantined.State = store.DeliveryQuarantined
	look := store.HookLook{ResolvedTo: hour(9), Forgotten: hour(1), At: hour(9), Lost: []store.LostDelivery{
		{GUID: never, DeliveryID: 3, DeliveredAt: hour(3)}, {GUID: received.GUID, DeliveryID: 1, DeliveredAt: hour(2)},
		{GUID: quarantined.GUID, DeliveryID: 2, DeliveredAt: hour(2)}, {GUID: elsewhere, DeliveryID: 4, DeliveredAt: hour(4)},
		{GUID: forgotten, DeliveryID: 5, DeliveredAt: hour(0)},
	}}
	f.check(f.db.NoteLook(t.Context(), "app", look))
	var order []int64
	for _, d := range lost() {
		order = append(order, d.DeliveryID)
	}
	if diff := cmp.Diff([]int64{1, 2, 3, 4}, order); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	f.check(f.db.AskedAgain(t.Context(), "app", never, hour(10)))
	f.check(f.db.AskedAgain(t.Context(), "other", never, hour(10)))
	f.insert(received, quarantined)
	for range 2 {
		f.check(f.db.NoteLook(t.Context(), "other", store.HookLook{ResolvedTo: hour(9), At: hour(9), Arrived: []uuid.UUID{never}}))
		f.check(f.db.NoteLook(t.Context(), "app", store.HookLook{ResolvedTo: hour(9), Forgotten: hour(1), At: hour(9), Lost: look.Lost, Arrived: []uuid.UUID{elsewhere}}))
		at := hour(10)
		want := []store.LostDelivery{{GUID: never, DeliveryID: 3, DeliveredAt: hour(3), Asked: 1, AskedAt: &at}}
		if diff := cmp.Diff(want, lost()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
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
