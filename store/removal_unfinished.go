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
	return db.unfinished(ctx, `SELECT * FROM unfinished ORDER BY job_id LIMIT $2`, after, limit)
}

// DueRemovals lists, as UnfinishedRemovals does, those that are to be tried again by now
// and that no hold covers.
func (db *DB) DueRemovals(ctx context.Context, after int64, limit int) ([]UnfinishedRemoval, error) {
	return db.unfinished(ctx, `SELECT * FROM unfinished WHERE hold IS NULL AND (retry_at IS NULL OR retry_at <= now()) ORDER BY job_id LIMIT $2`, after, limit)
}

func (db *DB) unfinished(ctx context.Context, query string, after int64, limit int) ([]UnfinishedRemoval, error) {
	rows, err := db.pool.Query(ctx, `
		WITH unfinished AS (
			SELECT m.*, (SELECT min(h.id) FROM holds h WHERE h.released_at IS NULL
			             AND (h.repository_id = j.repository_id OR h.run_id = j.run_id OR h.job_id = j.id)) AS hold
			FROM (SELECT `+removalColumns+` FROM log_removals WHERE finished_at IS NULL AND job_id > $1) m JOIN jobs j ON j.id = m.job_id
		) `+query, after, limit)
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
