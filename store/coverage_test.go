package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/jobvault/jobvault/store"
)

// midnight begins the UTC day n days after that of day.
func midnight(n int) time.Time { return day.Truncate(24*time.Hour).AddDate(0, 0, n) }

// made is a job of a repository with a time of creation; the zero one is null.
func made(id, repository int64, name string, at time.Time) store.Facts {
	return factsOf(id, "completed", func(f *store.Facts) {
		f.Repository.ID, f.Repository.Name, f.Run.ID, f.Run.RepositoryID = repository, name, 10*repository, repository
		f.Job.RunID, f.Job.RepositoryID = f.Run.ID, repository
		if !at.IsZero() {
			f.Job.CreatedAt = &at
		}
	})
}

// butID leaves out whose the days are, where their names tell.
var butID = cmpopts.IgnoreFields(store.Coverage{}, "RepositoryID")

func (f *fixture) coverage(repository string, since time.Time) []store.Coverage {
	f.t.Helper()
	days, err := f.db.Coverage(f.t.Context(), repository, since)
	f.check(err)
	for _, d := range days {
		if sum := d.Archived + d.None + d.Expired + d.Missing + d.Denied + d.Removed + d.Pending; sum != d.Jobs {
			f.t.Errorf("of %d jobs the states make %d: %+v", d.Jobs, sum, d)
		}
	}
	return days
}

