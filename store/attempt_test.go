package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/jobvault/jobvault/store"
)

// attemptOf is a listing of the first attempt of a run of repository 1, that was
// created some hours after day and listed some hours after that.
func attemptOf(run int64, created, age int, complete bool) store.RunAttempt {
	return store.RunAttempt{
		RunID: run, RunAttempt: 1, RepositoryID: 1, RunCreatedAt: hour(created), Jobs: 1, Complete: complete, SweptAt: hour(created + age),
	}
}

func (f *fixture) attempt(a store.RunAttempt, priority store.Priority, facts ...store.Facts) {
	f.t.Helper()
	f.check(f.db.RecordAttempt(f.t.Context(), a, facts, priority))
}

// attempts are the rows, each as text.
func (f *fixture) attempts() []string {
	f.t.Helper()
	return column[string](f, `
		SELECT format('%s/%s of %s: %s jobs, complete %s, swept %s', run_id, run_attempt, repository_id, jobs, complete,
			extract(epoch FROM swept_at - $1)::bigint / 3600)
		FROM run_attempts ORDER BY run_id, run_attempt`, day)
}

// archiveRows are River's rows, each as text.
func (f *fixture) archiveRows() []string {
	f.t.Helper()
	return column[string](f, `
		SELECT format('%s in %s at %s, %s', args->>'job_id', queue, priority, state) FROM queue.river_job ORDER BY (args->>'job_id')::bigint, id`)
}

