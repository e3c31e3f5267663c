package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Coverage is a row of the view coverage: the number of a repository's jobs of one day,
// by state.
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
	Unlisted   *int64     `json:"unlisted"` // runs some of whose jobs are not known, as their list was given up; nil: how many is not known either
	GoneAt     *time.Time `json:"gone_at"`  // since when GitHub has not shown the repository, where for that reason Unlisted is nil

	RepositoryID int64 `json:"repository_id"` // several may have had the name
}

// Coverage lists the days of a repository (OWNER/NAME; empty: all) since a day (zero:
// all), the oldest first.
func (db *DB) Coverage(ctx context.Context, repository string, since time.Time) ([]Coverage, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT repository, day::timestamp AT TIME ZONE 'UTC' AS day, jobs, archived, none, expired, missing, denied, removed, pending, complete, unlisted, gone_at, repository_id
		FROM coverage
		WHERE ($1 = '' OR lower(repository) = lower($1)) AND ($2::timestamptz IS NULL OR day IS NULL OR day >= ($2 AT TIME ZONE 'UTC')::date)
		ORDER BY lower(repository), repository_id, day NULLS FIRST`, repository, timeOrNull(since))
	if err != nil {
		return nil, fmt.Errorf("store: coverage: %w", err)
	}
	days, err := pgx.CollectRows(rows, pgx.RowToStructByName[Coverage])
	if err != nil {
		return nil, fmt.Errorf("store: coverage: %w", err)
	}
	return days, nil
}

// Gap is a repository for which it is not known that every run was listed.
type Gap struct {
	Repository string
	From       *time.Time // where the first range begins that was passed over; nil: none was
	FailedAt   *time.Time // when the last sweep failed; nil: it did not
	Error      *string
}

// Gaps lists the repositories (OWNER/NAME; empty: all) whose last sweep failed, or that
// have a time that was not swept, between the start of their sweeps (or since, if that is
// later) and the start of the present day, UTC. Of one that is gone nothing can be swept:
// see GoneRepositories.
func (db *DB) Gaps(ctx context.Context, repository string, since time.Time) ([]Gap, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT r.owner || '/' || r.name AS repository, lower(tstzmultirange(tstzrange(least(f.at, today.at), today.at)) - s.swept - s.unlisted) AS "from", s.failed_at, s.error
		FROM sweeps s JOIN repositories r ON r.id = s.repository_id,
			LATERAL (SELECT greatest(lower(s.swept + s.unlisted), $2::timestamptz) AS at) f,
			date_trunc('day', now(), 'UTC') AS today (at)
		WHERE s.gone_at IS NULL AND ($1 = '' OR lower(r.owner || '/' || r.name) = lower($1))
		  AND (s.failed_at IS NOT NULL OR NOT isempty(tstzmultirange(tstzrange(least(f.at, today.at), today.at)) - s.swept - s.unlisted))
		ORDER BY lower(r.owner), lower(r.name)`, repository, timeOrNull(since))
	if err != nil {
		return nil, fmt.Errorf("store: gaps: %w", err)
	}
	gaps, err := pgx.CollectRows(rows, pgx.RowToStructByName[Gap])
	if err != nil {
		return nil, fmt.Errorf("store: gaps: %w", err)
	}
	return gaps, nil
}

// Gone is a repository that GitHub knows no more, or does not show us.
type Gone struct {
	Repository string
	GoneAt     time.Time  // since when
	ListedTo   *time.Time // no run created later was listed; nil: none was

	RepositoryID int64 // several may have had the name
}

// GoneRepositories lists the repositories (OWNER/NAME; empty: all) that are gone.
func (db *DB) GoneRepositories(ctx context.Context, repository string) ([]Gone, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT r.owner || '/' || r.name AS repository, s.gone_at, upper(s.swept) AS listed_to, s.repository_id
		FROM sweeps s JOIN repositories r ON r.id = s.repository_id
		WHERE s.gone_at IS NOT NULL AND ($1 = '' OR lower(r.owner || '/' || r.name) = lower($1))
		ORDER BY lower(r.owner), lower(r.name), r.id`, repository)
	if err != nil {
		return nil, fmt.Errorf("store: gone repositories: %w", err)
	}
	gone, err := pgx.CollectRows(rows, pgx.RowToStructByName[Gone])
	if err != nil {
		return nil, fmt.Errorf("store: gone repositories: %w", err)
	}
	return gone, nil
}
