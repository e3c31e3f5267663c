package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// RunClaims announce to others which runs one sweep, or the archive workers of one process,
// are listing the attempts of, so that two do not both ask GitHub for them: each is an
// advisory lock that lasts as long as its connection, which is taken from the pool while
// anything is claimed. They save requests and no more: whoever goes on without one does no
// harm. Methods may be called by several goroutines; one RunClaims does not tell apart who
// of them has claimed a run.
type RunClaims struct {
	pool *pgxpool.Pool
	mu   sync.Mutex
	conn *pgxpool.Conn // nil: nothing is claimed
	held int           // claims that the connection has
}

// minClaimConns is the size of a pool from which claims take a connection for themselves.
// What is left of a smaller one, workers need.
const minClaimConns = 8

// claimTime bounds how long the connection of claims may keep anybody waiting.
const claimTime = 10 * time.Second

// NewRunClaims makes claims that are none yet. Close gives up those that are not released.
func (db *DB) NewRunClaims() *RunClaims { return &RunClaims{pool: db.pool} }

// runClaim is the key of the lock for the run with id $1.
const runClaim = `hashtextextended('jobvault sweep of run ' || $1::bigint, 0)`

// Try claims a run, and reports whether nobody else has it. After an error the claims
// are lost, and the next Try begins with none.
func (c *RunClaims) Try(ctx context.Context, runID int64) (claimed bool, err error) {
	if c.pool.Stat().MaxConns() < minClaimConns {
		return true, nil
	}
	return c.query(ctx, `SELECT pg_try_advisory_lock(`+runClaim+`)`, runID, 1)
}

// Release gives up a run that Try has claimed, also when ctx has ended.
func (c *RunClaims) Release(ctx context.Context, runID int64) error {
	_, err := c.query(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock(`+runClaim+`)`, runID, -1)
	return err
}

// query locks or unlocks on the claims' own connection: more is 1 or -1. Without a claim
// the connection goes back to the pool.
func (c *RunClaims) query(ctx context.Context, sql string, runID int64, more int) (done bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, claimTime)
	defer cancel()
	switch {
	case c.conn == nil && more < 0:
		return false, nil // it is given up already
	case c.conn == nil:
		c.conn, err = c.pool.Acquire(ctx)
	}
	if err == nil {
		err = c.conn.QueryRow(ctx, sql, runID).Scan(&done)
	}
	if err != nil {
		return false, fmt.Errorf("store: claim run %d: %w", runID, errors.Join(err, c.end()))
	}
	if done {
		c.held += more
	}
	if c.held == 0 {
		c.conn.Release()
		c.conn = nil
	}
	return done, nil
}

// Close gives up all claims.
func (c *RunClaims) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.end()
}

// end gives up the locks, and ends their connection: in the pool they would go on. Postgres
// may see only later that a connection has ended; if it cannot be told, it gives them up then.
func (c *RunClaims) end() error {
	if c.conn == nil {
		return nil
	}
	conn := c.conn.Hijack()
	c.conn, c.held = nil, 0
	ctx, cancel := context.WithTimeout(context.Background(), claimTime)
	defer cancel()
	_, _ = conn.Exec(ctx, `SELECT pg_advisory_unlock_all()`)
	return conn.Close(ctx)
}