// Each state has its column, and a job without a line in the ledger is not
// accounted for.
func TestCoverageHasAColumnForEachState(t *testing.T) {
	f := newFixture(t)
	var id int64
	for i, state := range allStates {
		for range i + 1 {
			id++
			f.fetch(made(id, 1, "rocket", midnight(0)))
			f.settle(settledAs(id, state))
		}
	}
	f.fetch(made(99, 1, "rocket", midnight(0)))
	f.exec(`DELETE FROM job_logs WHERE job_id = 99`)
	want := []store.Coverage{{
		Repository: "acme/rocket", Day: new(midnight(0)), Jobs: 29,
		Pending: 2, Archived: 2, None: 3, Expired: 4, Missing: 5, Denied: 6, Removed: 7, Unlisted: new(int64(0)),
	}}
	if diff := cmp.Diff(want, f.coverage("", time.Time{}), butID); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Days are UTC's; a job of unknown creation has
// no day, and the filters choose repositories, in any case, and days.
func TestCoverageByRepositoryAndDay(t *testing.T) {
	f := newFixture(t)
	f.fetch(made(1, 1, "Rocket", midnight(0)))
	f.fetch(made(2, 1, "Rocket", midnight(1).Add(-time.Microsecond)))
	f.fetch(made(3, 1, "Rocket", midnight(1)))
	f.fetch(made(4, 1, "Rocket", time.Time{}))
	f.fetch(made(5, 7, "lander", midnight(0).Add(20*time.Hour)))
	row := func(name string, at *time.Time, jobs int64) store.Coverage {
		return store.Coverage{Repository: "acme/" + name, Day: at, Jobs: jobs, Pending: jobs, Unlisted: new(int64(0))}
	}
	lander, null := row("lander", new(midnight(0)), 1), row("Rocket", nil, 1)
	zero, one := row("Rocket", new(midnight(0)), 2), row("Rocket", new(midnight(1)), 1)
	for _, c := range []struct {
		repository string
		since      time.Time
		want       []store.Coverage
	}{
		{"", time.Time{}, []store.Coverage{lander, null, zero, one}},
		{"ACME/rocket", time.Time{}, []store.Coverage{null, zero, one}},
		{"acme/LANDER", time.Time{}, []store.Coverage{lander}},
		{"acme", time.Time{}, []store.Coverage{}},
		{"", midnight(0), []store.Coverage{lander, null, zero, one}},
		{"", midnight(1).Add(-time.Second), []store.Coverage{lander, null, zero, one}},
		{"", midnight(1), []store.Coverage{null, one}},
		{"", midnight(1).In(time.FixedZone("", -8*3600)), []store.Coverage{null, one}},
		{"acme/lander", midnight(1), []store.Coverage{}},
	} {
		if diff := cmp.Diff(c.want, f.coverage(c.repository, c.since), butID, cmp.Comparer(time.Time.Equal)); diff != "" {
			t.Errorf("%q since %s (-want +got):\n%s", c.repository, c.since, diff)
		}
	}
}

// Whoever reads the view, in whatever time zone, sees the same days.
func TestCoverageDaysDoNotDependOnTheSession(t *testing.T) {
	f := newFixture(t)
	f.fetch(made(1, 1, "rocket", midnight(0)))
	f.fetch(made(2, 1, "rocket", midnight(1).Add(-time.Second)))
	f.settle(settledAs(1, store.LogNone))
	f.settle(settledAs(2, store.LogNone))
	f.check(f.db.NoteSwept(t.Context(), 1, store.TimeRange{From: midnight(0), To: midnight(1), Certain: true, Onward: true}))
	for _, zone := range []string{"UTC", "Pacific/Kiritimati", "Pacific/Honolulu"} {
		conn, err := f.pool.Acquire(t.Context())
		f.check(err)
		_, err = conn.Exec(t.Context(), `SELECT set_config('timezone', $1, false)`, zone)
		f.check(err)
		var got string
		f.check(conn.QueryRow(t.Context(), `SELECT format('%s %s %s', day, jobs, complete) FROM coverage`).Scan(&got))
		f.check(conn.Hijack().Close(t.Context()))
		if got != "2024-07-08 2 t" {
			t.Errorf("in %s: %s", zone, got)
		}
	}
}

// A day is complete if all of its runs were listed, up to where the listings end,
// every job is settled, and no attempt of its runs was open.
func TestCoverageIsComplete(t *testing.T) {
	type span struct{ from, to time.Time }
	whole, noon := span{midnight(0), midnight(1)}, midnight(0).Add(12*time.Hour)
	for _, c := range []struct {
		name    string
		swept   []span
		state   string
		attempt *store.RunAttempt
		want    bool
	}{
		{name: "all is well", swept: []span{whole}, want: true},
		{name: "never swept"},
		{name: "swept for longer", swept: []span{{midnight(-9), midnight(9)}}, want: true},
		{name: "a past day, swept until noon", swept: []span{{midnight(-1), noon}}},
		{name: "that day alone", swept: []span{{midnight(0), noon}}},
		{name: "the present day, but not its begin", swept: []span{{midnight(0).Add(time.Second), noon}}},
		{name: "the present day, with a gap", swept: []span{{midnight(0), noon.Add(-2 * time.Hour)}, {noon.Add(-time.Hour), noon}}},
		{name: "a gap in the day", swept: []span{{midnight(0), noon}, {noon.Add(time.Second), midnight(2)}}},
		{name: "no end of the day, but what follows", swept: []span{{midnight(0), noon}, {midnight(1), midnight(2)}}},
		{name: "two halves", swept: []span{{noon, midnight(1)}, {midnight(0), noon}}, want: true},
		{name: "only the day before", swept: []span{{midnight(-1), midnight(0)}}},
		{name: "only the day after", swept: []span{{midnight(1), midnight(2)}}},
		{name: "pending", swept: []span{whole}, state: store.LogPending},
		{name: "denied", swept: []span{whole}, state: store.LogDenied},
		{name: "none", swept: []span{whole}, state: store.LogNone, want: true},
		{name: "expired", swept: []span{whole}, state: store.LogExpired, want: true},
		{name: "missing", swept: []span{whole}, state: store.LogMissing, want: true},
		{name: "removed", swept: []span{whole}, state: store.LogRemoved, want: true},
		{name: "an open attempt", swept: []span{whole}, attempt: &store.RunAttempt{RepositoryID: 1, RunCreatedAt: midnight(1).Add(-time.Microsecond)}},
		{name: "an ended attempt", swept: []span{whole}, attempt: &store.RunAttempt{RepositoryID: 1, RunCreatedAt: noon, Complete: true}, want: true},
		{name: "an open attempt of another day", swept: []span{whole}, attempt: &store.RunAttempt{RepositoryID: 1, RunCreatedAt: midnight(1)}, want: true},
		{name: "an open attempt elsewhere", swept: []span{whole}, attempt: &store.RunAttempt{RepositoryID: 7, RunCreatedAt: noon}, want: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			f.repository(7, "acme", "lander")
			f.fetch(made(1, 1, "rocket", noon.Add(-4*time.Hour)))
			f.fetch(made(2, 1, "rocket", time.Time{}))
			for id := range int64(2) {
				f.settle(settledAs(id+1, store.LogArchived))
			}
			if c.state != "" {
				f.fetch(made(3, 1, "rocket", noon))
				f.settle(settledAs(3, c.state))
			}
			for _, s := range c.swept {
				f.check(f.db.NoteSwept(t.Context(), 1, store.TimeRange{From: s.from, To: s.to, Certain: true}))
			}
			if a := c.attempt; a != nil {
				a.RunID, a.RunAttempt, a.SweptAt = 10, 1, day
				f.attempt(*a, store.PrioritySweep)
			}
			got := map[string]bool{}
			for _, d := range f.coverage("", time.Time{}) {
				got[fmt.Sprint(d.Day == nil)] = d.Complete
			}
			// Of which runs the jobs without a day are, nobody can say: it is enough
			// that they are settled.
			if diff := cmp.Diff(map[string]bool{"true": true, "false": c.want}, got); diff != "" {
				t.Errorf("complete (-want +got):\n%s", diff)
			}
		})
	}
}

