package migrations_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/migrations"
)

// all is every migration there is, oldest first.
var all = []string{"00001_queue.go", "00002_tables.sql", "00003_reconcile.sql", "00004_lookup.sql", "00005_job_facets.sql", "00006_usage.sql", "00007_facts.sql", "00008_delivery_hourly.sql", "00009_action_sums.sql", "00010_retention.sql", "00011_manifests.sql", "00012_filters.sql", "00013_names.sql", "00014_usage_version.sql", "00015_removal_log.sql", "00016_evidence.sql", "00017_action_rollup.sql", "00018_step_lines.sql", "00019_usage.sql", "00020_run_facts.sql", "00021_carried_over.sql", "00022_filter_version.sql", "00023_deadlines.sql", "00024_shorter_logs.sql", "00025_gone_repositories.sql", "00026_replica_identity.sql", "00027_unlisted.sql", "00028_unknown_starts.sql", "00029_older_writers.sql", "00030_attempt_lists.sql"}

// latest is the number of the last one, and previous of the one before it.
const (
	latest   = 30
	previous = 29
)

// catalog is everything that somebody made in a database, but for goose's own
// table.
func catalog(t testing.TB, pool *pgxpool.Pool) []string {
	t.Helper()
	return column[string](t, pool, `
		SELECT thing FROM (
			SELECT 'schema ' || nspname FROM pg_namespace
			UNION ALL SELECT format('relation %s %s', relkind, oid::regclass) FROM pg_class
			UNION ALL SELECT format('type %s', oid::regtype) FROM pg_type
			UNION ALL SELECT format('function %s', oid::regprocedure) FROM pg_proc
			UNION ALL SELECT format('constraint %s on %s', conname, conrelid::regclass) FROM pg_constraint
			UNION ALL SELECT format('trigger %s on %s', tgname, tgrelid::regclass) FROM pg_trigger WHERE NOT tgisinternal
			UNION ALL SELECT format('extension %s', extname) FROM pg_extension
			UNION ALL SELECT format('setting %s', setconfig) FROM pg_db_role_setting
		) AS everything(thing)
		WHERE thing !~ 'goose_db_version|pg_toast|pg_temp'
		ORDER BY thing`)
}

// definitions are the texts of functions, views, triggers and indexes.
func definitions(t testing.TB, pool *pgxpool.Pool) []string {
	t.Helper()
	return column[string](t, pool, `
		SELECT definition FROM (
			SELECT pg_get_functiondef(p.oid) FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.prokind = 'f'
				AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
			UNION ALL SELECT format('%s: %s', oid::regclass, pg_get_viewdef(oid)) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'v'
			UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
			UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
			UNION ALL SELECT format('%s.%s %s', attrelid::regclass, attname, format_type(atttypid, atttypmod)) FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
				WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped
		) AS everything(definition)
		WHERE definition !~ 'goose_db_version'
		ORDER BY definition`)
}

