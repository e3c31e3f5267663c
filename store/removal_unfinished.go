package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// ReopenRemoval marks a removal as unfinished, because something of it was found in the
// bucket.
func (db *DB) ReopenRemoval(ctx context.Context, jobID int64) error {
	if _, err := db.pool.Exec(ctx, `UPDATE log_removals SET finished_at = NULL, attempts = 0, retry_at = NULL, error = NULL WHERE job_id = $1`, jobID); err != nil {
		return fmt.Errorf("store: reopen removal of job %d: %w", jobID, err)
	}
	return nil
}

// DelayRemoval notes why a removal could not be finished, and makes DueRemovals wait with
// it: a minute, doubling with each failure, up to a day. A removal that was finished
// meanwhile stays finished.
func (db *DB) DelayRemoval(ctx context.Context, jobID int64, why string) error {
	_, err := db.pool.Exec(ctx, `
		UPDATE log_removals SET attempts = attempts + 1, error = $2, retry_at = now() + least(interval '1 minute' * 2 ^ least(attempts, 16), interval '1 day')
		WHERE job_id = $1 AND finished_at IS NULL`, jobID, why)
	if err != nil {
		return fmt.Errorf("store: delay removal of job %d: %w", jobID, err)
	}
	return nil
}

// UnfinishedRemoval is a removal of which the bucket may still have something.
type UnfinishedRemoval struct {
	Removal
	Hold *int64 // a hold that covers it, and keeps what is there; nil: none
}

// UnfinishedRemovals lists up to limit unfinished removals in the order of job ids,
// starting after the given one.
func (db *DB) UnfinishedRemovals(ctx context.Context, after int64, limit int) ([]UnfinishedRemoval, error) {
	return db.unfinished(ctx, ``, after, limit)
}

// DueRemovals lists, as UnfinishedRemovals does, those that are to be tried again by now
// and that no hold covers.
func (db *DB) DueRemovals(ctx context.Context, after int64, limit int) ([]UnfinishedRemoval, error) {
	return db.unfinished(ctx, `AND (m.retry_at IS NULL OR m.retry_at <= now()) AND NOT EXISTS (SELECT`+holdOfJob+`)`, after, limit)
}

// unfinished has OFFSET 0, by which each job is looked up by its removal: Postgres may
// otherwise read all jobs to join them.
func (db *DB) unfinished(ctx context.Context, and string, after int64, limit int) ([]UnfinishedRemoval, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT `+removalColumns+`, (SELECT min(h.id)`+holdOfJob+`) AS hold
		FROM log_removals m, LATERAL (SELECT id, run_id, repository_id FROM jobs WHERE id = m.job_id OFFSET 0) j
		WHERE m.finished_at IS NULL AND m.job_id > $1 `+and+`
		ORDER BY m.job_id LIMIT $2`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("store: unfinished removals: %w", err)
	}
	removals, err := pgx.CollectRows(rows, pgx.RowToStructByName[UnfinishedRemoval])
	if err != nil {
		return nil, fmt.Errorf("store: unfinished removals: %w", err)
	}
	return removals, nil
}

// CountUnfinishedRemovals counts the unfinished removals, including those that a hold
// covers.
func (db *DB) CountUnfinishedRemovals(ctx context.Context) (n int64, err error) {
	if err := db.pool.QueryRow(ctx, `SELECT count(*) FROM log_removals WHERE finished_at IS NULL`).Scan(&n); err != nil {
		return 0, fmt.Errorf("store: count unfinished removals: %w", err)
	}
	return n, nil
}
