package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Overview selects the jobs of figures: those that ran, and were created at or after Since.
type Overview struct {
	Repositories []int64 // nil: all
	Since        time.Time
}

// DayFigures are figures of the jobs that were created on a day, UTC. Durations are in
// seconds, and nil if no job has one. Cancelled and skipped jobs count neither as
// succeeded nor as failed.
type DayFigures struct {
	Day       time.Time
	Jobs      int64
	Succeeded int64
	Failed    int64
	QueueP50  *float64 `db:"queue_p50"` // from creation to a runner's start
	QueueP95  *float64 `db:"queue_p95"`
	RunP50    *float64 `db:"run_p50"` // from start to completion
	RunP95    *float64 `db:"run_p95"`
}

// DailyFigures lists the figures of each day that has jobs, the oldest first.
func (db *DB) DailyFigures(ctx context.Context, o Overview) ([]DayFigures, error) {
	return overview[DayFigures](ctx, db, `
		SELECT date_trunc('day', created_at, 'UTC') AS day, count(*) AS jobs, count(*) FILTER (WHERE conclusion = 'success') AS succeeded,
		       count(*) FILTER (WHERE conclusion IN ('failure', 'timed_out')) AS failed,
		       percentile_cont(0.5) WITHIN GROUP (ORDER BY queued) AS queue_p50, percentile_cont(0.95) WITHIN GROUP (ORDER BY queued) AS queue_p95,
		       percentile_cont(0.5) WITHIN GROUP (ORDER BY ran) AS run_p50, percentile_cont(0.95) WITHIN GROUP (ORDER BY ran) AS run_p95
		FROM (SELECT created_at, conclusion,
		             extract(epoch FROM CASE WHEN runner_id IS NOT NULL AND started_at >= created_at THEN started_at - created_at END)::float8 AS queued,
		             extract(epoch FROM CASE WHEN runner_id IS NOT NULL AND completed_at >= started_at THEN completed_at - started_at END)::float8 AS ran
		      FROM jobs WHERE created_at >= $2 AND carried_over_from IS NULL AND ($1::bigint[] IS NULL OR repository_id = ANY($1))) j
		GROUP BY 1 ORDER BY 1`, o)
}

// Heavy is a job or a step of a workflow that takes long or fails often.
type Heavy struct {
	Owner      string
	Repository string
	Workflow   *string
	Job        string
	Step       string // empty: it is the job
	Times      int64  // how often it ran to an end
	Failed     int64
	P95        float64 `db:"p95"` // seconds
	Slow       bool    // whether it is among the slowest, or else among those that fail most
}

// maxHeavy is the length of each list of heavy jobs or steps.
const maxHeavy = 10

// HeavyJobs lists the jobs that take longest, by the 95th percentile, and those that
// fail most.
func (db *DB) HeavyJobs(ctx context.Context, o Overview) (slowest, failing []Heavy, err error) {
	return db.heavy(ctx, o, `
		SELECT j.repository_id, w.workflow_name AS workflow, j.name AS job, '' AS step, count(*) AS times,
		       count(*) FILTER (WHERE j.conclusion IN ('failure', 'timed_out')) AS failed,
		       coalesce(percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM j.completed_at - j.started_at)::float8), 0) AS p95
		FROM jobs j JOIN workflow_runs w ON w.id = j.run_id
		WHERE j.created_at >= $2 AND j.carried_over_from IS NULL AND ($1::bigint[] IS NULL OR j.repository_id = ANY($1))
		  AND j.conclusion IN ('success', 'failure', 'timed_out') AND j.completed_at >= j.started_at
		GROUP BY 1, 2, 3`)
}

// HeavySteps lists the steps that take longest, by the 95th percentile, and those
// that fail most.
func (db *DB) HeavySteps(ctx context.Context, o Overview) (slowest, failing []Heavy, err error) {
	return db.heavy(ctx, o, `
		SELECT j.repository_id, w.workflow_name AS workflow, j.name AS job, s.name AS step, count(*) AS times,
		       count(*) FILTER (WHERE s.conclusion = 'failure') AS failed,
		       coalesce(percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM s.completed_at - s.started_at)::float8), 0) AS p95
		FROM jobs j JOIN workflow_runs w ON w.id = j.run_id JOIN steps s ON s.job_id = j.id
		WHERE j.created_at >= $2 AND j.carried_over_from IS NULL AND ($1::bigint[] IS NULL OR j.repository_id = ANY($1))
		  AND s.conclusion IN ('success', 'failure') AND s.completed_at >= s.started_at
		GROUP BY 1, 2, 3, 4`)
}

// heavy makes both lists in one query.
func (db *DB) heavy(ctx context.Context, o Overview, all string) (slowest, failing []Heavy, err error) {
	found, err := overview[Heavy](ctx, db, `
		WITH everything AS (`+all+`),
		heavy AS ((SELECT *, true AS slow FROM everything ORDER BY p95 DESC, times DESC, job, step LIMIT $3)
		          UNION ALL
		          (SELECT *, false FROM everything WHERE failed > 0 ORDER BY failed DESC, times, job, step LIMIT $3))
		SELECT r.owner, r.name AS repository, h.workflow, h.job, h.step, h.times, h.failed, h.p95, h.slow
		FROM heavy h JOIN repositories r ON r.id = h.repository_id
		ORDER BY CASE WHEN slow THEN p95 ELSE failed END DESC, CASE WHEN slow THEN -times ELSE times END, job, step`, o, maxHeavy)
	for _, h := range found {
		if h.Slow {
			slowest = append(slowest, h)
		} else {
			failing = append(failing, h)
		}
	}
	return slowest, failing, err
}

func overview[T any](ctx context.Context, db *DB, sql string, o Overview, args ...any) ([]T, error) {
	rows, err := db.pool.Query(ctx, sql, append([]any{o.Repositories, o.Since}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("store: overview: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[T])
	if err != nil {
		return nil, fmt.Errorf("store: overview: %w", err)
	}
	return list, nil
}
