package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// ReplaceLock makes one worker the only one who may put a log in the place of one of a job
// that is damaged: an advisory lock that lasts as long as its connection.
type ReplaceLock struct {
	conn *pgxpool.Conn // nil: the pool is too small for it
}

// replaceLock is the key of the lock for the job with id $1.
const replaceLock = `hashtextextended('jobvault replacing the log of job ' || $1::bigint, 0)`

// replaceLockTime bounds what is asked on the lock's connection.
const replaceLockTime = 10 * time.Second

// LockReplace takes the lock; held is false if another worker has it. A pool of fewer than
// eight connections does without: workers need what it has.
func (db *DB) LockReplace(ctx context.Context, jobID int64) (l *ReplaceLock, held bool, err error) {
	if db.pool.Stat().MaxConns() < minClaimConns {
		return &ReplaceLock{}, true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, replaceLockTime)
	defer cancel()
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("store: lock the log of job %d: %w", jobID, err)
	}
	l = &ReplaceLock{conn: conn}
	if err = conn.QueryRow(ctx, `SELECT pg_try_advisory_lock(`+replaceLock+`)`, jobID).Scan(&held); err != nil {
		err = fmt.Errorf("store: lock the log of job %d: %w", jobID, err)
	}
	if err != nil || !held {
		l.Unlock()
		return nil, false, err
	}
	return l, true, nil
}

// Confirm fails if the lock may be another's by now: its connection has ended.
func (l *ReplaceLock) Confirm(ctx context.Context) error {
	if l.conn == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, replaceLockTime)
	defer cancel()
	if err := l.conn.Ping(ctx); err != nil {
		return fmt.Errorf("store: the lock of a log is lost: %w", err)
	}
	return nil
}

// Unlock gives the lock up, and ends its connection: in the pool it would go on.
func (l *ReplaceLock) Unlock() {
	if l.conn == nil {
		return
	}
	conn := l.conn.Hijack()
	l.conn = nil
	ctx, cancel := context.WithTimeout(context.Background(), replaceLockTime)
	defer cancel()
	_, _ = conn.Exec(ctx, `SELECT pg_advisory_unlock_all()`)
	_ = conn.Close(ctx) // with the session, the lock goes
}
