package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// ReadToken is a token that may read the archive. The token itself is not stored.
type ReadToken struct {
	Name         string     `json:"name"`
	Repositories []string   `json:"repositories"` // OWNER/NAME or OWNER/*
	CreatedAt    time.Time  `json:"created_at"`
	ExpiresAt    *time.Time `json:"expires_at"` // nil: never
	RevokedAt    *time.Time `json:"revoked_at"` // nil: it is good
}

// ErrExists says that a row with this key exists already.
var ErrExists = errors.New("exists already")

const readTokenColumns = `name, repositories, created_at, expires_at, revoked_at`

// AddReadToken stores a token by its SHA-256. It fails with ErrExists if a token has, or
// had, this name, because reads keep the name. A zero CreatedAt is Postgres' now().
func (db *DB) AddReadToken(ctx context.Context, t ReadToken, digest [32]byte) error {
	tag, err := db.pool.Exec(ctx, `
		INSERT INTO read_tokens (name, digest, repositories, created_at, expires_at) VALUES ($1, $2, $3, coalesce($4, now()), $5)
		ON CONFLICT (name) DO NOTHING`, t.Name, digest[:], t.Repositories, timeOrNull(t.CreatedAt), t.ExpiresAt)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrExists
	}
	if err != nil {
		return fmt.Errorf("store: add token %q: %w", t.Name, err)
	}
	return nil
}

// ReadTokens lists all tokens by name, also those that have expired or are revoked.
func (db *DB) ReadTokens(ctx context.Context) ([]ReadToken, error) {
	rows, err := db.pool.Query(ctx, `SELECT `+readTokenColumns+` FROM read_tokens ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("store: tokens: %w", err)
	}
	tokens, err := pgx.CollectRows(rows, pgx.RowToStructByName[ReadToken])
	if err != nil {
		return nil, fmt.Errorf("store: tokens: %w", err)
	}
	return tokens, nil
}

// ReadTokenOf finds the token with this digest that is valid at a time (zero: Postgres'
// now()). It fails with ErrNotFound if there is none.
func (db *DB) ReadTokenOf(ctx context.Context, digest [32]byte, now time.Time) (ReadToken, error) {
	var t ReadToken
	err := db.inTx(ctx, "find token", func(ctx context.Context, tx pgx.Tx) (err error) {
		t, err = queryRow[ReadToken](ctx, tx, `
			SELECT `+readTokenColumns+` FROM read_tokens
			WHERE digest = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > coalesce($2, now()))`, digest[:], timeOrNull(now))
		return err
	})
	return t, err
}

// RevokeReadToken makes a token invalid from a time on (zero: Postgres' now()). It fails
// with ErrNotFound if no valid token has this name.
func (db *DB) RevokeReadToken(ctx context.Context, name string, at time.Time) error {
	tag, err := db.pool.Exec(ctx, `UPDATE read_tokens SET revoked_at = coalesce($2, now()) WHERE name = $1 AND revoked_at IS NULL`, name, timeOrNull(at))
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("store: revoke token %q: %w", name, err)
	}
	return nil
}
