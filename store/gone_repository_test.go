package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/store"
)

// A repository is gone once all its jobs are settled, since the first time that it was not
// found, and until a sweep lists it again.
func TestSweepGone(t *testing.T) {
	f := newFixture(t)
	f.repository(7, "acme", "never-swept")
	for id, state := range map[int64]string{1: store.LogArchived, 2: store.LogDenied} {
		f.fetch(made(id, 1, "rocket", midnight(0)))
		f.settle(settledAs(id, state))
	}
	f.note(1, stretch{0, 2, true})
	f.check(f.db.SweepFailed(t.Context(), 1, "not found", hour(3)))
	gone := func(id int64, at int, settled, isNew bool) {
		t.Helper()
		s, n, err := f.db.SweepGone(t.Context(), id, hour(at))
		f.check(err)
		if s != settled || n != isNew {
			t.Errorf("repository %d at %d: settled %v, new %v", id, at, s, n)
		}
	}
	gone(1, 4, false, false) // denied is not settled
	if s := f.sweep(1); s.GoneAt != nil || s.FailedAt == nil {
		t.Errorf("with an open job: %+v", s)
	}
	f.settle(settledAs(2, store.LogMissing))
	gone(1, 5, true, true)
	gone(1, 6, true, false)
	gone(7, 6, true, true)
	if s := f.sweep(1); s.GoneAt == nil || !s.GoneAt.Equal(hour(5)) || s.FailedAt != nil || s.Error != nil || !s.Watermark.Equal(hour(2)) {
		t.Errorf("%+v", s)
	}
	if ends, err := f.db.SweepEnds(t.Context()); err != nil || len(ends) > 0 {
		t.Errorf("ends of sweeps: %+v, %v", ends, err)
	}
	want := []store.Gone{{"acme/never-swept", hour(6), nil, 7}, {"acme/rocket", hour(5), new(hour(2)), 1}}
	got, err := f.db.GoneRepositories(t.Context(), "")
	f.check(err)
	if diff := cmp.Diff(want, got, cmp.Comparer(time.Time.Equal)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, err := f.db.GoneRepositories(t.Context(), "ACME/Rocket"); err != nil || len(got) != 1 {
		t.Errorf("by name: %+v, %v", got, err)
	}
	f.note(1, stretch{2, 3, true})
	f.check(f.db.SweepSucceeded(t.Context(), store.Sweep{RepositoryID: 7}, hour(9)))
	if a, b := f.sweep(1), f.sweep(7); a.GoneAt != nil || b.GoneAt != nil {
		t.Errorf("they are back: %+v, %+v", a, b)
	}
}

// Of the days of a repository that is gone nothing is left to be done once all known jobs are
// settled. Of those that were not listed to their end before, the day says that there may have
// been more; nobody can fill a gap of its sweeps.
func TestCoverageOfARepositoryThatIsGone(t *testing.T) {
	noon := midnight(0).Add(12 * time.Hour)
	for _, c := range []struct {
		name     string
		from, to time.Time // swept; zero: nothing
		gone     bool
		going    bool // an attempt was, when it was listed
		pending  bool // a webhook told of a job since
		complete bool
		unknown  bool
		gaps     int
	}{
		{"there, and listed to noon", midnight(0), noon, false, false, false, false, false, 1},
		{"gone, and listed to noon", midnight(0), noon, true, false, false, true, true, 0},
		{"gone, and listed from noon on", noon, midnight(2), true, false, false, true, true, 0},
		{"gone, and listed before the day", midnight(-2), midnight(0).Add(-time.Hour), true, false, false, true, true, 0},
		{"gone before it was listed", time.Time{}, time.Time{}, true, false, false, true, true, 0},
		{"gone after the day", midnight(0), midnight(1), true, false, false, true, false, 0},
		{"gone while an attempt was going", midnight(0), midnight(1), true, true, false, true, true, 0},
		{"gone, and not settled", midnight(0), noon, true, false, true, false, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			f.fetch(made(1, 1, "rocket", noon.Add(-time.Hour)))
			f.settle(settledAs(1, store.LogArchived))
			f.attempt(store.RunAttempt{RunID: 10, RunAttempt: 1, RepositoryID: 1, RunCreatedAt: noon, SweptAt: noon, Complete: !c.going}, store.PrioritySweep)
			if !c.from.IsZero() {
				f.check(f.db.NoteSwept(t.Context(), 1, store.TimeRange{From: c.from, To: c.to, Certain: true, Onward: true}))
			}
			if c.gone {
				_, _, err := f.db.SweepGone(t.Context(), 1, midnight(3))
				f.check(err)
			}
			if c.pending {
				f.fetch(made(2, 1, "rocket", noon))
			}
			if days := f.coverage("", time.Time{}); len(days) != 1 || days[0].Complete != c.complete || (days[0].GoneAt != nil) != c.unknown || (days[0].Unlisted == nil) != c.unknown {
				t.Errorf("coverage: %+v", days)
			}
			if gaps, err := f.db.Gaps(t.Context(), "", time.Time{}); err != nil || len(gaps) != c.gaps {
				t.Errorf("gaps: %+v, %v", gaps, err)
			}
		})
	}
}

