package migrations_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/migrations"
)

// notForReaders are views that serve jobvault itself, or an earlier version.
var notForReaders = map[string]bool{
	"name_holders": true, "action_unrolled": true, "action_rest": true, "action_stale": true, "action_unsummed": true,
}

// checkReaders wants the role to read each view that is for readers, and no table.
func checkReaders(t testing.TB, pool *pgxpool.Pool) {
	t.Helper()
	for _, relation := range column[string](t, pool, `
		SELECT relname FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm') AND has_table_privilege($1, oid, 'SELECT') <> (relkind = 'v' AND relname <> ALL($2))`,
		migrations.ReaderRole, keys(notForReaders)) {
		t.Errorf("%s is readable and should not be, or should be and is not", relation)
	}
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Hijack().Close(t.Context()) }()
	for _, statement := range []string{"SET ROLE " + migrations.ReaderRole, "SELECT FROM job_facts", "SELECT FROM action_uses", "SELECT FROM coverage"} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

func keys(m map[string]bool) (list []string) {
	for k := range m {
		list = append(list, k)
	}
	return list
}

func grantReaders(t testing.TB, m *migrations.Migrator) migrations.Refused {
	t.Helper()
	refused, err := m.GrantReaders(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return refused
}

// Whatever was lost is put in place again.
func TestReadersGetWhatTheyMayRead(t *testing.T) {
	pool := testenv.Pool(t)
	m := newMigrator(t, pool)
	exec(t, pool, `REVOKE SELECT ON job_facts, action_uses FROM jobvault_reader`)
	exec(t, pool, `REVOKE ALL ON SCHEMA public FROM PUBLIC`)
	exec(t, pool, `DO $$ BEGIN EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()); END $$`)
	for range 2 {
		if refused := grantReaders(t, m); refused.String() != "" {
			t.Error(refused)
		}
		checkReaders(t, pool)
	}
	if may := column[bool](t, pool, `SELECT has_database_privilege('jobvault_reader', current_database(), 'CONNECT')`); !may[0] {
		t.Error("readers may not connect")
	}
}

// Steps back leave readers what they read: each view that is made anew is theirs again.
func TestReadersKeepTheirViewsOnTheWayBack(t *testing.T) {
	t.Parallel()
	pool := testenv.PoolAt(t, testenv.EmptyDatabaseURL(t))
	m := newMigrator(t, pool)
	up(t, m)
	grantReaders(t, m)
	for range len(all) - slices.Index(all, "00021_carried_over.sql") {
		for _, step := range down(t, m) {
			if may := column[bool](t, pool, `SELECT has_table_privilege($1, 'coverage', 'SELECT')`, migrations.ReaderRole); !may[0] {
				t.Errorf("after a step back of %s, readers may not read coverage", step)
			}
		}
	}
}

// ownedBy makes a database of a role of its own, which may not make roles, and opens it
// as that role.
func ownedBy(t testing.TB, admin *pgxpool.Pool, server, owner string) *pgxpool.Pool {
	t.Helper()
	exec(t, admin, "CREATE ROLE "+owner+" LOGIN PASSWORD 'secret'")
	exec(t, admin, "CREATE DATABASE "+owner+" OWNER "+owner)
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.User, u.Path = url.UserPassword(owner, "secret"), "/"+owner
	pool := testenv.PoolAt(t, u.String())
	up(t, newMigrator(t, pool))
	return pool
}

func TestWhoMayNotMakeRolesIsToldWhatToRun(t *testing.T) {
	t.Parallel()
	server := testenv.Cluster(t, nil)
	admin := testenv.PoolAt(t, server.URL())
	owned := ownedBy(t, admin, server.URL(), "first")
	m := newMigrator(t, owned)
	refused := grantReaders(t, m)
	if len(refused.SQL) != 2 || refused.SQL[0] != "CREATE ROLE jobvault_reader NOLOGIN" || !strings.HasPrefix(refused.SQL[1], "GRANT SELECT ON public.action_facts, ") {
		t.Fatalf("told to run %q", refused.SQL)
	}
	for _, words := range append(refused.SQL, "permission denied to create role", "whoever may") {
		if !strings.Contains(refused.String(), words) {
			t.Errorf("%q is not in %s", words, refused)
		}
	}

	// Whoever may runs it, as it was printed.
	super := testenv.PoolAt(t, server.URLFor("first"))
	exec(t, super, refused.SQL[0])
	if _, err := super.Exec(t.Context(), refused.SQL[1]); err != nil {
		t.Fatal(err)
	}
	if again := grantReaders(t, m); again.String() != "" {
		t.Error(again)
	}
	checkReaders(t, super)

	// Another database of the server, of another owner: the role is there.
	second := ownedBy(t, admin, server.URL(), "second")
	if refused := grantReaders(t, newMigrator(t, second)); refused.String() != "" {
		t.Error(refused)
	}
	checkReaders(t, testenv.PoolAt(t, server.URLFor("second")))

	// Views that are somebody else's cannot be granted.
	exec(t, super, `REVOKE SELECT ON coverage FROM jobvault_reader`)
	exec(t, super, `ALTER VIEW coverage OWNER TO jobvault`)
	exec(t, super, `GRANT SELECT ON coverage TO first`)
	refused = grantReaders(t, m)
	if diff := cmp.Diff([]string{"GRANT SELECT ON public.coverage TO jobvault_reader"}, refused.SQL); diff != "" || refused.Why == nil {
		t.Errorf("%v\n%s", refused.Why, diff)
	}
}

// A dump has the grants, and not the role that they are to.
func TestADumpIsRestoredIntoANewServer(t *testing.T) {
	t.Parallel()
	source := testenv.PoolAt(t, testenv.DatabaseURL(t))
	fill(t, source, 2)
	file := testenv.Dump(t, source.Config().ConnString())
	server := testenv.Cluster(t, nil)
	said := testenv.Restore(t, file, server.URL())
	for line := range strings.Lines(said) {
		if strings.Contains(line, "error: ") && !strings.Contains(line, `role "jobvault_reader" does not exist`) {
			t.Error(line)
		}
	}
	restored := testenv.PoolAt(t, server.URL())
	m := newMigrator(t, restored)
	if applied := up(t, m); applied != nil {
		t.Errorf("applied %v", applied)
	}
	if refused := grantReaders(t, m); refused.String() != "" {
		t.Error(refused)
	}
	checkReaders(t, restored)
	if diff := cmp.Diff(catalog(t, source), catalog(t, restored)); diff != "" {
		t.Errorf("the schema (-dumped +restored):\n%s", diff)
	}
	for _, table := range tablesOf(t, source) {
		if diff := cmp.Diff(content(t, source, table), content(t, restored, table)); diff != "" {
			t.Errorf("%s (-dumped +restored):\n%.2000s", table, diff)
		}
	}
	// What triggers and functions do goes on.
	exec(t, restored, `UPDATE jobs SET conclusion = 'failure' WHERE run_attempt = 1`)
	if linked := column[int64](t, restored, `SELECT count(carried_over_from) FROM jobs`); linked[0] != 0 {
		t.Errorf("%d jobs are still linked to others that ended otherwise", linked[0])
	}
}
