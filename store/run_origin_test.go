package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/jobvault/jobvault/store"
)

// maybe draws one of the values, or nil.
func maybe[T any](t *rapid.T, name string, values ...T) *T {
	if i := rapid.IntRange(-1, len(values)-1).Draw(t, name); i >= 0 {
		return &values[i]
	}
	return nil
}

// anyListing draws what a listing may say of run 5, with contradictions.
func anyListing(t *rapid.T) store.ListedRun {
	return store.ListedRun{
		ID: 5, RepositoryID: 1,
		Origin: store.RunOrigin{
			Event: maybe(t, "event", "push", "schedule"), ActorID: maybe(t, "actor id", int64(1), 2), Actor: maybe(t, "actor", "mona", "Mona"),
			RunNumber: maybe(t, "number", int64(7)), DisplayTitle: maybe(t, "title", "a", "<b>"), HeadRepositoryID: maybe(t, "head", int64(1), 9),
			HeadRepository:      maybe(t, "head name", "acme/rocket", "mallory/rocket"),
			PullRequests:        rapid.SampledFrom([][]int64{nil, {}, {3}, {4, 3}}).Draw(t, "pull requests"),
			ReferencedWorkflows: rapid.SampledFrom([][]store.ReferencedWorkflow{nil, {}, {{Path: "b", SHA: "1"}, {Path: "a"}}}).Draw(t, "referenced"),
			CreatedAt:           maybe(t, "created", hour(0), hour(1)),
		},
		Attempt: store.RunAttemptFacts{
			RunAttempt: rapid.Int64Range(1, 3).Draw(t, "attempt"), TriggeringActor: maybe(t, "by", "mona", "hubot"),
			Status: maybe(t, "status", "queued", "in_progress", "completed"), Conclusion: maybe(t, "conclusion", "success", "failure"),
			StartedAt: maybe(t, "started", hour(1), hour(2)), UpdatedAt: maybe(t, "updated", hour(2), hour(3), hour(4)),
		},
	}
}

// runRows are the rows of run 5 and its attempts.
func (f *fixture) runRows() []string {
	f.t.Helper()
	return column[string](f, `SELECT w::text FROM workflow_runs w WHERE id = 5 UNION ALL
		(SELECT a::text FROM workflow_run_attempts a WHERE run_id = 5 ORDER BY run_attempt)`)
}

// The rows are the same in whatever order listings come, however they are grouped and
// repeated, also at the same time as a job's own; nothing is lost, and a null replaces
// nothing.
func TestRunsAreAFoldOverTheirListings(t *testing.T) {
	f := newFixture(t)
	f.repository(1, "acme", "rocket")
	record := func(listed ...store.ListedRun) { f.check(f.db.RecordRuns(t.Context(), listed)) }
	empty := func() { f.exec(`DELETE FROM workflow_run_attempts; DELETE FROM workflow_runs`) }
	rapid.Check(t, func(rt *rapid.T) {
		listings := rapid.SliceOfN(rapid.Custom(anyListing), 1, 6).Draw(rt, "listings")
		empty()
		record(listings...)
		want := f.runRows()
		empty()
		for _, l := range rapid.Permutation(listings).Draw(rt, "order") {
			record(l)
			record(l, listings[0])
		}
		if diff := cmp.Diff(want, f.runRows()); diff != "" {
			rt.Errorf("together and one after the other (-, +):\n%s", diff)
		}
		attempts := make(map[int64]bool)
		for _, l := range listings {
			attempts[l.Attempt.RunAttempt] = true
		}
		if n := scalar[int](f, `SELECT count(*) FROM workflow_run_attempts`); n != len(attempts) {
			rt.Errorf("%d attempts of %v", n, attempts)
		}
		for name, told := range map[string]func(store.ListedRun) bool{
			"event": func(l store.ListedRun) bool { return l.Origin.Event != nil },
			"head_name": func(l store.ListedRun) bool {
				return l.Origin.HeadRepository != nil && l.Origin.HeadRepositoryID != nil
			},
			"pull_requests": func(l store.ListedRun) bool { return l.Origin.PullRequests != nil },
			"status":        func(l store.ListedRun) bool { return l.Attempt.Status != nil },
		} {
			known := scalar[bool](f, map[string]string{
				"event": `SELECT event IS NOT NULL FROM workflow_runs`, "head_name": `SELECT head_repository_id IS NOT NULL FROM workflow_runs`,
				"pull_requests": `SELECT pull_requests IS NOT NULL FROM workflow_runs`,
				"status":        `SELECT bool_or(status IS NOT NULL) FROM workflow_run_attempts`,
			}[name])
			for _, l := range listings {
				if told(l) && !known {
					rt.Errorf("%s was told and is lost", name)
				}
			}
		}
	})
}

