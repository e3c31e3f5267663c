package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// SharedKey is the 32 random bytes that all replicas share for a purpose. The first who
// asks makes them.
func (db *DB) SharedKey(ctx context.Context, purpose string) ([]byte, error) {
	made := make([]byte, 32)
	rand.Read(made)
	var key []byte
	err := db.inTx(ctx, "key for "+purpose, func(ctx context.Context, tx pgx.Tx) error {
		const read = `SELECT key FROM keys WHERE purpose = $1`
		// Read first: a Postgres that only reads has the key too.
		if err := tx.QueryRow(ctx, read, purpose).Scan(&key); !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO keys (purpose, key) VALUES ($1, $2) ON CONFLICT (purpose) DO NOTHING`, purpose, made); err != nil {
			return err
		}
		return tx.QueryRow(ctx, read, purpose).Scan(&key)
	})
	if err == nil && len(key) != len(made) {
		err = fmt.Errorf("store: the key for %s has %d bytes, want %d", purpose, len(key), len(made))
	}
	return key, err
}
