package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Repository is a repository under its present name, or one report of it by GitHub: a
// delivery, or an answer of the REST API.
type Repository struct {
	ID             int64     `json:"id"`
	Owner          string    `json:"owner"`
	Name           string    `json:"name"`
	Private        *bool     `json:"private"`         // nil: GitHub did not say
	InstallationID *int64    `json:"installation_id"` // nil: GitHub did not say
	SeenAt         time.Time `json:"seen_at"`         // when jobvault last heard of it

	// NamedAt is the time of the report of Owner and Name. The report of the latest time
	// has the present name, in whatever order they arrive. The zero time is before all
	// others.
	NamedAt    time.Time `json:"named_at"`
	NamedByAPI bool      `json:"named_by_api" db:"named_by_api"` // counts for more than a webhook of the same time
	// PrivateAt and InstallationAt are the times of Private and InstallationID; nil: NamedAt.
	PrivateAt      *time.Time `json:"private_at"`
	InstallationAt *time.Time `json:"installation_at"`

	// HasName says of a repository that was read whether it holds its name: GitHub has not
	// since reported another one under it. Rights and rules never use a name that the
	// repository does not hold; it serves for finding only.
	HasName bool `json:"-"`
}

// FullName is OWNER/NAME.
func (r Repository) FullName() string { return r.Owner + "/" + r.Name }

// repositoryColumns are those of a Repository, of repositories r, in its order.
const repositoryColumns = `r.id, r.owner, r.name, r.private, r.installation_id, r.seen_at, r.named_at, r.named_by_api, r.private_at, r.installation_at,
	` + hasName + ` AS has_name`

// hasName says in SQL whether a repository r has its name.
const hasName = `EXISTS (SELECT FROM name_holders h WHERE h.repository_id = r.id)`

// Repositories lists every repository that is known, by its id.
func (db *DB) Repositories(ctx context.Context) ([]Repository, error) {
	rows, err := db.pool.Query(ctx, `SELECT `+repositoryColumns+` FROM repositories r ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("store: repositories: %w", err)
	}
	rs, err := pgx.CollectRows(rows, pgx.RowToStructByName[Repository])
	if err != nil {
		return nil, fmt.Errorf("store: repositories: %w", err)
	}
	return rs, nil
}

// RepositoriesOf reads the repositories with these ids, in the order of ids. Unknown ids
// are left out.
func (db *DB) RepositoriesOf(ctx context.Context, ids []int64) ([]Repository, error) {
	var rs []Repository
	err := db.inTx(ctx, "repositories", func(ctx context.Context, tx pgx.Tx) (err error) {
		rs, err = repositoriesOf(ctx, tx, ids)
		return err
	})
	return rs, err
}

func repositoriesOf(ctx context.Context, tx pgx.Tx, ids []int64) ([]Repository, error) {
	return pgx.CollectRows(query(ctx, tx, `SELECT `+repositoryColumns+` FROM repositories r WHERE id = ANY($1) ORDER BY id`, ids), pgx.RowToStructByName[Repository])
}

// AskedAt returns the NamedAt for an answer of the REST API to a request that is made
// after this call: the database's time. It is taken before the request, so that an answer
// that is written late does not count for more than one to a later request.
func (db *DB) AskedAt(ctx context.Context) (at time.Time, err error) {
	if err := db.pool.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&at); err != nil {
		return at, fmt.Errorf("store: the time: %w", err)
	}
	return at, nil
}

// SeeRepositories writes repositories as the REST API has named them, and returns their
// rows afterwards. NamedAt comes from AskedAt; zero: now. SeenAt is set to the database's
// time, as for deliveries.
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
			r := &seen[i]
			ids[i], r.SeenAt, r.NamedByAPI, r.PrivateAt, r.InstallationAt = r.ID, now, true, nil, nil
			if r.NamedAt.IsZero() || r.NamedAt.After(now) {
				r.NamedAt = now
			}
		}
		if err := upsertRepositories(ctx, tx, seen); err != nil {
			return err
		}
		var err error
		rows, err = repositoriesOf(ctx, tx, ids)
		return err
	})
	return rows, err
}
