package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// RunClaims announce to other sweeps which runs one sweep is listing the attempts of, so
// that two over the same time do not both ask GitHub for them: each is an advisory lock
// that lasts as long as its connection, which is the sweep's own. They save requests and
// no more: whoever goes on without one does no harm. Methods may be called by several
// goroutines.
type RunClaims struct {
	pool *pgxpool.Pool
	mu   sync.Mutex
	conn *pgxpool.Conn // nil: none is claimed yet
}

// minClaimConns is the size of a pool from which a sweep takes a connection for itself.
// What is left of a smaller one, workers need.
const minClaimConns = 8

// claimTime bounds how long the connection of claims may keep a sweep waiting.
const claimTime = 10 * time.Second

// NewRunClaims makes the claims of one sweep. Close them when it has ended.
func (db *DB) NewRunClaims() *RunClaims { return &RunClaims{pool: db.pool} }

// runClaim is the key of the lock for the run with id $1.
const runClaim = `hashtextextended('jobvault sweep of run ' || $1::bigint, 0)`

// Try claims a run, and reports whether no other sweep has it. After an error the claims
// are lost, and the next Try begins with none.
func (c *RunClaims) Try(ctx context.Context, runID int64) (claimed bool, err error) {
	if c.pool.Stat().MaxConns() < minClaimConns {
		return true, nil
	}
	err = c.query(ctx, `SELECT pg_try_advisory_lock(`+runClaim+`)`, runID, true, &claimed)
	return claimed, err
}

// Release gives up a run that Try has claimed, also when ctx has ended.
func (c *RunClaims) Release(ctx context.Context, runID int64) error {
	var held bool
	return c.query(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock(`+runClaim+`)`, runID, false, &held)
}

// query asks on the claims' own connection; begin: it is opened if there is none.
func (c *RunClaims) query(ctx context.Context, sql string, runID int64, begin bool, to *bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, claimTime)
	defer cancel()
	var err error
	switch {
	case c.conn == nil && !begin:
		return nil // it is given up already
	case c.conn == nil:
		c.conn, err = c.pool.Acquire(ctx)
	}
	if err == nil {
		err = c.conn.QueryRow(ctx, sql, runID).Scan(to)
	}
	if err != nil {
		return fmt.Errorf("store: claim run %d: %w", runID, errors.Join(err, c.end()))
	}
	return nil
}

// Close gives up all claims.
func (c *RunClaims) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.end()
}

// end gives up the locks, and ends the connection: in the pool they would go on. Postgres
// may see only later that a connection has ended; if it cannot be told, it gives them up then.
func (c *RunClaims) end() error {
	if c.conn == nil {
		return nil
	}
	conn := c.conn.Hijack()
	c.conn = nil
	ctx, cancel := context.WithTimeout(context.Background(), claimTime)
	defer cancel()
	_, _ = conn.Exec(ctx, `SELECT pg_advisory_unlock_all()`)
	return conn.Close(ctx)
}
