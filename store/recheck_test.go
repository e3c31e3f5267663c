package store_test

import (
	"testing"
	"time"

	"github.com/jobvault/jobvault/store"
)

// grown settles a job whose log may have been archived before its end.
func (f *fixture) grown(id int64) {
	f.t.Helper()
	f.completed(id)
	s := archivedAs(id)
	s.Recheck = true
	f.settle(s)
}

func (f *fixture) recheck(id int64) store.Recheck {
	f.t.Helper()
	r, err := f.db.DueRecheck(f.t.Context(), id)
	f.check(err)
	return r
}

const rechecks = `SELECT count(*) FROM queue.river_job WHERE kind = 'recheck' AND state IN ('available', 'scheduled')`

// A recheck is due after its delay, is in the queue once, and is over when an answer came.
func TestARecheckIsDueOnce(t *testing.T) {
	f := newFixture(t)
	f.grown(1)
	r := f.recheck(1)
	if want := day.Add(2*time.Minute + store.RecheckDelay); r.DueAt == nil || !r.DueAt.Equal(want) {
		t.Fatalf("due at %v, want %v", r.DueAt, want)
	}
	if n := scalar[int](f, rechecks); n != 1 {
		t.Errorf("%d rows in the queue", n)
	}
	f.check(f.db.EndRecheck(t.Context(), r, true, "as it was", day))
	if r := f.recheck(1); r.DueAt != nil {
		t.Error("it is due still")
	}
	if r := f.recheck(1); r.Job.ID != 1 || r.Log.State != store.LogArchived {
		t.Errorf("%+v", r)
	}
	f.completed(2)
	f.settle(archivedAs(2))
	if r := f.recheck(2); r.DueAt != nil {
		t.Error("an ordinary log is asked for again")
	}
}

// What becomes due while it is asked for stays due.
func TestARecheckThatBecomesDueMeanwhile(t *testing.T) {
	f := newFixture(t)
	f.grown(1)
	r := f.recheck(1)
	f.tell(factsOf(1, "completed"))
	again := f.recheck(1)
	if again.DueAt == nil || again.DueAt.Equal(*r.DueAt) {
		t.Fatalf("due at %v, and before at %v", again.DueAt, r.DueAt)
	}
	f.check(f.db.EndRecheck(t.Context(), r, true, "as it was", day))
	if got := f.recheck(1); got.DueAt == nil || !got.DueAt.Equal(*again.DueAt) {
		t.Errorf("due at %v, want %v", got.DueAt, again.DueAt)
	}
}

// A job that is reported as completed again has its log asked for again, three times at most; a
// queued one that comes late is no such report, and neither is one before the log is archived.
func TestReportsOfCompletionAreBounded(t *testing.T) {
	f := newFixture(t)
	f.completed(1, 1)
	f.settle(archivedAs(1))
	f.tell(factsOf(1, "queued"))
	if f.recheck(1).DueAt != nil {
		t.Error("two reports before it was archived, and a late one, have it asked for again")
	}
	for i := range 5 {
		f.tell(factsOf(1, "completed"))
		r := f.recheck(1)
		if due := r.DueAt != nil; due != (i < 3) {
			t.Errorf("report %d: due %t", i+1, due)
		}
		if r.DueAt != nil {
			f.check(f.db.EndRecheck(t.Context(), r, true, "as it was", day))
		}
	}
	f.completed(2)
	f.settle(archivedAs(2))
	f.exec(`UPDATE job_logs SET truncated = true WHERE job_id = 2`)
	f.tell(factsOf(2, "completed"))
	if f.recheck(2).DueAt != nil {
		t.Error("a log that is cut at the limit is asked for again")
	}
}

// Without an answer it is tried five times; waiting for our share of a limit is no try.
func TestTriesOfARecheckAreBounded(t *testing.T) {
	f := newFixture(t)
	f.grown(1)
	begin := func() bool {
		tries, err := f.db.BeginRecheck(t.Context(), 1)
		f.check(err)
		return tries > 0
	}
	for range 20 {
		if !begin() {
			t.Fatal("a limit used up the tries")
		}
		f.check(f.db.NoteRecheck(t.Context(), 1, "our share of the limit is used up", true))
	}
	tries := 0
	for begin() {
		tries++
	}
	if tries != 5 {
		t.Errorf("%d tries", tries)
	}
}

// A recheck whose row is lost comes back to the queue, once; one that is not due waits.
func TestLostRechecksAreRequeued(t *testing.T) {
	f := newFixture(t)
	f.grown(1)
	f.grown(2)
	f.exec(`DELETE FROM queue.river_job`)
	f.exec(`UPDATE log_rechecks SET due_at = now() + CASE job_id WHEN 1 THEN interval '-1 minute' ELSE interval '1 hour' END`)
	for i, want := range []int{1, 0} {
		if n, err := f.db.RequeueRechecks(t.Context()); err != nil || n != want {
			t.Errorf("round %d: %d, %v", i+1, n, err)
		}
	}
	if n := scalar[int](f, rechecks); n != 1 {
		t.Errorf("%d rows in the queue", n)
	}
}