// One repository's sweeps say nothing of another's.
func TestCoverageOfTwoRepositories(t *testing.T) {
	f := newFixture(t)
	f.fetch(made(1, 1, "rocket", midnight(0)))
	f.fetch(made(2, 7, "lander", midnight(0)))
	f.settle(settledAs(1, store.LogArchived))
	f.settle(settledAs(2, store.LogNone))
	f.check(f.db.NoteSwept(t.Context(), 1, store.TimeRange{From: midnight(0), To: midnight(1), Certain: true, Onward: true}))
	want := []store.Coverage{
		{Repository: "acme/lander", Day: new(midnight(0)), Jobs: 1, None: 1, Unlisted: new(int64(0))},
		{Repository: "acme/rocket", Day: new(midnight(0)), Jobs: 1, Archived: 1, Complete: true, Unlisted: new(int64(0))},
	}
	if diff := cmp.Diff(want, f.coverage("", time.Time{}), butID); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Days without any job are not in the view, but they must have been looked at.
func TestGapsOfSweeps(t *testing.T) {
	f := newFixture(t)
	today := time.Now().UTC().Truncate(24 * time.Hour)
	daysAgo := func(n int) time.Time { return today.AddDate(0, 0, -n) }
	sweep := func(id, from, to int) {
		t.Helper()
		f.check(f.db.NoteSwept(t.Context(), int64(id), store.TimeRange{From: daysAgo(from), To: daysAgo(to), Certain: true, Onward: true}))
	}
	for id, name := range map[int64]string{1: "whole", 2: "hole", 3: "failing", 4: "new"} {
		_, err := f.db.SeeRepositories(t.Context(), []store.Repository{{ID: id, Owner: "acme", Name: name}})
		f.check(err)
	}
	sweep(1, 9, -1)
	sweep(2, 9, 7)
	sweep(2, 5, 3)
	sweep(2, 2, -1)
	sweep(3, 9, -1)
	sweep(4, 0, -1)
	f.check(f.db.SweepFailed(t.Context(), 3, "no such thing", daysAgo(0)))
	tell := func(repository string, since time.Time) (lines []string) {
		t.Helper()
		gaps, err := f.db.Gaps(t.Context(), repository, since)
		f.check(err)
		for _, g := range gaps {
			line := g.Repository
			if g.From != nil {
				line += fmt.Sprintf(" from %d days ago", int(today.Sub(*g.From).Hours()/24))
			}
			if g.FailedAt != nil {
				line += ": " + *g.Error
			}
			lines = append(lines, line)
		}
		return lines
	}
	for _, c := range []struct {
		repository string
		since      time.Time
		want       []string
	}{
		{"", time.Time{}, []string{"acme/failing: no such thing", "acme/hole from 7 days ago"}},
		{"ACME/Hole", time.Time{}, []string{"acme/hole from 7 days ago"}},
		{"acme/hole", daysAgo(4), []string{"acme/hole from 3 days ago"}},
		{"acme/hole", daysAgo(1), nil},
		{"acme/hole", daysAgo(-3), nil},
		{"acme/whole", time.Time{}, nil},
	} {
		if diff := cmp.Diff(c.want, tell(c.repository, c.since)); diff != "" {
			t.Errorf("%q since %s (-want +got):\n%s", c.repository, c.since, diff)
		}
	}
}

// Of jobs that GitHub gives no time, it is enough that each is settled.
func TestCoverageWithoutADay(t *testing.T) {
	f := newFixture(t)
	f.fetch(factsOf(1, "completed", func(x *store.Facts) { x.Job.CreatedAt = nil }))
	for _, state := range []string{store.LogDenied, store.LogNone} {
		f.settle(settledAs(1, state))
		days, err := f.db.Coverage(t.Context(), "", time.Time{})
		f.check(err)
		if len(days) != 1 || days[0].Day != nil || days[0].Complete != (state == store.LogNone) {
			t.Errorf("%s: %+v", state, days)
		}
	}
}
