package migrations_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/migrations"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// newMigrator works on the pool's database until the test ends.
func newMigrator(t testing.TB, pool *pgxpool.Pool) *migrations.Migrator {
	t.Helper()
	m, err := migrations.New(pool)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func up(t testing.TB, m *migrations.Migrator) []string {
	t.Helper()
	applied, err := m.Up(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return applied
}

// column reads the one column of a query.
func column[T any](t testing.TB, pool *pgxpool.Pool, query string, args ...any) []T {
	t.Helper()
	rows, err := pool.Query(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	values, err := pgx.CollectRows(rows, pgx.RowTo[T])
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func exec(t testing.TB, pool *pgxpool.Pool, statement string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

// tablesOf lists all tables, jobvault's and River's, but for those that are not logged.
func tablesOf(t testing.TB, pool *pgxpool.Pool) []string {
	t.Helper()
	return column[string](t, pool, `
		SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`)
}

// content is all rows of a table, as text.
func content(t testing.TB, pool *pgxpool.Pool, table string) []string {
	t.Helper()
	return column[string](t, pool, `SELECT t::text FROM `+table+` t ORDER BY 1`)
}
