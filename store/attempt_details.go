package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// AttemptJobs is what is known of the jobs of one attempt.
type AttemptJobs struct {
	Known   int     // how many there are
	Waiting []int64 // have completed and are pending, and the REST API has not described them
}

// AttemptJobs looks for the jobs of an attempt, whose number may not be told: then it is
// the first.
func (db *DB) AttemptJobs(ctx context.Context, runID int64, attempt *int64) (AttemptJobs, error) {
	var a AttemptJobs
	err := db.pool.QueryRow(ctx, `
		SELECT count(*),
			coalesce(array_agg(j.id) FILTER (WHERE j.status = 'completed' AND j.fetched_at IS NULL AND l.state = 'pending'), '{}')
		FROM jobs j JOIN job_logs l ON l.job_id = j.id
		WHERE j.run_id = $1 AND coalesce(j.run_attempt, 1) = coalesce($2::bigint, 1)`, runID, attempt).Scan(&a.Known, &a.Waiting)
	if err != nil {
		return a, fmt.Errorf("store: jobs of run %d: %w", runID, err)
	}
	return a, nil
}

// RecordDescribed writes the REST API's descriptions of completed jobs, which are final,
// and enqueues those of untold that are not settled: nobody has enqueued them.
func (db *DB) RecordDescribed(ctx context.Context, facts []Facts, untold []int64, at time.Time, p Priority) error {
	described, ids := make([]Facts, len(facts)), make([]int64, len(facts))
	for i, f := range facts {
		f.Job.FetchedAt = &at
		described[i], ids[i] = f, f.Job.ID
	}
	return db.inTx(ctx, "record described jobs", func(ctx context.Context, tx pgx.Tx) error {
		if err := lockJobs(ctx, tx, ids); err != nil {
			return err
		}
		if err := writeFacts(ctx, tx, described); err != nil {
			return err
		}
		return db.enqueueCompleted(ctx, tx, untold, p)
	})
}