// One listing writes the jobs, enqueues what is to be archived, and notes the
// attempt.
func TestAttemptIsRecordedWhole(t *testing.T) {
	for _, priority := range []store.Priority{store.PrioritySweep, store.PriorityBackfill} {
		t.Run(fmt.Sprint(priority), func(t *testing.T) {
			f := newFixture(t)
			settled := factsOf(3, "completed")
			f.fetch(settled)
			f.settle(settledAs(3, store.LogNone))
			denied := factsOf(6, "completed")
			f.fetch(denied)
			f.settle(settledAs(6, store.LogDenied))
			a := attemptOf(2, 0, 1, false)
			a.Jobs = 5
			f.attempt(a, priority, full(4, "completed", 1), settled, factsOf(5, "in_progress"), denied, factsOf(1, "queued"))

			if diff := cmp.Diff([]string{"2/1 of 1: 5 jobs, complete f, swept 1"}, f.attempts()); diff != "" {
				t.Errorf("attempts (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{fmt.Sprintf("4 in %s at %d, available", map[store.Priority]string{store.PrioritySweep: "archive", store.PriorityBackfill: "history"}[priority], priority)}, f.archiveRows()); diff != "" {
				t.Errorf("queue (-want +got):\n%s", diff)
			}
			got := column[string](f, `SELECT format('%s %s %s %s', j.id, j.status, l.state, extract(epoch FROM j.fetched_at - $1)::bigint / 3600)
				FROM jobs j JOIN job_logs l ON l.job_id = j.id ORDER BY 1`, day)
			// What completed before was fetched an hour after day as well.
			want := []string{"1 queued pending ", "3 completed none 1", "4 completed pending 1", "5 in_progress pending ", "6 completed denied 1"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("jobs (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(full(4, "completed", 1).Job, f.job(4), butFetchedAt); diff != "" {
				t.Errorf("job 4 (-want +got):\n%s", diff)
			}
		})
	}
}

// What a listing says of completed jobs is final: a late webhook only fills in what is
// missing.
func TestListedJobIsFinal(t *testing.T) {
	f := newFixture(t)
	f.attempt(attemptOf(2, 0, 1, true), store.PrioritySweep, full(4, "completed", 1), full(5, "in_progress", 1))
	f.tell(full(4, "completed", 2), full(5, "in_progress", 2))
	if got := f.job(4).Name; got != "build 1" {
		t.Errorf("the completed job is %q", got)
	}
	if got := f.job(5).Name; got != "build 2" {
		t.Errorf("the running job is %q", got)
	}
}

// RecordAttempt does not change the facts that it is given.
func TestRecordAttemptLeavesFactsAlone(t *testing.T) {
	f := newFixture(t)
	at := hour(9)
	facts := []store.Facts{factsOf(4, "completed"), factsOf(5, "queued", func(f *store.Facts) { f.Job.FetchedAt = &at })}
	f.check(f.db.RecordAttempt(t.Context(), attemptOf(2, 0, 1, true), facts, store.PrioritySweep))
	if facts[0].Job.FetchedAt != nil || facts[1].Job.FetchedAt != &at {
		t.Errorf("changed to %+v", facts)
	}
	if got := f.job(5).FetchedAt; got != nil {
		t.Errorf("a job that waits was fetched at %s", got)
	}
}

// What is listed again can only become more: complete stays, the jobs are as many
// as ever, and settled or waiting jobs are not enqueued anew.
func TestAttemptListedAgain(t *testing.T) {
	f := newFixture(t)
	list := func(age, jobs int, complete bool) {
		t.Helper()
		a := attemptOf(2, 0, age, complete)
		a.Jobs = jobs
		f.attempt(a, store.PriorityBackfill, factsOf(4, "completed"))
	}
	for i, c := range []struct {
		jobs     int
		complete bool
		want     string
	}{
		{3, false, "2/1 of 1: 3 jobs, complete f, swept 1"},
		{2, false, "2/1 of 1: 3 jobs, complete f, swept 2"},
		{5, true, "2/1 of 1: 5 jobs, complete t, swept 3"},
		{0, false, "2/1 of 1: 5 jobs, complete t, swept 4"},
		{6, false, "2/1 of 1: 6 jobs, complete t, swept 5"},
	} {
		list(i+1, c.jobs, c.complete)
		if diff := cmp.Diff([]string{c.want}, f.attempts()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	f.wantEnqueued(4)
	f.settle(settledAs(4, store.LogExpired))
	f.exec(`DELETE FROM queue.river_job`)
	list(6, 6, true)
	f.wantEnqueued()
}

// A later attempt of a run has a row of its own, and an attempt may have no job.
func TestAttemptsOfOneRun(t *testing.T) {
	f := newFixture(t)
	f.repository(1, "acme", "rocket")
	first, second := attemptOf(2, 0, 1, true), attemptOf(2, 0, 3, false)
	first.Jobs, second.RunAttempt = 0, 2
	f.attempt(first, store.PrioritySweep)
	f.attempt(second, store.PrioritySweep, factsOf(4, "queued"))
	want := []string{"2/1 of 1: 0 jobs, complete t, swept 1", "2/2 of 1: 1 jobs, complete f, swept 3"}
	if diff := cmp.Diff(want, f.attempts()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What Postgres refuses leaves no trace of the whole listing.
func TestRecordAttemptIsAllOrNothing(t *testing.T) {
	good := factsOf(4, "completed")
	for name, c := range map[string]struct {
		attempt store.RunAttempt
		facts   []store.Facts
		badData bool
	}{
		"a job with a zero byte":   {attemptOf(2, 0, 1, true), []store.Facts{good, factsOf(5, "completed", func(f *store.Facts) { f.Job.Name = "a\x00b" })}, true},
		"a label with a zero byte": {attemptOf(2, 0, 1, true), []store.Facts{good, factsOf(5, "completed", func(f *store.Facts) { f.Labels = []string{"a\x00b"} })}, true},
		"a time that has no JSON": {attemptOf(2, 0, 1, true), []store.Facts{good, factsOf(5, "completed", func(f *store.Facts) {
			f.Job.CreatedAt = new(time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC))
		})}, true},
		"a repository nobody knows": {store.RunAttempt{RunID: 2, RunAttempt: 1, RepositoryID: 99, RunCreatedAt: day, SweptAt: day}, []store.Facts{good}, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			err := f.db.RecordAttempt(t.Context(), c.attempt, c.facts, store.PrioritySweep)
			if err == nil || store.IsBadData(err) != c.badData {
				t.Errorf("error %v", err)
			}
			for _, table := range []string{"repositories", "workflow_runs", "jobs", "job_logs", "steps", "run_attempts", "queue.river_job"} {
				if n := scalar[int](f, `SELECT count(*) FROM `+table); n != 0 {
					t.Errorf("%d rows in %s", n, table)
				}
			}
		})
	}
}

// Jobs that belong to no attempt's list are written and enqueued all the same.
func TestRecordListed(t *testing.T) {
	f := newFixture(t)
	f.check(f.db.RecordListed(t.Context(), []store.Facts{factsOf(4, "completed"), factsOf(3, "queued")}, hour(1), store.PrioritySweep))
	f.check(f.db.RecordListed(t.Context(), nil, hour(1), store.PrioritySweep))
	if diff := cmp.Diff([]string{"4 in archive at 2, available"}, f.archiveRows()); diff != "" {
		t.Errorf("queue (-want +got):\n%s", diff)
	}
	if at := f.job(4).FetchedAt; at == nil || !at.Equal(hour(1)) || f.job(3).FetchedAt != nil {
		t.Errorf("fetched at %v and %v", at, f.job(3).FetchedAt)
	}
	if got := f.attempts(); len(got) != 0 {
		t.Errorf("attempts %v", got)
	}
}

// Only attempts that are complete need not be listed again.
func TestCompleteAttempts(t *testing.T) {
	f := newFixture(t)
	f.repository(1, "acme", "rocket")
	for _, a := range []struct {
		run, attempt int64
		complete     bool
	}{{2, 1, true}, {2, 2, false}, {3, 1, true}, {3, 2, true}, {4, 1, false}, {5, 1, true}} {
		one := attemptOf(a.run, 0, 1, a.complete)
		one.RunAttempt = a.attempt
		f.attempt(one, store.PrioritySweep)
	}
	complete := func(ids ...int64) map[int64]map[int64]bool {
		t.Helper()
		got, err := f.db.CompleteAttempts(t.Context(), ids)
		f.check(err)
		return got
	}
	want := map[int64]map[int64]bool{2: {1: true}, 3: {1: true, 2: true}}
	if diff := cmp.Diff(want, complete(2, 3, 4, 99)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := complete(); len(got) != 0 || got[7][1] {
		t.Errorf("of none: %v", got)
	}
}

// An attempt that has not ended is looked at again after an eighth of its run's
// age, and of those that are due the one first that waits for longest.
func TestOpenAttemptsArePaced(t *testing.T) {
	f := newFixture(t)
	f.repository(1, "acme", "rocket")
	f.repository(7, "acme", "other")
	for _, a := range []store.RunAttempt{
		attemptOf(2, 0, 69, false), // 80 hours old: due after ten
		attemptOf(3, 0, 71, false),
		attemptOf(4, 72, 6, false), // 8 hours old: due after one
		attemptOf(5, 72, 8, false),
		attemptOf(6, 0, 1, true), // ended
		attemptOf(8, 40, 20, false),
		{RunID: 9, RunAttempt: 1, RepositoryID: 7, RunCreatedAt: day, SweptAt: day},
		attemptOf(10, 90, 0, false), // by a clock that is ahead
	} {
		f.attempt(a, store.PrioritySweep)
	}
	open := func(repository int64, now time.Time, limit int) (ids []int64) {
		t.Helper()
		as, err := f.db.OpenAttempts(t.Context(), repository, now, false, limit)
		f.check(err)
		for _, a := range as {
			ids = append(ids, a.RunID)
		}
		return ids
	}
	for _, c := range []struct {
		repository int64
		now        time.Time
		limit      int
		want       []int64
	}{
		{1, hour(80), 10, []int64{8, 2, 4}},
		{1, hour(80), 2, []int64{8, 2}},
		{1, hour(79), 10, []int64{8, 2, 4}},
		{1, hour(78), 10, []int64{8}},
		{1, hour(79).Add(-8 * time.Minute), 10, []int64{8, 2, 4}},
		{1, hour(200), 10, []int64{8, 2, 3, 4, 5, 10}},
		{7, hour(80), 10, []int64{9}},
		{8, hour(80), 10, nil},
	} {
		if diff := cmp.Diff(c.want, open(c.repository, c.now, c.limit), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("repository %d at %s (-want +got):\n%s", c.repository, c.now, diff)
		}
	}
	as, err := f.db.OpenAttempts(t.Context(), 7, hour(80), false, 1)
	f.check(err)
	if diff := cmp.Diff([]store.RunAttempt{{RunID: 9, RunAttempt: 1, RepositoryID: 7, RunCreatedAt: day, SweptAt: day}}, as); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A listing need not tell again of jobs that the REST API has described complete.
func TestKnownJobs(t *testing.T) {
	f := newFixture(t)
	f.tell(factsOf(3, "completed"))
	f.fetch(full(4, "completed", 2))
	f.fetch(factsOf(5, "in_progress"))
	got, err := f.db.KnownJobs(t.Context(), []int64{3, 4, 5, 6})
	f.check(err)
	want := map[int64]store.KnownJob{3: {ID: 3}, 4: {ID: 4, RunAttempt: new(int64(3)), Fetched: true}, 5: {ID: 5}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