// A run's status goes with its latest attempt, and an attempt's with the latest listing
// of it; the attempts of before keep theirs, and who started them.
func TestStatusOfARunIsThatOfItsLatestAttempt(t *testing.T) {
	f := newFixture(t)
	f.repository(1, "acme", "rocket")
	listed := func(attempt int64, by, status string, conclusion *string, at int) store.ListedRun {
		return store.ListedRun{ID: 5, RepositoryID: 1, Origin: store.RunOrigin{Event: new("push")}, Attempt: store.RunAttemptFacts{
			RunAttempt: attempt, TriggeringActor: &by, Status: &status, Conclusion: conclusion, UpdatedAt: new(hour(at)), StartedAt: new(hour(0)),
		}}
	}
	failed, again := listed(1, "mona", "completed", new("failure"), 2), listed(2, "hubot", "in_progress", nil, 5)
	for _, order := range [][]store.ListedRun{
		{listed(1, "mona", "in_progress", nil, 3), failed, again}, {again, failed, listed(1, "mona", "in_progress", nil, 3)},
	} {
		f.exec(`DELETE FROM workflow_run_attempts; DELETE FROM workflow_runs`)
		for _, l := range order {
			f.check(f.db.RecordRuns(t.Context(), []store.ListedRun{l}))
		}
		got := column[string](f, `SELECT concat_ws(' ', run_attempt, status, conclusion, triggering_actor) FROM workflow_runs
			UNION ALL (SELECT concat_ws(' ', run_attempt, status, conclusion, triggering_actor) FROM workflow_run_attempts ORDER BY run_attempt)`)
		if diff := cmp.Diff([]string{"2 in_progress hubot", "1 completed failure mona", "2 in_progress hubot"}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// What makes no difference is not written: each listing tells of the same runs again.
func TestTheSameListingAgainWritesNothing(t *testing.T) {
	f := newFixture(t)
	f.repository(1, "acme", "rocket")
	rows := func() []string {
		return column[string](f, `SELECT xmin::text || ctid::text FROM workflow_runs UNION ALL SELECT xmin::text || ctid::text FROM workflow_run_attempts`)
	}
	l := store.ListedRun{ID: 5, RepositoryID: 1,
		Origin: store.RunOrigin{
			Event: new("push"), PullRequests: []int64{2, 1}, ReferencedWorkflows: []store.ReferencedWorkflow{{Path: "p"}}, CreatedAt: new(hour(1).In(time.FixedZone("", 3600))),
		},
		Attempt: store.RunAttemptFacts{RunAttempt: 1, Status: new("completed"), UpdatedAt: new(hour(2))}}
	f.check(f.db.RecordRuns(t.Context(), []store.ListedRun{l}))
	before := rows()
	f.check(f.db.RecordRuns(t.Context(), []store.ListedRun{l, l}))
	// Another repository's word on the run is not heeded.
	other := l
	other.RepositoryID, other.Origin.Event = 2, new("schedule")
	f.check(f.db.RecordRuns(t.Context(), []store.ListedRun{other}))
	if diff := cmp.Diff(before, rows()); diff != "" || len(before) != 2 {
		t.Errorf("written again:\n%s", diff)
	}
}
