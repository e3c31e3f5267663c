package migrations_test

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/jobvault/jobvault/internal/testenv"
)

// withoutIdentity lists the tables whose rows a publication could not tell apart.
func withoutIdentity(t testing.TB, pool *pgxpool.Pool) []string {
	t.Helper()
	return column[string](t, pool, `
		SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
		  AND NOT CASE c.relreplident
		          WHEN 'd' THEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
		          WHEN 'i' THEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident)
		          ELSE c.relreplident = 'f' END`)
}

// This holds for every table there is: jobvault's, goose's and River's, and those of
// migrations to come.
func TestEveryTableHasAReplicaIdentity(t *testing.T) {
	pool := testenv.Pool(t)
	for _, table := range withoutIdentity(t, pool) {
		t.Errorf("%s has neither a primary key nor another replica identity: with a publication of all tables, Postgres refuses updates of it", table)
	}
	exec(t, pool, `CREATE TABLE keyless (name text) PARTITION BY LIST (name)`)
	if got := fmt.Sprint(withoutIdentity(t, pool)); got != "[keyless]" {
		t.Errorf("found %s", got)
	}
}
