package store

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// WriteRepositories writes words about repositories in one transaction.
func WriteRepositories(ctx context.Context, pool *pgxpool.Pool, words []Repository) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return upsertRepositories(ctx, tx, words) })
}
