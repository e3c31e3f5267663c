package store_test

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/jobvault/jobvault/store"
)

// deliveries reads all deliveries, oldest first.
func (f *fixture) deliveries() []store.Delivery {
	f.t.Helper()
	rows, err := f.pool.Query(f.t.Context(), `
		SELECT guid, event, action, received_at, repository_id, job_id, payload, state, error FROM deliveries ORDER BY received_at`)
	f.check(err)
	ds, err := pgx.CollectRows(rows, pgx.RowToStructByName[store.Delivery])
	f.check(err)
	return ds
}

func TestDeliveryIsKeptAsItWasGiven(t *testing.T) {
	f := newFixture(t)
	text := rapid.StringN(0, 20, -1).Filter(func(s string) bool { return !strings.Contains(s, "\x00") })
	rapid.Check(t, func(rt *rapid.T) {
		d := store.Delivery{
			GUID: uuid.New(), Event: text.Draw(rt, "event"), Action: rapid.Ptr(text, true).Draw(rt, "action"),
			RepositoryID: rapid.Ptr(rapid.Int64(), true).Draw(rt, "repository"), JobID: rapid.Ptr(rapid.Int64(), true).Draw(rt, "job"),
			Payload: rapid.SliceOf(rapid.Byte()).Draw(rt, "payload"), Error: rapid.Ptr(text, true).Draw(rt, "error"),
			State: rapid.SampledFrom([]string{store.DeliveryReceived, store.DeliveryDone, store.DeliveryQuarantined}).Draw(rt, "state"),
		}
		if d.JobID == nil {
			d.State = store.DeliveryQuarantined
		}
		f.insert(d)
		ds := f.deliveries()
		got := ds[len(ds)-1]
		if since := time.Since(got.ReceivedAt); since < -time.Minute || since > time.Minute {
			rt.Errorf("received at %s", got.ReceivedAt)
		}
		got.ReceivedAt = time.Time{}
		if diff := cmp.Diff(d, got); diff != "" {
			rt.Errorf("(-given +kept):\n%s", diff)
		}
	})
}

func TestDuplicateGUIDLeavesTheFirstUntouched(t *testing.T) {
	f := newFixture(t)
	first, second := deliveryOf(factsOf(1, "queued")), deliveryOf(factsOf(2, "queued"))
	duplicate := deliveryOf(factsOf(3, "completed"))
	duplicate.GUID = first.GUID
	f.insert(first, duplicate, second)
	before := f.deliveries()
	if diff := cmp.Diff(guids([]store.Delivery{first, second}), guids(before)); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	f.drain()
	before = f.deliveries()
	third := deliveryOf(factsOf(4, "queued"))
	f.insert(duplicate, third)
	after := f.deliveries()
	if diff := cmp.Diff(before, after[:2]); diff != "" || *after[0].JobID != 1 {
		t.Errorf("changed by a duplicate:\n%s", diff)
	}
	if len(after) != 3 || after[2].GUID != third.GUID {
		t.Errorf("what came with the duplicate is lost: %v", guids(after))
	}
}

func TestDeliveriesOfAGroupKeepTheirOrder(t *testing.T) {
	f := newFixture(t)
	var want []uuid.UUID
	for range 5 {
		var group []store.Delivery
		for range 200 {
			group = append(group, deliveryOf(factsOf(1, "queued")))
		}
		want = append(want, guids(group)...)
		f.insert(group...)
	}
	got := f.deliveries()
	for i := 1; i < len(got); i++ {
		if !got[i].ReceivedAt.After(got[i-1].ReceivedAt) {
			t.Fatalf("deliveries %d and %d came at %s and %s", i-1, i, got[i-1].ReceivedAt, got[i].ReceivedAt)
		}
	}
	if diff := cmp.Diff(want, guids(got)); diff != "" {
		t.Errorf("(-given +kept):\n%s", diff)
	}
}

func TestAnEmptyGroupIsNoError(t *testing.T) {
	f := newFixture(t)
	f.insert()
	if n := len(f.deliveries()); n != 0 {
		t.Errorf("%d deliveries", n)
	}
}

func TestOneBadDeliveryRefusesItsGroup(t *testing.T) {
	f := newFixture(t)
	bad := deliveryOf(factsOf(2, "queued"))
	bad.Event = "nul \x00"
	err := f.db.InsertDeliveries(t.Context(), []store.Delivery{deliveryOf(factsOf(1, "queued")), bad})
	if !store.IsBadData(err) {
		t.Errorf("got %v", err)
	}
	if n := len(f.deliveries()); n != 0 {
		t.Errorf("%d deliveries", n)
	}
}

// insertAtOnce has some processes commit the same group, each arranged anew.
func insertAtOnce(t *testing.T, arrange func([]store.Delivery)) {
	f := newFixture(t)
	const rounds, size = 10, 256
	for range rounds {
		var group []store.Delivery
		for range size {
			group = append(group, deliveryOf(factsOf(1, "queued")))
		}
		var running sync.WaitGroup
		for range 8 {
			mine := append([]store.Delivery(nil), group...)
			arrange(mine)
			running.Go(func() {
				if err := f.db.InsertDeliveries(t.Context(), mine); err != nil {
					t.Error(err)
				}
			})
		}
		running.Wait()
	}
	if n := scalar[int](f, `SELECT count(*) FROM deliveries`); n != rounds*size {
		t.Errorf("%d deliveries, want %d", n, rounds*size)
	}
}

func TestManyInsertTheSameDeliveriesAtOnce(t *testing.T) {
	insertAtOnce(t, func([]store.Delivery) {})
}

// Two replicas may insert the same deliveries at once, in any order and grouped in any
// way.
func TestManyInsertTheSameDeliveriesAtOnceInAnyOrder(t *testing.T) {
	insertAtOnce(t, func(ds []store.Delivery) {
		rand.Shuffle(len(ds), func(i, j int) { ds[i], ds[j] = ds[j], ds[i] })
	})
}
