package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/jobvault/jobvault/store"
)

// inAttempt is of an attempt of a run.
func inAttempt(run, attempt int64) func(*store.Facts) {
	return func(f *store.Facts) { f.Run.ID, f.Job.RunID, f.Job.RunAttempt = run, run, &attempt }
}

// What waits of an attempt are the jobs that have completed and that nobody has described
// or settled, whether they say which attempt they are of or are of the first without a word.
func TestAttemptJobsAreThoseOfOneAttempt(t *testing.T) {
	f := newFixture(t)
	noAttempt := func(facts *store.Facts) { facts.Run.ID, facts.Job.RunID = 7, 7 }
	f.tell(
		factsOf(1, "completed", inAttempt(7, 1)), factsOf(2, "completed", noAttempt), factsOf(3, "in_progress", inAttempt(7, 1)), factsOf(4, "queued", noAttempt),
		factsOf(5, "completed", inAttempt(7, 2)), factsOf(6, "completed", inAttempt(8, 1)), factsOf(7, "completed", inAttempt(7, 1)), factsOf(8, "completed", inAttempt(7, 1)),
	)
	f.fetch(factsOf(7, "completed", inAttempt(7, 1)))
	f.settle(store.Settlement{JobID: 8, State: store.LogNone})
	first := store.AttemptJobs{Known: 6, Waiting: []int64{1, 2}}
	one, two := int64(1), int64(2)
	for _, c := range []struct {
		run     int64
		attempt *int64
		want    store.AttemptJobs
	}{{7, &one, first}, {7, nil, first}, {7, &two, store.AttemptJobs{Known: 1, Waiting: []int64{5}}}, {9, &one, store.AttemptJobs{}}} {
		got, err := f.db.AttemptJobs(t.Context(), c.run, c.attempt)
		f.check(err)
		if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty(), cmpopts.SortSlices(func(a, b int64) bool { return a < b })); diff != "" {
			t.Errorf("run %d, attempt %v (-want +got):\n%s", c.run, c.attempt, diff)
		}
	}
}

// A live job waits two seconds for others of its attempt, if any of them has not completed;
// all the time it is available, so that no scheduler has to look at it first. Nobody else
// waits.
func TestLiveJobsWaitForOthersOfTheirAttempt(t *testing.T) {
	f := newFixture(t)
	f.tell(
		factsOf(1, "completed", inAttempt(7, 1)), // alone, as far as is known
		factsOf(2, "in_progress", inAttempt(7, 1)),
		factsOf(3, "completed", inAttempt(7, 1)), // and 2 goes on
		factsOf(4, "completed", inAttempt(7, 2)), // 2 is of another attempt
		factsOf(5, "completed", inAttempt(8, 1)), // and of another run
		factsOf(2, "completed", inAttempt(7, 1)), // the last one
		factsOf(6, "queued", inAttempt(9, 1)),
	)
	f.check(f.db.RecordListed(t.Context(), []store.Facts{factsOf(8, "completed", inAttempt(9, 1))}, day, store.PriorityBackfill))
	f.check(f.db.RecordListed(t.Context(), []store.Facts{factsOf(9, "completed", inAttempt(9, 1))}, day, store.PrioritySweep))
	f.check(f.db.RecordDescribed(t.Context(), []store.Facts{factsOf(10, "completed", inAttempt(9, 1))}, []int64{10}, day, store.PriorityLive))
	got := column[string](f, `
		SELECT format('%s %s after %s s', args->>'job_id', state, extract(epoch FROM scheduled_at - created_at)::int)
		FROM queue.river_job ORDER BY (args->>'job_id')::bigint`)
	want := []string{
		"1 available after 0 s", "2 available after 0 s", "3 available after 2 s", "4 available after 0 s", "5 available after 0 s",
		"8 available after 0 s", "9 available after 0 s", "10 available after 0 s",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The descriptions of a list are final, and only jobs that nobody has enqueued are.
func TestDescribedJobs(t *testing.T) {
	f := newFixture(t)
	f.tell(factsOf(1, "completed"), factsOf(2, "queued"))
	f.exec(`DELETE FROM queue.river_job`)
	named := func(facts *store.Facts) { facts.Job.Name = "as listed" }
	f.check(f.db.RecordDescribed(t.Context(), []store.Facts{factsOf(1, "completed", named), factsOf(2, "completed", named), factsOf(3, "completed", named)}, []int64{2, 3}, day, store.PriorityLive))
	f.tell(factsOf(1, "completed"), factsOf(3, "queued"))
	f.exec(`DELETE FROM queue.river_job WHERE (args->>'job_id')::bigint = 1`)
	if diff := cmp.Diff([]string{"1 as listed true", "2 as listed true", "3 as listed true"},
		column[string](f, `SELECT format('%s %s %s', id, name, CASE WHEN fetched_at IS NOT NULL THEN 'true' END) FROM jobs ORDER BY id`)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"2 in archive at 1, available", "3 in archive at 1, available"}, f.archiveRows()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