// A run is as old as the earliest that was ever said of it, whichever attempt said it, and
// in whatever order.
func TestRunIsAsOldAsTheEarliestThatIsSaid(t *testing.T) {
	f := newFixture(t)
	f.repository(1, "acme", "rocket")
	say := func(attempt int64, at int) {
		a := attemptOf(100, at, 1, false)
		a.RunAttempt = attempt
		f.attempt(a, store.PrioritySweep)
	}
	for _, step := range []struct {
		attempt int64
		at      int
		want    []int
	}{{1, 5, []int{5}}, {2, 9, []int{5, 5}}, {1, 7, []int{5, 5}}, {2, 3, []int{5, 3}}, {3, 8, []int{5, 3, 3}}} {
		say(step.attempt, step.at)
		got := column[int](f, `SELECT (extract(epoch FROM run_created_at - $1) / 3600)::int FROM run_attempts ORDER BY run_attempt`, day)
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("attempt %d at %d (-want +got):\n%s", step.attempt, step.at, diff)
		}
	}
}

// What a listing says of a workflow's name is merged with what jobs say, in any order, and
// changes no run of another repository.
func TestListingsNameWorkflows(t *testing.T) {
	f := newFixture(t)
	f.repository(1, "acme", "rocket")
	f.repository(2, "acme", "other")
	list := func(run, repository int64, name *string) {
		f.check(f.db.RecordRuns(t.Context(), []store.ListedRun{{ID: run, RepositoryID: repository, WorkflowName: name, Attempt: store.RunAttemptFacts{RunAttempt: 1}}}))
	}
	job := func(id, run int64, name *string) {
		facts := factsOf(id, "completed")
		facts.Run.ID, facts.Job.RunID, facts.Run.WorkflowName = run, run, name
		f.fetch(facts)
	}
	list(100, 1, new("ci.yml"))
	job(1, 100, nil)
	job(2, 101, nil)
	list(101, 1, new("ci.yml"))
	list(101, 1, nil)
	list(102, 1, nil)
	job(3, 102, new("CI"))
	list(102, 2, new("theirs.yml"))
	got := column[string](f, `SELECT id || ' ' || coalesce(workflow_name, '-') FROM workflow_runs ORDER BY id`)
	if diff := cmp.Diff([]string{"100 ci.yml", "101 ci.yml", "102 CI"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := scalar[int](f, `SELECT count(*) FROM job_facets WHERE job_id IN (1, 2) AND facet = facet('workflow', 'ci.yml')`); n != 2 {
		t.Errorf("%d of 2 jobs are found by the workflow's name", n)
	}
}

// What could not be listed of a repository before it was gone is named still; but its listing
// is not tried again.
func TestUnlistedRangesOfAGoneRepository(t *testing.T) {
	f := newFixture(t)
	f.repository(1, "acme", "rocket")
	_, err := f.db.NoteRunsUnlisted(t.Context(), 1, hour(1), store.ListTrouble{Trouble: store.Refused, Status: 403, Reason: "no", GivenUp: true, At: hour(5)})
	f.check(err)
	unlisted := func() store.Unlisted {
		t.Helper()
		list, err := f.db.UnlistedRepositories(t.Context(), "", time.Time{})
		f.check(err)
		if len(list) != 1 || list[0].From == nil || !list[0].From.Equal(hour(1)) || !list[0].To.Equal(hour(5)) {
			t.Fatalf("unlisted are %+v", list)
		}
		return list[0]
	}
	if u := unlisted(); u.GivenUpAt == nil || u.Error == nil {
		t.Errorf("given up: %+v", u)
	}
	_, _, err = f.db.SweepGone(t.Context(), 1, hour(6))
	f.check(err)
	if u := unlisted(); u.GivenUpAt != nil || u.Error != nil {
		t.Errorf("gone: %+v", u)
	}
}
