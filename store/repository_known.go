package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// KnownRepositories are those of some ids that are a repository's here, in order.
func (db *DB) KnownRepositories(ctx context.Context, ids []int64) ([]int64, error) {
	rows, err := db.pool.Query(ctx, `SELECT id FROM repositories WHERE id = ANY($1) ORDER BY id`, ids)
	if err != nil {
		return nil, fmt.Errorf("store: known repositories: %w", err)
	}
	known, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("store: known repositories: %w", err)
	}
	return known, nil
}
