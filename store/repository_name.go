package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// RepositoriesNamed finds the repositories that have or had a name, compared without
// regard to case: first the one that holds it; then those that have another name now; and
// last those that hold no name, which may be deleted. Within each group the latest comes
// first. There may be any number, because a name is free again when its repository is
// renamed or deleted.
func (db *DB) RepositoriesNamed(ctx context.Context, owner, name string) ([]Repository, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT `+repositoryColumns+`
		FROM (SELECT id, true AS present, named_at AS told_at FROM repositories WHERE lower(owner) = lower($1) AND lower(name) = lower($2)
		      UNION ALL
		      SELECT r.id, false, max(n.named_at) FROM repository_names n JOIN repositories r ON r.id = n.repository_id
		      WHERE lower(n.owner) = lower($1) AND lower(n.name) = lower($2)
		        AND (lower(r.owner), lower(r.name)) IS DISTINCT FROM (lower($1), lower($2))
		      GROUP BY r.id) found JOIN repositories r USING (id)
		ORDER BY present AND `+hasName+` DESC, `+hasName+` DESC, told_at DESC, id DESC`, owner, name)
	if err != nil {
		return nil, fmt.Errorf("store: repositories named %q: %w", owner+"/"+name, err)
	}
	rs, err := pgx.CollectRows(rows, pgx.RowToStructByName[Repository])
	if err != nil {
		return nil, fmt.Errorf("store: repositories named %q: %w", owner+"/"+name, err)
	}
	return rs, nil
}

// RepositoriesWithin lists the ids of the repositories that scopes name:
// OWNER/NAME or OWNER/*, by the names that they have (Repository.HasName) and without
// regard to case.
func (db *DB) RepositoriesWithin(ctx context.Context, scopes []string) ([]int64, error) {
	rows, err := db.pool.Query(ctx, `
		WITH wanted AS (
			SELECT lower(split_part(s, '/', 1)) AS owner, lower(split_part(s, '/', 2)) AS name FROM unnest($1::text[]) s WHERE s ~ '^[^/]+/[^/]+$')
		SELECT h.repository_id FROM wanted w JOIN name_holders h ON lower(h.owner) = w.owner AND lower(h.name) = w.name
		UNION
		SELECT h.repository_id FROM wanted w JOIN name_holders h ON lower(h.owner) = w.owner WHERE w.name = '*'
		ORDER BY 1`, scopes)
	if err != nil {
		return nil, fmt.Errorf("store: repositories within %v: %w", scopes, err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("store: repositories within %v: %w", scopes, err)
	}
	return ids, nil
}

// RepositoryNames lists the present names, OWNER/NAME, of the repositories with these ids
// (nil: of all) in order, at most limit of them.
func (db *DB) RepositoryNames(ctx context.Context, ids []int64, limit int) ([]string, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT DISTINCT owner || '/' || name AS name FROM repositories
		WHERE $1::bigint[] IS NULL OR id = ANY($1) ORDER BY name LIMIT $2`, ids, limit)
	if err != nil {
		return nil, fmt.Errorf("store: names of repositories: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("store: names of repositories: %w", err)
	}
	return names, nil
}

// RepositoryIDs finds repositories by a name as in JobFilter, among the ids in within
// (nil: among all).
func (db *DB) RepositoryIDs(ctx context.Context, name string, within []int64) ([]int64, error) {
	f := JobFilter{Repository: name, Repositories: within}
	err := db.inTx(ctx, "find repositories", f.resolve)
	return f.Repositories, err
}
