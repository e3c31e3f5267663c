package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// AddSession stores a session by the SHA-256 of its cookie, for the time life from at on
// (zero: Postgres' now()), and deletes the sessions that have ended.
func (db *DB) AddSession(ctx context.Context, digest [32]byte, sealed []byte, at time.Time, life time.Duration) error {
	return db.inTx(ctx, "add session", func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM sessions WHERE expires_at <= coalesce($1, now())`, timeOrNull(at)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `
			INSERT INTO sessions (digest, sealed, created_at, expires_at)
			VALUES ($1, $2, coalesce($3, now()), coalesce($3, now()) + $4::interval)`, digest[:], sealed, timeOrNull(at), life)
		return err
	})
}

// Session returns what was sealed in a session that has not ended at a time (zero:
// Postgres' now()). It fails with ErrNotFound if there is none.
func (db *DB) Session(ctx context.Context, digest [32]byte, now time.Time) ([]byte, error) {
	var sealed []byte
	err := db.pool.QueryRow(ctx, `SELECT sealed FROM sessions WHERE digest = $1 AND expires_at > coalesce($2, now())`, digest[:], timeOrNull(now)).Scan(&sealed)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("store: session: %w", err)
	}
	return sealed, nil
}

// EndSession deletes a session.
func (db *DB) EndSession(ctx context.Context, digest [32]byte) error {
	if _, err := db.pool.Exec(ctx, `DELETE FROM sessions WHERE digest = $1`, digest[:]); err != nil {
		return fmt.Errorf("store: end session: %w", err)
	}
	return nil
}