// One step down from the newest schema is the one before it, as it would be had there
// never been a newer one.
func TestDownRestoresTheSchemaBefore(t *testing.T) {
	t.Parallel()
	pool := testenv.PoolAt(t, testenv.EmptyDatabaseURL(t))
	m := newMigrator(t, pool)
	up(t, m)
	down(t, m)
	got := definitions(t, pool)
	downTo(t, m, 2) // one step is done
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	files, err := goose.NewProvider(goose.DialectPostgres, db, os.DirFS("."), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := files.UpTo(t.Context(), previous); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(definitions(t, pool), got); diff != "" {
		t.Errorf("(-as it was +after a step up and down):\n%s", diff)
	}
}

func TestUpBringsAnEmptyDatabaseToTheLatestAndAgainDoesNothing(t *testing.T) {
	t.Parallel()
	pool := testenv.PoolAt(t, testenv.EmptyDatabaseURL(t))
	m := newMigrator(t, pool)
	if err := m.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "run jobvault migrate up") {
		t.Errorf("an empty database passes the check, or the error does not say what to do: %v", err)
	}
	if diff := cmp.Diff(all, up(t, m)); diff != "" {
		t.Errorf("first time (-want +got):\n%s", diff)
	}
	before := catalog(t, pool)
	if again := up(t, m); again != nil {
		t.Errorf("the second time applied %v", again)
	}
	if diff := cmp.Diff(before, catalog(t, pool)); diff != "" {
		t.Errorf("the second time changed the schema:\n%s", diff)
	}
	if s, err := m.State(t.Context()); err != nil || s != (migrations.State{Current: latest, Latest: latest}) {
		t.Errorf("state %+v, %v", s, err)
	}
	if err := m.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestStatusListsEachMigrationWithWhetherItIsApplied(t *testing.T) {
	m := newMigrator(t, testenv.PoolAt(t, testenv.EmptyDatabaseURL(t)))
	status := func() map[string]goose.State {
		t.Helper()
		list, err := m.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		states := make(map[string]goose.State)
		for i, s := range list {
			if name := migrations.Name(s.Source); name != all[i] {
				t.Errorf("place %d has %s, want %s", i, name, all[i])
			}
			states[migrations.Name(s.Source)] = s.State
		}
		return states
	}
	if diff := cmp.Diff(upTo(0), status()); diff != "" {
		t.Errorf("of an empty database (-want +got):\n%s", diff)
	}
	up(t, m)
	if diff := cmp.Diff(upTo(len(all)), status()); diff != "" {
		t.Errorf("after up (-want +got):\n%s", diff)
	}
	down(t, m)
	if diff := cmp.Diff(upTo(len(all)-1), status()); diff != "" {
		t.Errorf("after one step down (-want +got):\n%s", diff)
	}
}

// upTo is every migration with its state when the first n are applied.
func upTo(n int) map[string]goose.State {
	states := make(map[string]goose.State)
	for i, name := range all {
		states[name] = goose.StatePending
		if i < n {
			states[name] = goose.StateApplied
		}
	}
	return states
}

// downTo undoes migrations until the first n are left.
func downTo(t testing.TB, m *migrations.Migrator, n int) {
	t.Helper()
	for range len(all) - n {
		down(t, m)
	}
}

func down(t testing.TB, m *migrations.Migrator) []string {
	t.Helper()
	undone, err := m.Down(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return undone
}

func TestDownLeavesNothingBehindAndUpBringsAllBack(t *testing.T) {
	t.Parallel()
	pool := testenv.PoolAt(t, testenv.EmptyDatabaseURL(t))
	m := newMigrator(t, pool)
	empty := catalog(t, pool)
	up(t, m)
	full := catalog(t, pool)
	for round := range 2 {
		for i := len(all) - 1; i >= 0; i-- {
			if diff := cmp.Diff([]string{all[i]}, down(t, m)); diff != "" {
				t.Errorf("round %d, a step down (-want +got):\n%s", round, diff)
			}
		}
		if undone := down(t, m); undone != nil {
			t.Errorf("round %d: undid %v, and nothing was left", round, undone)
		}
		if diff := cmp.Diff(empty, catalog(t, pool)); diff != "" {
			t.Errorf("round %d, left behind (+):\n%s", round, diff)
		}
		if diff := cmp.Diff(all, up(t, m)); diff != "" {
			t.Errorf("round %d, up again (-want +got):\n%s", round, diff)
		}
		if diff := cmp.Diff(full, catalog(t, pool)); diff != "" {
			t.Errorf("round %d, not the schema of the first time:\n%s", round, diff)
		}
	}
}

// River migrates in its own transactions: a process may be killed when all of
// its schema is there and goose has not noted it yet.
func TestUpGoesOnWhereAKilledProcessStopped(t *testing.T) {
	t.Parallel()
	for _, lost := range []string{
		`DELETE FROM goose_db_version WHERE version_id = 1`,
		`DELETE FROM goose_db_version WHERE version_id = 1; DELETE FROM queue.river_migration WHERE version = 8`,
		`DELETE FROM goose_db_version WHERE version_id = 1; DROP SCHEMA queue CASCADE; CREATE SCHEMA queue`,
	} {
		pool := testenv.PoolAt(t, testenv.EmptyDatabaseURL(t))
		m := newMigrator(t, pool)
		up(t, m)
		full := catalog(t, pool)
		downTo(t, m, 1)
		exec(t, pool, lost)
		if applied, err := m.Up(t.Context()); err != nil || !cmp.Equal(applied, all) {
			t.Errorf("after %s: applied %v, %v", lost, applied, err)
		}
		if diff := cmp.Diff(full, catalog(t, pool)); diff != "" {
			t.Errorf("after %s:\n%s", lost, diff)
		}
	}
}

// The same on the way down: River's schema is gone and goose still counts it as applied.
func TestDownGoesOnWhereAKilledProcessStopped(t *testing.T) {
	pool := testenv.PoolAt(t, testenv.EmptyDatabaseURL(t))
	m := newMigrator(t, pool)
	empty := catalog(t, pool)
	up(t, m)
	downTo(t, m, 1)
	exec(t, pool, `DROP SCHEMA queue CASCADE`)
	if undone := down(t, m); !cmp.Equal(undone, all[:1]) {
		t.Errorf("undid %v", undone)
	}
	if diff := cmp.Diff(empty, catalog(t, pool)); diff != "" {
		t.Errorf("left behind (+):\n%s", diff)
	}
}
