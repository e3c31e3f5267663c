package store_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/store"
)

// listed writes completed jobs as found by a listing.
func (f *fixture) listed(priority store.Priority, ids ...int64) {
	f.t.Helper()
	var facts []store.Facts
	for _, id := range ids {
		facts = append(facts, factsOf(id, "completed"))
	}
	f.check(f.db.RecordListed(f.t.Context(), facts, day, priority))
}

// A job that waits in the backfill queue comes forward when its webhook arrives, however
// far off it is; so does one that runs, for its next try.
func TestLiveJobComesForward(t *testing.T) {
	forward := []string{"4 in archive at 1, available"}
	for _, c := range []struct {
		name, state, scheduled string
		want                   []string
	}{
		{"available", "available", "0", forward},
		{"an hour ahead", "scheduled", "1 hour", forward},
		{"to be tried again", "retryable", "1 day", forward},
		{"running", "running", "0", []string{"4 in archive at 1, running"}},
		{"pending", "pending", "0", []string{"4 in history at 3, pending"}},
		{"done", "completed", "0", []string{"4 in history at 3, completed", "4 in archive at 1, available"}},
		{"given up", "discarded", "0", []string{"4 in history at 3, discarded", "4 in archive at 1, available"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			f.listed(store.PriorityBackfill, 4)
			f.queueState(4, c.state)
			f.exec(`UPDATE queue.river_job SET scheduled_at = now() + $1::text::interval`, c.scheduled)
			f.tell(factsOf(4, "completed"))
			if diff := cmp.Diff(c.want, f.archiveRows()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			// Nobody has to wait for what has come forward.
			if late := scalar[int](f, `SELECT count(*) FROM queue.river_job WHERE state = 'available' AND scheduled_at > now()`); late != 0 {
				t.Error("available, and scheduled all the same")
			}
		})
	}
}

// What is among the live ones stays as it is, whoever asks for it again: also one
// that waits for its log to be there.
func TestLiveJobIsLeftWhereItIs(t *testing.T) {
	f := newFixture(t)
	f.tell(factsOf(4, "completed"), factsOf(5, "completed"))
	f.queueState(5, "scheduled")
	f.exec(`UPDATE queue.river_job SET scheduled_at = now() + interval '1 hour' WHERE args->>'job_id' = '5'`)
	before := column[string](f, `SELECT q::text FROM queue.river_job q ORDER BY id`)
	f.listed(store.PriorityBackfill, 4, 5)
	f.listed(store.PrioritySweep, 4, 5)
	f.tell(factsOf(4, "completed"), factsOf(5, "completed"))
	if diff := cmp.Diff(before, column[string](f, `SELECT q::text FROM queue.river_job q ORDER BY id`)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// Each priority has its queue and priority, and takes over from the lesser ones
// only.
func TestPriorityDecidesTheQueue(t *testing.T) {
	rows := map[store.Priority]string{
		store.PriorityLive: "4 in archive at 1, available", store.PrioritySweep: "4 in archive at 2, available", store.PriorityBackfill: "4 in history at 3, available",
	}
	priorities := []store.Priority{store.PriorityLive, store.PrioritySweep, store.PriorityBackfill}
	for _, first := range priorities {
		for _, second := range priorities {
			f := newFixture(t)
			f.listed(first, 4)
			f.listed(second, 4)
			if diff := cmp.Diff([]string{rows[min(first, second)]}, f.archiveRows()); diff != "" {
				t.Errorf("%d, then %d (-want +got):\n%s", first, second, diff)
			}
		}
	}
}

// Of many jobs, those come forward that wait behind, and no other.
func TestOnlyThoseBehindComeForward(t *testing.T) {
	f := newFixture(t)
	f.listed(store.PriorityBackfill, 1, 2, 3, 4)
	f.tell(factsOf(3, "completed"))
	f.queueState(2, "running")
	f.insert(deliveryOf(factsOf(1, "completed")), deliveryOf(factsOf(2, "completed")), deliveryOf(factsOf(5, "completed")))
	f.drain()
	want := []string{
		"1 in archive at 1, available", "2 in archive at 1, running", "3 in archive at 1, available",
		"4 in history at 3, available", "5 in archive at 1, available",
	}
	if diff := cmp.Diff(want, f.archiveRows()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What was lost must not be in the way of what just completed.
func TestLostJobsComeBackBehind(t *testing.T) {
	f := newFixture(t)
	f.completed(4, 5)
	f.settle(settledAs(5, store.LogDenied))
	f.exec(`DELETE FROM queue.river_job`)
	if n := f.requeue(); n != 2 {
		t.Errorf("%d came back", n)
	}
	if diff := cmp.Diff([]string{"4 in archive at 2, available", "5 in archive at 2, available"}, f.archiveRows()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := slices.Compact(column[int](f, `SELECT max_attempts FROM queue.river_job`)); len(got) != 1 || got[0] != 25 {
		t.Errorf("attempts %v", got)
	}
}
