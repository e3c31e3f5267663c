// Package store is jobvault's Postgres: the ledger, in which every job jobvault has ever
// heard of has exactly one row in exactly one state, and around it what is known of the
// jobs. See docs/design.md#the-ledger for the states, docs/design.md#rules for what holds
// at every instant, and docs/design.md#money-time-and-rights for limits, clocks and rights.
//
// There is one file for each noun, with the SQL beside the function that runs it, and the
// types that all packages share. Each exported method is one transaction, and fails with
// an error that names the operation and the ids. Methods may be called by any number of
// goroutines and processes at once, and repeating any of them is harmless. A zero time
// that stands for now is Postgres' now(), never this process's clock.
package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
)

// DB is jobvault's database. It does not own the pool.
type DB struct {
	pool  *pgxpool.Pool
	queue *river.Client[pgx.Tx] // inserts only; ingest runs the workers
	wall  func() time.Time      // this process's clock, which is only ever compared with Postgres'

	removals chan struct{} // holds one while LockRemovals is held, or waited for
}

// transactionTime bounds a transaction, also when Postgres does not answer at all.
const transactionTime = time.Minute

// New uses a pool whose database is migrated.
func New(pool *pgxpool.Pool) (*DB, error) {
	queue, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Schema: QueueSchema,
		Logger: slog.New(slog.DiscardHandler),
		Hooks:  []rivertype.Hook{&DueNow{}},
	})
	if err != nil {
		return nil, fmt.Errorf("store: queue client: %w", err)
	}
	return &DB{pool: pool, queue: queue, wall: time.Now, removals: make(chan struct{}, 1)}, nil
}

// Pool is the pool that New was given.
func (db *DB) Pool() *pgxpool.Pool { return db.pool }

// Ping asks Postgres for an answer.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.pool.Ping(ctx); err != nil {
		return fmt.Errorf("store: ping: %w", err)
	}
	return nil
}

// inTx runs f in one transaction and commits if f returns nil. The context that
// f gets ends after transactionTime.
func (db *DB) inTx(ctx context.Context, op string, f func(context.Context, pgx.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, transactionTime)
	defer cancel()
	if err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error { return f(ctx, tx) }); err != nil {
		return fmt.Errorf("store: %s: %w", op, err)
	}
	return nil
}

// checkViolation is SQLSTATE 23514.
const checkViolation = "23514"

// IsBadData tells an error that Postgres raised because of the values it was
// given from one that may go away: class 22 (data exception), 54 (a limit of
// Postgres, such as the size of an index entry), and violated checks.
func IsBadData(err error) bool {
	var unwritable *json.MarshalerError
	if errors.As(err, &unwritable) {
		return true
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	return strings.HasPrefix(pg.Code, "22") || strings.HasPrefix(pg.Code, "54") || pg.Code == checkViolation
}

// passing are the classes of SQLSTATE that say that Postgres or the connection is away,
// ends, is too busy, or waited for somebody: not what is in it.
var passing = []string{"08", "25", "40", "53", "55", "57", "58"}

// Answered tells an error that Postgres raised because of what is in it, or is not, from
// one of a Postgres that is away, or too busy, and may be asked the same again.
func Answered(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && len(pg.Code) == 5 && !slices.Contains(passing, pg.Code[:2])
}
