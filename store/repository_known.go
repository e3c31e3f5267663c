package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// CalledOtherwise says whether a repository is known under a present name other than
// OWNER/NAME, compared without regard to case.
func (db *DB) CalledOtherwise(ctx context.Context, id int64, fullName string) (bool, error) {
	var otherwise bool
	err := db.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM repositories WHERE id = $1 AND lower(owner || '/' || name) <> lower($2))`, id, fullName).Scan(&otherwise)
	if err != nil {
		return false, fmt.Errorf("store: name of repository %d: %w", id, err)
	}
	return otherwise, nil
}

// KnownRepositories returns those of the ids that belong to known repositories, in order.
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
