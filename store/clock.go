package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// MaxSkew is how far the clocks of this process and of Postgres may be apart. Postgres'
// clock counts; a process whose own is further away does no work and removes nothing,
// because one of the two clocks is wrong.
const MaxSkew = time.Minute

// SkewError says that the two clocks are too far apart. It has what each of them showed
// at the same moment.
type SkewError struct {
	Process  time.Time
	Postgres time.Time
}

// Skew is how far this process's clock is ahead; negative: behind.
func (e *SkewError) Skew() time.Duration { return e.Process.Sub(e.Postgres) }

// Error names both times.
func (e *SkewError) Error() string {
	skew, which := e.Skew(), "ahead of"
	if skew < 0 {
		which = "behind"
	}
	return fmt.Sprintf("the clock of this machine says %s, Postgres says %s: %s %s it, and at most %s is allowed; set the clock that is wrong",
		e.Process.UTC().Format(time.RFC3339), e.Postgres.UTC().Format(time.RFC3339), skew.Abs().Round(time.Second), which, MaxSkew)
}

// reading is what both clocks showed at one moment.
type reading struct {
	process  time.Time // with the monotonic clock
	postgres time.Time
	took     time.Duration // how long the question took: process is wrong by half of it at most
}

func (r reading) skew() time.Duration { return r.process.Round(0).Sub(r.postgres) }

// check fails with SkewError where the clocks are surely too far apart.
func (r reading) check() error {
	if r.skew().Abs()-r.took/2 <= MaxSkew {
		return nil
	}
	return &SkewError{Process: r.process.Round(0), Postgres: r.postgres}
}

// rowQuerier is a connection, a pool or a transaction.
type rowQuerier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// readClocks asks Postgres for the time, and for the begin of the transaction.
func readClocks(ctx context.Context, q rowQuerier, wall func() time.Time) (r reading, begun time.Time, err error) {
	asked := wall()
	err = q.QueryRow(ctx, `SELECT clock_timestamp(), now()`).Scan(&r.postgres, &begun)
	r.took = wall().Sub(asked)
	r.process = asked.Add(r.took / 2)
	return r, begun, err
}

// decide returns the time by which a transaction removes something or writes evidence:
// Postgres' now(), or at, which tests set. It fails with SkewError.
func (db *DB) decide(ctx context.Context, tx pgx.Tx, at time.Time) (time.Time, error) {
	if !at.IsZero() {
		return at, nil
	}
	r, begun, err := readClocks(ctx, tx, db.wall)
	if err == nil {
		err = r.check()
	}
	return begun, err
}

// DecidingTime returns Postgres' time for a decision that is made outside of this
// package's transactions. It fails with SkewError.
func (db *DB) DecidingTime(ctx context.Context) (time.Time, error) {
	r, err := db.readClocks(ctx, db.wall)
	if err == nil {
		err = r.check()
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("store: time: %w", err)
	}
	return r.postgres, nil
}

// Time returns Postgres' time, for display and for records. It never fails with
// SkewError.
func (db *DB) Time(ctx context.Context) (time.Time, error) {
	r, err := db.readClocks(ctx, db.wall)
	if err != nil {
		return time.Time{}, fmt.Errorf("store: time: %w", err)
	}
	return r.postgres, nil
}

// A query that took longer than slowReading is repeated, up to readingTries times: its
// error is half of what it took.
const (
	slowReading  = time.Second
	readingTries = 3
)

// readClocks holds one connection, so that waiting for one is no part of what a
// question takes.
func (db *DB) readClocks(ctx context.Context, wall func() time.Time) (reading, error) {
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return reading{}, err
	}
	defer conn.Release()
	var best reading
	for try := range readingTries {
		r, _, err := readClocks(ctx, conn, wall)
		if err != nil {
			return reading{}, err
		}
		if try == 0 || r.took < best.took {
			best = r
		}
		if best.took <= slowReading {
			break
		}
	}
	return best, nil
}

// Clock tells Postgres' time without a query each time: it is measured, and goes on with
// this process's monotonic clock, so setting the machine's clock does not change it.
// Watch keeps it accurate. It may be used by any number of goroutines.
type Clock struct {
	db   *DB
	wall func() time.Time

	mu   sync.RWMutex
	last reading
}

// NewClock makes the first measurement. wall is this process's clock, for tests; nil:
// time.Now. It does not fail if the clocks are too far apart: Check does.
func (db *DB) NewClock(ctx context.Context, wall func() time.Time) (*Clock, error) {
	if wall == nil {
		wall = db.wall
	}
	c := &Clock{db: db, wall: wall}
	if err := c.measure(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// Now is Postgres' time, with an error of at most half the duration of the last
// measurement, and the drift since.
func (c *Clock) Now() time.Time {
	r := c.reading()
	return r.postgres.Add(c.wall().Sub(r.process))
}

// Skew is how far this process's clock was ahead at the last measurement; negative:
// behind.
func (c *Clock) Skew() time.Duration { return c.reading().skew() }

// Err is a SkewError if the clocks were too far apart at the last measurement.
func (c *Clock) Err() error { return c.reading().check() }

// Check compares the clocks now. It fails with SkewError, and if Postgres does not answer.
func (c *Clock) Check(ctx context.Context) error {
	if err := c.measure(ctx); err != nil {
		return err
	}
	return c.Err()
}

func (c *Clock) reading() reading {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.last
}

func (c *Clock) measure(ctx context.Context) error {
	r, err := c.db.readClocks(ctx, c.wall)
	if err != nil {
		return fmt.Errorf("store: compare clocks: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = r
	return nil
}

// Timing of Watch.
const (
	lookEvery    = time.Second
	measureEvery = 10 * time.Second
	measureTime  = 5 * time.Second
	jump         = time.Second
)

// Watch compares the clocks every ten seconds, and within a second after this process's
// clock was set, or its machine woke up, until the context ends. It calls told after
// each comparison with what Check says. While Postgres is away nothing is known, and
// what was compared last counts.
func (c *Clock) Watch(ctx context.Context, told func(error)) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for next := time.Now().Add(measureEvery); ; {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		if time.Now().Before(next) && !c.jumped() {
			continue
		}
		asking, cancel := context.WithTimeout(ctx, measureTime)
		err := c.Check(asking)
		cancel()
		var skew *SkewError
		if err == nil || errors.As(err, &skew) {
			next = time.Now().Add(measureEvery)
			told(err)
		}
	}
}

// jumped tells that wall clock and monotonic clock went apart since the last reading.
func (c *Clock) jumped() bool {
	now, then := c.wall(), c.reading().process
	return (now.Round(0).Sub(then.Round(0)) - now.Sub(then)).Abs() > jump
}
