package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Claimant announces a live worker process to the others: it holds an advisory lock in
// Postgres for as long as its connection lives. River marks a job as running without
// knowing whether its worker lives, and never rescues a job that has no time-out; once
// the lock is free, the worker is dead and its jobs are given back. The lock belongs to a
// session: a transaction pooler breaks it.
type Claimant struct {
	conn *pgxpool.Conn
	id   string
}

// claimLock is the key of the lock for the worker with River client id $1.
const claimLock = `hashtextextended('jobvault worker ' || $1, 0)`

// NewClaimant announces the worker whose River client has the id. Call it before
// that client starts, and Close after it has stopped.
func (db *DB) NewClaimant(ctx context.Context, id string) (*Claimant, error) {
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("store: announce worker: %w", err)
	}
	var held bool
	err = conn.QueryRow(ctx, `SELECT pg_try_advisory_lock(`+claimLock+`)`, id).Scan(&held)
	if err == nil && !held {
		err = errors.New("the id is taken")
	}
	if err != nil {
		conn.Release()
		return nil, fmt.Errorf("store: announce worker %s: %w", id, err)
	}
	return &Claimant{conn: conn, id: id}, nil
}

// ReleaseDead gives back the running jobs of workers that are dead, and returns how many.
// After an error this worker's own lock may be lost; then make a new Claimant. A worker
// that only lost its connection may go on with a job that another has taken over:
// archiving twice is harmless.
func (c *Claimant) ReleaseDead(ctx context.Context) (int64, error) {
	rows, err := c.conn.Query(ctx, `
		SELECT DISTINCT attempted_by[array_upper(attempted_by, 1)] FROM queue.river_job
		WHERE state = 'running' AND attempted_by[array_upper(attempted_by, 1)] <> $1`, c.id)
	if err != nil {
		return 0, fmt.Errorf("store: find dead workers: %w", err)
	}
	defer rows.Close()
	var others []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return 0, fmt.Errorf("store: find dead workers: %w", err)
		}
		others = append(others, id)
	}
	if err := rows.Err(); err != nil {
		return 0, fmt.Errorf("store: find dead workers: %w", err)
	}
	var total int64
	for _, id := range others {
		n, err := c.releaseIfDead(ctx, id)
		if err != nil {
			return total, fmt.Errorf("store: release jobs of worker %s: %w", id, err)
		}
		total += n
	}
	return total, nil
}

func (c *Claimant) releaseIfDead(ctx context.Context, id string) (int64, error) {
	var dead bool
	if err := c.conn.QueryRow(ctx, `SELECT pg_try_advisory_lock(`+claimLock+`)`, id).Scan(&dead); err != nil || !dead {
		return 0, err
	}
	// The attempt was not the job's fault.
	tag, err := c.conn.Exec(ctx, `
		UPDATE queue.river_job
		SET state = 'available', attempt = greatest(attempt - 1, 0), scheduled_at = now()
		WHERE state = 'running' AND attempted_by[array_upper(attempted_by, 1)] = $1`, id)
	if err != nil {
		return 0, err
	}
	_, err = c.conn.Exec(ctx, `SELECT pg_advisory_unlock(`+claimLock+`)`, id)
	return tag.RowsAffected(), err
}

// ReleaseLost gives back the jobs of LongWork that this worker claimed at least a minute
// ago and does not run, because the connection broke before the answer to the claim
// arrived. running are the River ids of the jobs that it does run.
func (c *Claimant) ReleaseLost(ctx context.Context, running []int64) (int64, error) {
	tag, err := c.conn.Exec(ctx, `
		UPDATE queue.river_job
		SET state = 'available', attempt = greatest(attempt - 1, 0), scheduled_at = now()
		WHERE state = 'running' AND kind = ANY($3) AND attempted_by[array_upper(attempted_by, 1)] = $1
		  AND attempted_at < now() - interval '1 minute' AND id <> ALL($2)`, c.id, running, LongWork)
	if err != nil {
		return 0, fmt.Errorf("store: release lost jobs: %w", err)
	}
	return tag.RowsAffected(), nil
}

// Close ends the connection, and with it the lock.
func (c *Claimant) Close(ctx context.Context) error {
	return c.conn.Hijack().Close(ctx)
}
