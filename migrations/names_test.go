package migrations_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/internal/testenv"
)

// Names of before the migration count as told when their repositories were last heard
// of; those that were given up, as when another was heard. What goes up comes down.
func TestNamesOfBefore(t *testing.T) {
	t.Parallel()
	pool := testenv.PoolAt(t, testenv.EmptyDatabaseURL(t))
	m := newMigrator(t, pool)
	up(t, m)
	downTo(t, m, slices.Index(all, "00013_names.sql"))
	exec(t, pool, `
		INSERT INTO repositories (id, owner, name, private, installation_id, seen_at) VALUES
			(1, 'acme', 'rocket', true, 5, '2026-01-01Z'), (2, 'acme', 'Rocket', NULL, NULL, '2026-01-02Z'),
			(3, 'acme', 'old', false, NULL, '2026-01-03Z'), (4, 'acme', 'was', NULL, NULL, '2026-01-01Z');
		UPDATE repositories SET name = 'new' WHERE id = 3;
		UPDATE repositories SET name = 'was' WHERE id = 3;
		UPDATE repositories SET name = 'new' WHERE id = 3;
		UPDATE repository_names SET until = '2026-01-02Z'`)
	before := column[string](t, pool, `SELECT concat_ws(' ', id, owner, name, private, installation_id, seen_at) FROM repositories ORDER BY id`)
	up(t, m)
	want := []string{
		"1 acme/rocket 2026-01-01 f 2026-01-01 2026-01-01 f",
		"2 acme/Rocket 2026-01-02 f - - t",
		"3 acme/new 2026-01-03 f 2026-01-03 - t",
		"3 was acme/old 2026-01-02 f",
		"3 was acme/was 2026-01-02 f",
		"4 acme/was 2026-01-01 f - - f",
	}
	got := column[string](t, pool, `
		SELECT concat(id, ' ', owner, '/', name, ' ', named_at::date, ' ', named_by_api, ' ', coalesce(private_at::date::text, '-'), ' ',
			coalesce(installation_at::date::text, '-'), ' ', has_name(r)) FROM repositories r
		UNION ALL SELECT concat(repository_id, ' was ', owner, '/', name, ' ', named_at::date, ' ', named_by_api) FROM repository_names ORDER BY 1`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after up (-want +got):\n%s", diff)
	}
	exec(t, pool, `INSERT INTO retention_plans SELECT id, owner, name, has_name(r), now() FROM repositories r`)
	downTo(t, m, slices.Index(all, "00013_names.sql"))
	if diff := cmp.Diff(before, column[string](t, pool, `SELECT concat_ws(' ', id, owner, name, private, installation_id, seen_at) FROM repositories ORDER BY id`)); diff != "" {
		t.Errorf("after up and down (-want +got):\n%s", diff)
	}
	exec(t, pool, `UPDATE repositories SET name = 'newer' WHERE id = 3`) // the trigger is that of before
	up(t, m)
}
