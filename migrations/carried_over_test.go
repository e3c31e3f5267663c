package migrations_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/internal/testenv"
)

// Jobs of before are linked, however many they are; it may be repeated, as when it was
// stopped in the middle. A step down leaves the jobs as they were, and says that what was
// summed up without them is out of date.
func TestJobsOfBeforeAreLinked(t *testing.T) {
	t.Parallel()
	pool := testenv.PoolAt(t, testenv.EmptyDatabaseURL(t))
	m := newMigrator(t, pool)
	up(t, m)
	downTo(t, m, slices.Index(all, "00021_carried_over.sql"))
	// Run n has jobs n*10+1 to n*10+3 of the first attempt, and of the second one the first
	// of them carried over, as 4, the second one again, as 5, and the third one skipped.
	exec(t, pool, `
		INSERT INTO repositories (id, owner, name, seen_at) VALUES (1, 'acme', 'rocket', now());
		INSERT INTO workflow_runs (id, repository_id) SELECT n, 1 FROM generate_series(1, 6000) n;
		INSERT INTO jobs (id, run_id, run_attempt, repository_id, name, status, conclusion, runner_id, runner_name, started_at, completed_at, created_at)
		SELECT n * 10 + i, n, CASE WHEN i < 4 THEN 1 ELSE 2 END, 1, 'job ' || i % 3, 'completed', CASE i WHEN 2 THEN 'failure' WHEN 6 THEN 'skipped' ELSE 'success' END,
			CASE WHEN i <> 6 THEN 7 END, CASE WHEN i <> 6 THEN 'runner' END,
			'2026-01-01'::timestamptz + CASE i WHEN 4 THEN 1 ELSE i END * interval '1 minute', '2026-01-01'::timestamptz + CASE i WHEN 4 THEN 1 ELSE i END * interval '2 minutes', '2026-01-01'
		FROM generate_series(1, 6000) n, generate_series(1, 6) i;
		INSERT INTO job_logs (job_id) SELECT id FROM jobs`)
	exec(t, pool, `INSERT INTO action_sums (action, days, at, caller_id, repository_id, jobs, first_job, last_job, in_setup) VALUES (1, 1, '2026-01-01', 1, 1, 1, 11, 11, true)`)
	linked := func() []int64 {
		return column[int64](t, pool, `SELECT count(*) FROM jobs WHERE carried_over_from IS NOT NULL UNION ALL
			SELECT count(*) FROM jobs WHERE id % 10 = 4 AND carried_over_from = id - 3`)
	}
	up(t, m)
	if diff := cmp.Diff([]int64{6000, 6000}, linked()); diff != "" {
		t.Errorf("carried over, and from the job that ran (-want +got):\n%s", diff)
	}
	if rules := column[string](t, pool, `SELECT concat_ws(' ', s.rule, c.column_default) FROM action_sums s, information_schema.columns c WHERE c.table_name = 'action_sums' AND c.column_name = 'rule'`); !slices.Equal(rules, []string{"2"}) {
		t.Errorf("rules of sums, and the default: %q", rules)
	}
	exec(t, pool, `UPDATE jobs SET carried_over_from = NULL WHERE id > 30000`)
	downTo(t, m, slices.Index(all, "00021_carried_over.sql")+1)
	exec(t, pool, `DELETE FROM goose_db_version WHERE version_id = 21`)
	up(t, m)
	if diff := cmp.Diff([]int64{6000, 6000}, linked()); diff != "" {
		t.Errorf("after it was repeated (-want +got):\n%s", diff)
	}
	exec(t, pool, `DELETE FROM action_invalidated`)
	downTo(t, m, slices.Index(all, "00021_carried_over.sql"))
	if n := column[int64](t, pool, `SELECT count(*) FROM jobs UNION ALL SELECT count(DISTINCT at) FROM action_invalidated`); !slices.Equal(n, []int64{36000, 1}) {
		t.Errorf("jobs, and periods to be summed up anew: %d", n)
	}
}
