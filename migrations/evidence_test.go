package migrations_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/internal/testenv"
)

// Jobs that have a settled.json, of which older manifests did not tell, are listed once
// more, however many they are; those with a log are not. It may be repeated, as
// when it was stopped in the middle.
func TestJobsWithARecordAreListedOnceMore(t *testing.T) {
	t.Parallel()
	pool := testenv.PoolAt(t, testenv.EmptyDatabaseURL(t))
	m := newMigrator(t, pool)
	up(t, m)
	downTo(t, m, slices.Index(all, "00016_evidence.sql"))
	exec(t, pool, `
		INSERT INTO repositories (id, owner, name, seen_at) VALUES (1, 'acme', 'rocket', now());
		INSERT INTO workflow_runs (id, repository_id) VALUES (2, 1);
		INSERT INTO jobs (id, run_id, repository_id, name, status) SELECT n, 2, 1, 'build', 'completed' FROM generate_series(1, 21000) n;
		INSERT INTO job_logs (job_id, state, settled_at, manifest_date)
		SELECT n, (ARRAY['none', 'missing', 'expired', 'removed'])[1 + n % 4], now(), '2026-11-25' FROM generate_series(1, 20998) n;
		INSERT INTO job_logs (job_id, state, settled_at, manifest_date, object_key, raw_bytes, stored_bytes, lines, sha256, archived_at)
		VALUES (20999, 'archived', now(), '2026-11-25', 'k', 0, 0, 0, sha256(''), now());
		INSERT INTO job_logs (job_id) VALUES (21000)`)
	listed := func() []int64 {
		return column[int64](t, pool, `SELECT job_id FROM job_logs WHERE manifest_date IS NOT NULL ORDER BY 1`)
	}
	up(t, m)
	if diff := cmp.Diff([]int64{20999}, listed()); diff != "" {
		t.Errorf("listed still (-want +got):\n%s", diff)
	}
	// Listed meanwhile, by a manifest that tells all.
	exec(t, pool, `UPDATE job_logs SET manifest_date = '2026-11-26', settled_sha256 = sha256(''), settled_bytes = 9 WHERE job_id < 10`)
	exec(t, pool, `DELETE FROM goose_db_version WHERE version_id = 16`)
	up(t, m)
	if diff := cmp.Diff([]int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 20999}, listed()); diff != "" {
		t.Errorf("listed after it was repeated (-want +got):\n%s", diff)
	}
}
