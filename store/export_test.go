package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// WriteRepositories writes reports of repositories in one transaction.
func WriteRepositories(ctx context.Context, pool *pgxpool.Pool, reports []Repository) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return upsertRepositories(ctx, tx, reports) })
}

// SetWall gives the process of a DB another clock.
func SetWall(db *DB, wall func() time.Time) { db.wall = wall }

// EnqueueArchive is what puts archive jobs into the queue.
func (db *DB) EnqueueArchive(ctx context.Context, tx pgx.Tx, ids []int64, p Priority) error {
	return db.enqueueArchive(ctx, tx, ids, p)
}

// RollUpSome is RollUpActions for up to a number of jobs.
func (db *DB) RollUpSome(ctx context.Context, batch int64) (more bool, err error) {
	return db.rollUpActions(ctx, batch)
}
