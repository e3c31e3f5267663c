package migrations_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/jobvault/jobvault/internal/testenv"
)

// releaseBefore is the number of the last migration of the release before this one: its
// jobvault archives beside this one's migrations.
const releaseBefore = 17

// crowd fills a database of the release before with runs of 15 jobs, each of which was
// listed once more with a second attempt: of all rows there is a migration that goes over
// them.
const crowd = `
	INSERT INTO repositories (id, owner, name, seen_at) SELECT n, 'acme', 'r' || n, now() FROM generate_series(1, 20) n;
	INSERT INTO workflow_runs (id, repository_id, workflow_name, head_branch, head_sha)
	SELECT n, 1 + n %% 20, 'ci', 'main', md5(n::text) FROM generate_series(1, %[1]d) n;
	INSERT INTO jobs (id, run_id, run_attempt, repository_id, name, status, conclusion, created_at, started_at, completed_at, runner_id, runner_name, fetched_at)
	SELECT a * 100000000 + r * 15 + n, r, a, 1 + r %% 20, 'job ' || n, 'completed', 'success', at, at + interval '5 s', at + interval '1 min', n, 'runner-' || n, now()
	FROM generate_series(1, %[1]d) r, LATERAL (SELECT '2026-01-01'::timestamptz + r * interval '1 min' AS at) t, generate_series(1, 15) n, generate_series(1, 2) a;
	INSERT INTO job_logs (job_id, state, reason, settled_at) SELECT id, 'missing', 'deadline', now() FROM jobs;
	INSERT INTO steps (job_id, number, name, status, conclusion, started_at, completed_at)
	SELECT id, n, 'step ' || n, 'completed', 'success', started_at, completed_at FROM jobs, generate_series(1, 4) n;
	INSERT INTO job_actions (job_id, seq, action, ref, resolved_sha, log_line, in_setup)
	SELECT id, n, 'actions/checkout', 'v4', md5(n::text), 5, true FROM jobs, generate_series(0, 2) n;`

func fill(t testing.TB, pool *pgxpool.Pool, runs int) {
	t.Helper()
	exec(t, pool, "DO $$ BEGIN "+fmt.Sprintf(crowd, runs)+" END $$")
}

// archiving writes as receiver and workers of the release before do, for one job of a run
// after the other, until the context ends, and returns the longest that it took.
func archiving(ctx context.Context, pool *pgxpool.Pool, runs, worker int64) (longest time.Duration, jobs int, err error) {
	for id := worker * 10_000_000_000; ctx.Err() == nil; id++ {
		run, began := 1+rand.Int64N(runs), time.Now()
		err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			for _, statement := range []string{
				`INSERT INTO deliveries (guid, event, action, received_at, repository_id, job_id, payload, state, error)
				 SELECT gen_random_uuid(), 'workflow_job', 'completed', statement_timestamp(), $2::bigint, $1::bigint, 'payload', 'done', NULL`,
				`SELECT FROM workflow_runs WHERE id = $2 AND $1::bigint > 0 FOR NO KEY UPDATE`,
				`INSERT INTO jobs (id, run_id, run_attempt, repository_id, name, status, created_at) SELECT $1::bigint, id, 1, repository_id, 'job', 'queued', now() FROM workflow_runs WHERE id = $2::bigint`,
				`INSERT INTO job_logs (job_id) SELECT $1::bigint WHERE $2::bigint > 0`,
				`UPDATE jobs SET status = 'completed', conclusion = 'success', runner_id = $1::bigint, runner_name = 'runner', started_at = now(), completed_at = now() WHERE id = $1 AND $2::bigint > 0`,
				`INSERT INTO steps (job_id, number, name, status, log_first_line, log_last_line) SELECT $1::bigint, 1, 'build', 'completed', 1, 2 WHERE $2::bigint > 0`,
				`INSERT INTO job_actions (job_id, seq, action, ref, log_line, in_setup) SELECT $1::bigint, 0, 'actions/checkout', 'v4', 1, true WHERE $2::bigint > 0`,
				`UPDATE job_logs SET state = 'missing', reason = 'deadline', settled_at = now() WHERE job_id = $1 AND $2::bigint > 0`,
			} {
				if _, err := tx.Exec(ctx, statement, id, run); err != nil {
					return fmt.Errorf("%s: %w", statement, err)
				}
			}
			return nil
		})
		if err != nil && ctx.Err() == nil {
			return longest, jobs, err
		}
		longest, jobs = max(longest, time.Since(began)), jobs+1
	}
	return longest, jobs, nil
}

// The longest that archiving waits for a migration is in no proportion to the tables: each
// step takes its locks for a moment. This is for the migrations since the release before.
func TestArchivingGoesOnBesideMigrations(t *testing.T) {
	const runs = 600
	pool := testenv.Pool(t)
	m := newMigrator(t, pool)
	for s, err := m.State(t.Context()); s.Current > releaseBefore; s, err = m.State(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		down(t, m)
	}
	fill(t, pool, runs)
	type outcome struct {
		longest time.Duration
		jobs    int
		err     error
	}
	const workers = 3
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	outcomes := make(chan outcome, workers)
	for worker := range int64(workers) {
		go func() {
			longest, jobs, err := archiving(ctx, pool, runs, worker+1)
			outcomes <- outcome{longest, jobs, err}
		}()
	}
	began := time.Now()
	up(t, m)
	took := time.Since(began)
	cancel()
	for range workers {
		o := <-outcomes
		t.Logf("%d jobs archived beside migrations that took %s, each within %s", o.jobs, took, o.longest)
		if o.err != nil {
			t.Error(o.err)
		}
		if o.jobs == 0 || o.longest > max(500*time.Millisecond, took/8) {
			t.Errorf("archiving stood still for %s of the %s that the migrations took", o.longest, took)
		}
	}
	if linked := column[int64](t, pool, `SELECT count(carried_over_from) FROM jobs`); linked[0] != runs*15 {
		t.Errorf("%d jobs are linked to those that ran, want %d", linked[0], runs*15)
	}
}
