package store

import (
	"context"
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

// upsertRepositories keeps the names of the latest delivery. seen_at alone is
// worth a write once a minute only: every delivery of a repository would
// otherwise queue up for its one row.
func upsertRepositories(ctx context.Context, tx pgx.Tx, facts []Facts) error {
	rows := make([]Repository, len(facts))
	for i, f := range facts {
		rows[i] = f.Repository
	}
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
