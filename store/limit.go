package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// RateLimit is the rate limit of one installation at GitHub as all replicas together know
// it. internal/ghapi gives the fields their meaning.
type RateLimit struct {
	InstallationID int64 // 0: the token's, or the App's own
	RequestLimit   int
	Remaining      int
	ResetAt        time.Time
	Guessed        bool
	ClosedUntil    time.Time
	Spent          int64
	Answered       int64
	MinuteAt       time.Time
	MinutePoints   int
	Version        int64 // 0: nothing is known
}

const rateLimitColumns = `installation_id, request_limit, remaining, reset_at, guessed, closed_until, spent, answered, minute_at, minute_points, version`

// RateLimits reads all known limits.
func (db *DB) RateLimits(ctx context.Context) ([]RateLimit, error) {
	rows, err := db.pool.Query(ctx, `SELECT `+rateLimitColumns+` FROM rate_limits ORDER BY installation_id`)
	if err != nil {
		return nil, fmt.Errorf("store: rate limits: %w", err)
	}
	limits, err := pgx.CollectRows(rows, pgx.RowToStructByName[RateLimit])
	if err != nil {
		return nil, fmt.Errorf("store: rate limits: %w", err)
	}
	return limits, nil
}

// RateLimit reads one installation's limit. Its Version is 0 if nothing is known.
func (db *DB) RateLimit(ctx context.Context, installation int64) (RateLimit, error) {
	rows, err := db.pool.Query(ctx, `SELECT `+rateLimitColumns+` FROM rate_limits WHERE installation_id = $1`, installation)
	if err != nil {
		return RateLimit{}, fmt.Errorf("store: rate limit: %w", err)
	}
	limits, err := pgx.CollectRows(rows, pgx.RowToStructByName[RateLimit])
	if err != nil {
		return RateLimit{}, fmt.Errorf("store: rate limit: %w", err)
	}
	if len(limits) == 0 {
		return RateLimit{InstallationID: installation}, nil
	}
	return limits[0], nil
}

// SaveRateLimit writes a limit that was read with this Version and changed since, and
// says whether it did: not if another process has written it in between. It is one
// statement, and the table is unlogged, so that nobody waits for the disk.
func (db *DB) SaveRateLimit(ctx context.Context, r RateLimit) (bool, error) {
	sql := `
		UPDATE rate_limits SET request_limit = $2, remaining = $3, reset_at = $4, guessed = $5, closed_until = $6,
			spent = $7, answered = $8, minute_at = $9, minute_points = $10, version = $11 + 1
		WHERE installation_id = $1 AND version = $11`
	if r.Version == 0 {
		sql = `
		INSERT INTO rate_limits (` + rateLimitColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 + 1)
		ON CONFLICT (installation_id) DO NOTHING`
	}
	tag, err := db.pool.Exec(ctx, sql,
		r.InstallationID, r.RequestLimit, r.Remaining, r.ResetAt, r.Guessed, r.ClosedUntil, r.Spent, r.Answered, r.MinuteAt, r.MinutePoints, r.Version)
	if err != nil {
		return false, fmt.Errorf("store: save rate limit: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}
