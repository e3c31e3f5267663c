package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Coverage is a row of the view coverage: what became of one repository's jobs
// of one day.
type Coverage struct {
	Repository string     `json:"repository"`
	Day        *time.Time `json:"day"` // nil: GitHub did not say when they were created
	Jobs       int64      `json:"jobs"`
	Archived   int64      `json:"archived"`
	None       int64      `json:"none"`
	Expired    int64      `json:"expired"`
	Missing    int64      `json:"missing"`
	Denied     int64      `json:"denied"`
	Removed    int64      `json:"removed"`
	Pending    int64      `json:"pending"`
	Complete   bool       `json:"complete"`
}

// Coverage lists the days of a repository (OWNER/NAME; empty: of all) from a day
// on (zero: all), the oldest first.
func (db *DB) Coverage(ctx context.Context, repository string, since time.Time) ([]Coverage, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT repository, day::timestamp AT TIME ZONE 'UTC' AS day, jobs, archived, none, expired, missing, denied, removed, pending, complete
		FROM coverage
		WHERE ($1 = '' OR lower(repository) = lower($1)) AND ($2::timestamptz IS NULL OR day IS NULL OR day >= ($2 AT TIME ZONE 'UTC')::date)
		ORDER BY lower(repository), day NULLS FIRST`, repository, timeOrNull(since))
	if err != nil {
		return nil, fmt.Errorf("store: coverage: %w", err)
	}
	days, err := pgx.CollectRows(rows, pgx.RowToStructByName[Coverage])
	if err != nil {
		return nil, fmt.Errorf("store: coverage: %w", err)
	}
	return days, nil
}
