package store_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/jobvault/jobvault/store"
)

// full is a job with every value set; n tells two apart.
func full(id int64, status string, n int) store.Facts {
	at := func(minutes int) *time.Time { return new(day.Add(time.Duration(minutes+n) * time.Minute)) }
	return factsOf(id, status, func(f *store.Facts) {
		f.Run.WorkflowName, f.Run.HeadBranch, f.Run.HeadSHA = new("ci"), new("main"), new("d6fde92930d4715a2b49857d24b940956b26d2d3")
		f.Job = store.Job{
			ID: id, RunID: 2, RunAttempt: new(int64(1 + n)), RepositoryID: 1, Name: fmt.Sprint("build ", n), Status: status,
			Conclusion: new(fmt.Sprint("success ", n)), NodeID: new(fmt.Sprint("CR_", n)), HTMLURL: new(fmt.Sprint("https://github.com/", n)),
			CheckRunURL: new(fmt.Sprint("https://api.github.com/", n)), CreatedAt: at(0), StartedAt: at(1), CompletedAt: at(2),
			RunnerID: new(int64(10 + n)), RunnerName: new(fmt.Sprint("runner ", n)), RunnerGroupID: new(int64(20 + n)),
			RunnerGroupName: new(fmt.Sprint("group ", n)),
		}
	})
}

var butFetchedAt = cmpopts.IgnoreFields(store.Job{}, "FetchedAt")

func TestFactsAreKeptWhole(t *testing.T) {
	f := newFixture(t)
	facts := full(3, "in_progress", 1)
	facts.Repository.Private, facts.Repository.InstallationID = new(true), new(int64(77))
	facts.Run.HeadBranch = new("it's/🚀")
	facts.Job.Name, facts.Job.RunnerID = "<b> & \"quoted\" \\ \u2028\n", new(int64(math.MaxInt64))
	f.tell(facts)
	got, err := f.db.JobToArchive(t.Context(), 3)
	f.check(err)
	want := store.JobToArchive{Job: facts.Job, Repository: facts.Repository, Log: store.JobLog{JobID: 3, State: store.LogPending, SettledBytes: new(int64(0))}}
	want.Repository.HasName = true
	if diff := cmp.Diff(want, got, butTimes); diff != "" {
		t.Errorf("(-told +kept):\n%s", diff)
	}
	rows, err := f.pool.Query(t.Context(), `SELECT id, repository_id, workflow_name, head_branch, head_sha FROM workflow_runs`)
	f.check(err)
	run, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[store.WorkflowRun])
	f.check(err)
	if diff := cmp.Diff(facts.Run, run); diff != "" {
		t.Errorf("(-told +kept):\n%s", diff)
	}
	if name := got.Repository.FullName(); name != "acme/rocket" {
		t.Errorf("full name %q", name)
	}
}

func TestALateWebhookChangesNothingInACompletedJob(t *testing.T) {
	for _, status := range []string{"queued", "waiting", "in_progress", "unheard of"} {
		f := newFixture(t)
		want := full(3, "completed", 1)
		f.tell(want, full(3, status, 2))
		if diff := cmp.Diff(want.Job, f.job(3)); diff != "" {
			t.Errorf("%s (-before +after):\n%s", status, diff)
		}
	}
}

