package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/jobvault/jobvault/store"
)

// retried are the live rows of the queue that ask for missing jobs once more.
func (f *fixture) retried() []int64 {
	f.t.Helper()
	return column[int64](f, `
		SELECT (args->>'job_id')::bigint FROM queue.river_job
		WHERE (args->>'again')::boolean AND state = ANY($1::text[]::queue.river_job_state[]) ORDER BY 1`, liveStates)
}

// Of listed runs, what is missing is asked for once more, and what is denied now; nothing
// else is, and nothing twice at a time.
func TestRetryAsksForWhatWasGivenUpOrRefused(t *testing.T) {
	f := newFixture(t)
	for i, state := range allStates {
		id := int64(i + 1)
		f.listedRun(100+id, 1, i, "completed", id)
		f.settle(settledAs(id, state))
	}
	f.listedRun(700, 7, 0, "completed", 70)
	f.completed(80) // of a run that nobody listed
	f.settle(settledAs(70, store.LogMissing))
	f.settle(settledAs(80, store.LogMissing))
	f.exec(`DELETE FROM queue.river_job WHERE (args->>'job_id')::bigint <> $1`, denied)
	f.exec(`UPDATE queue.river_job SET state = 'scheduled', scheduled_at = now() + interval '5 hours'`)
	retry := func(want int, repositories []int64, since, until time.Time) {
		t.Helper()
		n, err := f.db.RetryRuns(t.Context(), store.ListedRuns{Repositories: repositories, Since: since, Until: until}, store.PrioritySweep)
		f.check(err)
		if n != want {
			t.Errorf("%d are retried, want %d", n, want)
		}
	}
	retry(0, []int64{2}, time.Time{}, time.Time{})
	retry(0, []int64{1}, time.Time{}, hour(missing-1))
	retry(0, []int64{1}, hour(denied), time.Time{})
	f.wantEnqueued(denied)
	for range 2 {
		retry(2, []int64{1}, time.Time{}, time.Time{})
		f.wantEnqueued(missing, denied)
		if diff := cmp.Diff([]int64{missing}, f.retried(), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("asked for once more (-want +got):\n%s", diff)
		}
	}
	if due := scalar[int](f, `SELECT count(*) FROM queue.river_job WHERE state = 'available' AND scheduled_at <= now()`); due != 2 {
		t.Errorf("%d of 2 are due", due)
	}
	waits, err := f.db.Waiting(t.Context(), store.ListedRuns{Repositories: []int64{1, 7}})
	f.check(err)
	if waits != 3 { // with the one that is pending
		t.Errorf("%d are waited for, want 3", waits)
	}
	if got := scalar[string](f, `SELECT state FROM job_logs WHERE job_id = $1`, missing); got != store.LogMissing {
		t.Errorf("what is asked for once more is %s", got)
	}
}

// The jobs of TestRetryAsksForWhatWasGivenUpOrRefused, as allStates has them.
const (
	missing = 5
	denied  = 6
)

func TestRetryGoesOnUntilAllAreEnqueued(t *testing.T) {
	f := newFixture(t)
	f.listedRun(100, 1, 0, "completed", 1)
	const jobs = 2001
	f.exec(`INSERT INTO jobs (id, run_id, repository_id, name, status) SELECT i, 100, 1, 'build', 'completed' FROM generate_series(2, $1::bigint) i`, jobs)
	f.exec(`INSERT INTO job_logs (job_id, state, settled_at) SELECT id, 'missing', now() FROM jobs WHERE id > 1`)
	f.settle(settledAs(1, store.LogMissing))
	f.exec(`DELETE FROM queue.river_job`)
	n, err := f.db.RetryRuns(t.Context(), store.ListedRuns{Repositories: []int64{1}}, store.PriorityBackfill)
	f.check(err)
	if n != jobs || len(f.retried()) != jobs {
		t.Errorf("%d retried, %d enqueued, want %d", n, len(f.retried()), jobs)
	}
}

// What was asked for in vain before somebody had it asked for again neither ends it nor puts
// it off.
func TestRetryForgetsTrouble(t *testing.T) {
	f := newFixture(t)
	for i, id := range []int64{missing, denied} {
		f.listedRun(100+id, 1, i, "completed", id)
		f.settle(settledAs(id, map[int64]string{missing: store.LogMissing, denied: store.LogDenied}[id]))
	}
	f.exec(`UPDATE job_logs SET trying_since = now() - interval '30 days', refused_days = 30, failed_days = 7, failed_on = current_date`)
	_, err := f.db.RetryRuns(t.Context(), store.ListedRuns{Repositories: []int64{1}}, store.PrioritySweep)
	f.check(err)
	got := column[string](f, `SELECT format('%s %s %s %s', state, trying_since IS NULL, coalesce(refused_days, 0), coalesce(failed_days, 0)) FROM job_logs ORDER BY job_id`)
	if diff := cmp.Diff([]string{"missing t 30 7", "denied t 0 0"}, got); diff != "" {
		t.Errorf("the ledger says (-want +got):\n%s", diff)
	}
}

// However many jobs there are, each is read some few times.
func TestRetryReadsInProportion(t *testing.T) {
	f := newFixture(t)
	if scalar[int](f, `SELECT current_setting('server_version_num')::integer`) < 150000 {
		t.Skip("Postgres 14 does not tell at once what was read")
	}
	const runs, jobs = 1000, 20_000
	f.listedRun(100, 1, 0, "completed", 1)
	f.exec(`INSERT INTO workflow_runs (id, repository_id) SELECT 1000 + i, 1 FROM generate_series(1, $1::bigint) i`, runs)
	f.exec(`INSERT INTO run_attempts SELECT 1000 + i, 1, 1, now(), 20, true, now() FROM generate_series(1, $1::bigint) i`, runs)
	f.exec(`INSERT INTO jobs (id, run_id, repository_id, name, status) SELECT 1000 + i, 1001 + i % $2, 1, 'build', 'completed' FROM generate_series(1, $1::bigint) i`, jobs, runs)
	f.exec(`INSERT INTO job_logs (job_id, state, settled_at) SELECT id, 'missing', now() FROM jobs WHERE id > 1000`)
	f.exec(`ANALYZE`)
	read := func() int {
		f.exec(`SELECT pg_stat_force_next_flush()`)
		return scalar[int](f, `SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'jobs'`)
	}
	before := read()
	n, err := f.db.RetryRuns(t.Context(), store.ListedRuns{Repositories: []int64{1}}, store.PriorityBackfill)
	f.check(err)
	if read := read() - before; n != jobs || read < jobs || read > 3*jobs {
		t.Errorf("%d of %d jobs are retried; rows of jobs were read %d times", n, jobs, read)
	}
}
