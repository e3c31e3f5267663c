package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/jobvault/jobvault/store"
)

// listedRun records a run of a repository, of its own id times a hundred and
// created some hours after day, with a job for each id.
func (f *fixture) listedRun(run, repository int64, created int, status string, jobs ...int64) {
	f.t.Helper()
	var facts []store.Facts
	for _, id := range jobs {
		one := made(id, repository, "rocket", hour(created))
		one.Run.ID, one.Job.RunID, one.Job.Status = run, run, status
		facts = append(facts, one)
	}
	a := attemptOf(run, created, 1, true)
	a.RepositoryID = repository
	f.attempt(a, store.PriorityBackfill, facts...)
}

// Jobs are counted by the runs that were listed: of the repositories, and of the
// time that the run was created.
func TestTallyCountsListedRuns(t *testing.T) {
	f := newFixture(t)
	f.listedRun(100, 1, 0, "completed", 1, 2)
	f.listedRun(101, 1, 5, "completed", 3, 4)
	f.listedRun(700, 7, 5, "completed", 5)
	again := attemptOf(101, 5, 2, true)
	again.RunAttempt = 2
	f.attempt(again, store.PriorityBackfill) // a second attempt counts nothing twice
	f.tell(factsOf(6, "completed"))          // of a run that nobody listed
	for _, id := range []int64{1, 3, 4} {
		f.settle(archivedAs(id))
	}
	f.settle(settledAs(5, store.LogNone))
	archived := func(n int64) store.Tally {
		return store.Tally{State: store.LogArchived, Jobs: n, RawBytes: n * 3 << 20}
	}
	pending, none := store.Tally{State: store.LogPending, Jobs: 1}, store.Tally{State: store.LogNone, Jobs: 1}
	var open time.Time
	for _, c := range []struct {
		name         string
		repositories []int64
		since, until time.Time
		also         []int64
		want         []store.Tally
	}{
		{"all", []int64{1, 7}, open, open, nil, []store.Tally{archived(3), none, pending}},
		{"one repository", []int64{1}, open, open, nil, []store.Tally{archived(3), pending}},
		{"no repository", nil, open, open, nil, nil},
		{"since", []int64{1, 7}, hour(5), open, nil, []store.Tally{archived(2), none}},
		{"until", []int64{1, 7}, open, hour(5), nil, []store.Tally{archived(1), pending}},
		{"between", []int64{1, 7}, hour(1), hour(5), nil, nil},
		{"just in", []int64{7}, hour(5), hour(5).Add(time.Microsecond), nil, []store.Tally{none}},
		{"between, and one of another time", []int64{1, 7}, hour(1), hour(5), []int64{101}, []store.Tally{archived(2)}},
		{"one that counts anyhow", []int64{1, 7}, hour(5), open, []int64{101, 101}, []store.Tally{archived(2), none}},
	} {
		got, err := f.db.TallyRuns(t.Context(), store.ListedRuns{Repositories: c.repositories, Since: c.since, Until: c.until, Also: c.also})
		f.check(err)
		if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// A job is waited for while something may still settle it: not one that GitHub
// has no log of, or calls unfinished, and that is put off for longer.
func TestWaitingLeavesOutWhatIsPutOff(t *testing.T) {
	for _, c := range []struct {
		name   string
		state  string // of the ledger
		status int    // GitHub's; 0: it was not asked; -1: it did not answer
		queue  string // state of River's row; empty: there is none
		in     string // when River's row is due
		waits  bool
	}{
		{"just enqueued", store.LogPending, 0, "available", "0", true},
		{"without an answer, tried again soon", store.LogPending, -1, "scheduled", "4 minutes", true},
		{"without an answer", store.LogPending, -1, "scheduled", "6 minutes", false},
		{"running", store.LogPending, 0, "running", "0", true},
		{"lost by the queue", store.LogPending, 0, "", "0", true},
		{"behind a limit, never asked for", store.LogPending, 0, "scheduled", "1 hour", true},
		{"behind a limit", store.LogPending, 403, "scheduled", "1 hour", true},
		{"after an error of the server", store.LogPending, 502, "scheduled", "4 minutes", true},
		{"after errors of the server", store.LogPending, 502, "scheduled", "6 minutes", false},
		{"not there, tried again soon", store.LogPending, 404, "scheduled", "10 seconds", true},
		{"not there, put off", store.LogPending, 404, "scheduled", "20 seconds", false},
		{"not finished, put off", store.LogPending, 200, "scheduled", "20 seconds", false},
		{"not there, and available", store.LogPending, 404, "available", "0", true},
		{"not there, and running", store.LogPending, 404, "running", "1 hour", true},
		{"not there, and lost", store.LogPending, 404, "", "0", true},
		{"archived", store.LogArchived, 200, "", "0", false},
		{"denied", store.LogDenied, 403, "scheduled", "1 hour", false},
		{"denied, asked again", store.LogDenied, 403, "available", "0", true},
		{"missing, asked again", store.LogMissing, 404, "available", "0", true},
		{"missing, asked again behind a limit", store.LogMissing, 404, "scheduled", "1 hour", true},
		{"missing", store.LogMissing, 404, "", "0", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			f.listedRun(100, 1, 0, "completed", 1)
			if c.status != 0 {
				trouble := store.NotYet
				if c.status > 429 {
					trouble = store.Failed
				}
				f.check(f.db.NoteAttempt(t.Context(), store.Attempt{JobID: 1, Asked: true, Status: max(c.status, 0), Reason: "so it is", Trouble: trouble, At: day}))
			}
			if c.state != store.LogPending {
				f.settle(settledAs(1, c.state))
			}
			if c.queue == "" {
				f.exec(`DELETE FROM queue.river_job`)
			} else {
				f.queueState(1, c.queue)
				f.exec(`UPDATE queue.river_job SET scheduled_at = now() + $1::text::interval`, c.in)
			}
			n, err := f.db.Waiting(t.Context(), store.ListedRuns{Repositories: []int64{1}})
			f.check(err)
			if (n == 1) != c.waits || n > 1 {
				t.Errorf("%d are waited for", n)
			}
		})
	}
}

// Only jobs of the runs in question that have completed are waited for.
func TestWaitingCountsListedRuns(t *testing.T) {
	f := newFixture(t)
	f.listedRun(100, 1, 0, "completed", 1, 2)
	f.listedRun(101, 1, 5, "completed", 3)
	f.listedRun(102, 1, 5, "in_progress", 4)
	f.listedRun(700, 7, 5, "completed", 5)
	f.tell(factsOf(6, "completed"))
	for _, c := range []struct {
		repositories []int64
		since, until time.Time
		also         []int64
		want         int
	}{
		{[]int64{1, 7}, time.Time{}, time.Time{}, nil, 4},
		{[]int64{1}, time.Time{}, time.Time{}, nil, 3},
		{[]int64{1}, time.Time{}, hour(5), nil, 2},
		{[]int64{1, 7}, hour(5), time.Time{}, nil, 2},
		{nil, time.Time{}, time.Time{}, nil, 0},
		{[]int64{1}, hour(9), time.Time{}, []int64{100, 102}, 2},
	} {
		n, err := f.db.Waiting(t.Context(), store.ListedRuns{Repositories: c.repositories, Since: c.since, Until: c.until, Also: c.also})
		f.check(err)
		if n != c.want {
			t.Errorf("repositories %v, %s to %s: %d, want %d", c.repositories, c.since, c.until, n, c.want)
		}
	}
}
