package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Repository is a repository under its latest known name.
type Repository struct {
	ID             int64     `json:"id"`
	Owner          string    `json:"owner"`
	Name           string    `json:"name"`
	Private        *bool     `json:"private"`
	InstallationID *int64    `json:"installation_id"`
	SeenAt         time.Time `json:"seen_at"`
}

// FullName is OWNER/NAME.
func (r Repository) FullName() string { return r.Owner + "/" + r.Name }

const repositoryColumns = `id, owner, name, private, installation_id, seen_at`

// Repositories lists every repository that is known, by its id.
func (db *DB) Repositories(ctx context.Context) ([]Repository, error) {
	rows, err := db.pool.Query(ctx, `SELECT `+repositoryColumns+` FROM repositories ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("store: repositories: %w", err)
	}
	rs, err := pgx.CollectRows(rows, pgx.RowToStructByName[Repository])
	if err != nil {
		return nil, fmt.Errorf("store: repositories: %w", err)
	}
	return rs, nil
}

// SeeRepositories writes repositories as GitHub has just named them, and returns
// their rows. SeenAt is the database's clock, as it is for deliveries.
func (db *DB) SeeRepositories(ctx context.Context, rs []Repository) ([]Repository, error) {
	if len(rs) == 0 {
		return nil, nil
	}
	var rows []Repository
	err := db.inTx(ctx, "see repositories", func(ctx context.Context, tx pgx.Tx) error {
		now, ids := time.Time{}, make([]int64, len(rs))
		if err := tx.QueryRow(ctx, `SELECT statement_timestamp()`).Scan(&now); err != nil {
			return err
		}
		seen := slices.Clone(rs)
		for i := range seen {
			seen[i].SeenAt, ids[i] = now, seen[i].ID
		}
		if err := upsertRepositories(ctx, tx, seen); err != nil {
			return err
		}
		found, err := tx.Query(ctx, `SELECT `+repositoryColumns+` FROM repositories WHERE id = ANY($1) ORDER BY id`, ids)
		if err != nil {
			return err
		}
		rows, err = pgx.CollectRows(found, pgx.RowToStructByName[Repository])
		return err
	})
	return rows, err
}

// upsertRepositories keeps the names that were heard last. seen_at alone is
// worth a write once a minute only: every delivery of a repository would
// otherwise queue up for its one row.
func upsertRepositories(ctx context.Context, tx pgx.Tx, rows []Repository) error {
	param, err := records(rows)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO repositories AS r (id, owner, name, private, installation_id, seen_at)
		SELECT id, (array_agg(owner ORDER BY seen_at DESC))[1], (array_agg(name ORDER BY seen_at DESC))[1],
			(array_agg(private ORDER BY seen_at DESC) FILTER (WHERE private IS NOT NULL))[1],
			(array_agg(installation_id ORDER BY seen_at DESC) FILTER (WHERE installation_id IS NOT NULL))[1], max(seen_at)
		FROM jsonb_to_recordset($1::jsonb) AS f(
			id bigint, owner text, name text, private boolean, installation_id bigint, seen_at timestamptz)
		GROUP BY id
		ORDER BY id
		ON CONFLICT (id) DO UPDATE SET
			owner = CASE WHEN excluded.seen_at >= r.seen_at THEN excluded.owner ELSE r.owner END,
			name = CASE WHEN excluded.seen_at >= r.seen_at THEN excluded.name ELSE r.name END,
			private = CASE WHEN excluded.seen_at >= r.seen_at THEN coalesce(excluded.private, r.private) ELSE coalesce(r.private, excluded.private) END,
			installation_id = CASE WHEN excluded.seen_at >= r.seen_at THEN coalesce(excluded.installation_id, r.installation_id) ELSE coalesce(r.installation_id, excluded.installation_id) END,
			seen_at = greatest(r.seen_at, excluded.seen_at)
		WHERE r.private IS NULL AND excluded.private IS NOT NULL OR r.installation_id IS NULL AND excluded.installation_id IS NOT NULL OR excluded.seen_at >= r.seen_at
		  AND (excluded.seen_at > r.seen_at + interval '1 minute'
			OR (excluded.owner, excluded.name, coalesce(excluded.private, r.private), coalesce(excluded.installation_id, r.installation_id))
			   IS DISTINCT FROM (r.owner, r.name, r.private, r.installation_id))`, param)
	return err
}