func TestALateWebhookFillsWhatIsOpen(t *testing.T) {
	f := newFixture(t)
	late := full(3, "in_progress", 2)
	f.tell(factsOf(3, "completed"), late)
	want := late.Job
	want.Name, want.Status = "build", "completed"
	if diff := cmp.Diff(want, f.job(3)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestANewerWebhookReplacesButNotByNull(t *testing.T) {
	f := newFixture(t)
	want := full(3, "completed", 2)
	f.tell(full(3, "in_progress", 1), want)
	if diff := cmp.Diff(want.Job, f.job(3)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	f.tell(factsOf(3, "completed"))
	want.Job.Name = "build"
	if diff := cmp.Diff(want.Job, f.job(3)); diff != "" {
		t.Errorf("after one that says little (-want +got):\n%s", diff)
	}
}

func TestWhatTheRESTAPISaidIsFinalExceptNulls(t *testing.T) {
	f := newFixture(t)
	f.tell(full(3, "completed", 1))
	fetched := full(3, "completed", 2)
	fetched.Job.RunnerName, fetched.Job.Conclusion = nil, nil
	f.fetch(fetched)
	want := fetched.Job
	// The webhook knew them, and a null replaces nothing.
	want.RunnerName, want.Conclusion = new("runner 1"), new("success 1")
	want.FetchedAt = new(day.Add(time.Hour))
	if diff := cmp.Diff(want, f.job(3)); diff != "" {
		t.Errorf("after the fetch (-want +got):\n%s", diff)
	}
	f.tell(full(3, "completed", 3), full(3, "queued", 4))
	if diff := cmp.Diff(want, f.job(3)); diff != "" {
		t.Errorf("after more webhooks (-want +got):\n%s", diff)
	}
	again := full(3, "completed", 5)
	f.fetch(again)
	if diff := cmp.Diff(again.Job, f.job(3), butFetchedAt); diff != "" {
		t.Errorf("after another fetch (-want +got):\n%s", diff)
	}
}

func TestAWebhookFillsWhatTheRESTAPILeftOpen(t *testing.T) {
	f := newFixture(t)
	f.fetch(factsOf(3, "completed"))
	late := full(3, "completed", 1)
	f.tell(late)
	want := late.Job
	want.Name, want.FetchedAt = "build", new(day.Add(time.Hour))
	if diff := cmp.Diff(want, f.job(3)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The API may be behind its own webhooks: that it calls a job running takes nothing back.
func TestAFetchOfARunningJobIsNotFinal(t *testing.T) {
	f := newFixture(t)
	f.fetch(full(3, "in_progress", 1))
	if f.job(3).FetchedAt != nil {
		t.Error("fetched_at is set")
	}
	completed := full(3, "completed", 2)
	f.tell(completed)
	f.fetch(full(3, "in_progress", 3))
	if diff := cmp.Diff(completed.Job, f.job(3)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestARunningJobIsNotQueuedAgain(t *testing.T) {
	f := newFixture(t)
	f.fetch(factsOf(3, "in_progress"))
	f.tell(factsOf(3, "queued"))
	if status := f.job(3).Status; status != "in_progress" {
		t.Errorf("went back to %s", status)
	}
}

func TestWritingTheSameAgainWritesNothing(t *testing.T) {
	f := newFixture(t)
	facts := full(3, "completed", 1)
	facts.Steps, facts.Labels = steps(3, "set up", "build"), []string{"linux", "gpu"}
	versions := func() []string {
		return column[string](f, `
			SELECT 'repository ' || xmin::text FROM repositories UNION ALL SELECT 'run ' || xmin::text FROM workflow_runs
			UNION ALL SELECT 'job ' || xmin::text FROM jobs UNION ALL SELECT format('step %s %s', number, xmin) FROM steps
			UNION ALL SELECT format('label %s %s', name, xmin) FROM labels UNION ALL SELECT format('job label %s %s', position, xmin) FROM job_labels
			UNION ALL SELECT 'log ' || xmin::text FROM job_logs`)
	}
	f.fetch(facts)
	before := versions()
	f.fetch(facts)
	f.tell(facts)
	if diff := cmp.Diff(before, versions()); diff != "" {
		t.Errorf("rows were written again:\n%s", diff)
	}
}

func TestRunsTakeWhatAnyOfTheirJobsTells(t *testing.T) {
	f := newFixture(t)
	run := func(job int64, name, branch, sha *string) store.Facts {
		return factsOf(job, "queued", func(f *store.Facts) {
			f.Run.WorkflowName, f.Run.HeadBranch, f.Run.HeadSHA = name, branch, sha
		})
	}
	f.insert(deliveryOf(run(1, new("ci"), nil, nil)), deliveryOf(run(2, nil, new("main"), nil)))
	f.drain()
	f.tell(run(3, nil, nil, new("d6fde929")), run(4, nil, nil, nil))
	if got := scalar[string](f, `SELECT format('%s %s %s', workflow_name, head_branch, head_sha) FROM workflow_runs`); got != "ci main d6fde929" {
		t.Errorf("the run is %q", got)
	}
}

// anyFacts draws what may be said of a job, with anything left out.
func anyFacts(t *rapid.T, id int64) store.Facts {
	f := full(id, rapid.SampledFrom([]string{"queued", "in_progress", "completed"}).Draw(t, "status"), rapid.IntRange(0, 5).Draw(t, "n"))
	drop := func() bool { return rapid.Bool().Draw(t, "leave out") }
	for _, p := range []**string{&f.Job.Conclusion, &f.Job.NodeID, &f.Job.HTMLURL, &f.Job.RunnerName, &f.Job.RunnerGroupName} {
		if drop() {
			*p = nil
		}
	}
	for _, p := range []**time.Time{&f.Job.CreatedAt, &f.Job.StartedAt, &f.Job.CompletedAt} {
		if drop() {
			*p = nil
		}
	}
	for _, p := range []**int64{&f.Job.RunAttempt, &f.Job.RunnerID, &f.Job.RunnerGroupID} {
		if drop() {
			*p = nil
		}
	}
	f.Steps = steps(id, rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b"}), 0, 3).Draw(t, "steps")...)
	f.Labels = rapid.SliceOfN(rapid.SampledFrom([]string{"l", "m", "n"}), 0, 3).Draw(t, "labels")
	return f
}

// columns is a job's row by column.
func (f *fixture) columns(id int64) map[string]any {
	f.t.Helper()
	rows, err := f.pool.Query(f.t.Context(), `SELECT * FROM jobs WHERE id = $1`, id)
	f.check(err)
	all, err := pgx.CollectRows(rows, pgx.RowToMap)
	f.check(err)
	if len(all) == 0 {
		return nil
	}
	return all[0]
}

// Whatever is said of a job, from either side and in any order: it does not go
// back, nothing becomes null, and what was fetched stays.
func TestAJobOnlyGrows(t *testing.T) {
	f := newFixture(t)
	var id int64
	rapid.Check(t, func(rt *rapid.T) {
		id++
		var before map[string]any
		for range rapid.IntRange(1, 6).Draw(rt, "facts") {
			facts, fetched := anyFacts(rt, id), rapid.Bool().Draw(rt, "fetched")
			if fetched {
				f.fetch(facts)
			} else {
				f.tell(facts)
			}
			after := f.columns(id)
			final := fetched && facts.Job.Status == store.StatusCompleted
			for name, was := range before {
				now := after[name]
				switch {
				case name == "carried_over_from": // is not said of the job: it goes by other jobs too
				case was != nil && now == nil:
					rt.Errorf("%s was %v and is null", name, was)
				case name == "status" && was == store.StatusCompleted && now != was:
					rt.Errorf("the job went back to %v", now)
				case was != nil && before["fetched_at"] != nil && !final && !cmp.Equal(was, now):
					rt.Errorf("%s was fetched as %v and is %v", name, was, now)
				}
			}
			if final && after["fetched_at"] == nil {
				rt.Error("fetched_at is null after a fetch")
			}
			before = after
		}
		if n := scalar[int](f, `SELECT count(*) FROM job_logs WHERE job_id = $1 AND state = 'pending'`, id); n != 1 {
			rt.Errorf("%d rows in the ledger", n)
		}
	})
}
