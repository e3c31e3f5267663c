package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// AddSession keeps a session by the SHA-256 of its cookie, and forgets those that
// have ended.
func (db *DB) AddSession(ctx context.Context, digest [32]byte, sealed []byte, now, end time.Time) error {
	return db.inTx(ctx, "add session", func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM sessions WHERE expires_at <= $1`, now); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO sessions (digest, sealed, created_at, expires_at) VALUES ($1, $2, $3, $4)`, digest[:], sealed, now, end)
		return err
	})
}

// Session is what was sealed in a session that has not ended, or ErrNotFound.
func (db *DB) Session(ctx context.Context, digest [32]byte, now time.Time) ([]byte, error) {
	var sealed []byte
	err := db.pool.QueryRow(ctx, `SELECT sealed FROM sessions WHERE digest = $1 AND expires_at > $2`, digest[:], now).Scan(&sealed)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("store: session: %w", err)
	}
	return sealed, nil
}

// EndSession forgets a session.
func (db *DB) EndSession(ctx context.Context, digest [32]byte) error {
	if _, err := db.pool.Exec(ctx, `DELETE FROM sessions WHERE digest = $1`, digest[:]); err != nil {
		return fmt.Errorf("store: end session: %w", err)
	}
	return nil
}
