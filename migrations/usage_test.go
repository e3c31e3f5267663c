package migrations_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/internal/testenv"
)

// What the rows of before say, they say afterwards and when it is undone; images and what
// was summed up of them are gone then.
func TestUsageOfBeforeStays(t *testing.T) {
	t.Parallel()
	pool := testenv.PoolAt(t, testenv.EmptyDatabaseURL(t))
	m := newMigrator(t, pool)
	up(t, m)
	toBefore := func() { downTo(t, m, slices.Index(all, "00019_usage.sql")) }
	toBefore()
	exec(t, pool, `
		INSERT INTO repositories (id, owner, name, seen_at) VALUES (1, 'acme', 'rocket', now());
		INSERT INTO workflow_runs (id, repository_id) VALUES (2, 1);
		INSERT INTO jobs (id, run_id, repository_id, name, status, created_at) SELECT n, 2, 1, 'build', 'completed', '2026-03-01' FROM generate_series(1, 3) n;
		INSERT INTO job_actions (job_id, seq, action, ref, resolved_sha, log_line, in_setup) SELECT id, 0, 'a/b', 'v1', repeat('a', 40), 7, true FROM jobs;
		INSERT INTO job_annotations (job_id, log_line, level, message) SELECT id, 9, 'error', 'broke ' || id FROM jobs;
		INSERT INTO job_annotations (job_id, log_line, level, message) VALUES (1, 10, 'error', '   ');
		INSERT INTO job_environment (job_id, image, job_defined_at, annotations_cut) SELECT id, 'ubuntu-22.04', 'a/b/c.yml@main', 5 FROM jobs`)
	const old = `
		SELECT concat_ws(' ', 'action', job_id, seq, action, ref, resolved_sha, log_line, in_setup) FROM job_actions
		UNION ALL SELECT concat_ws(' ', 'annotation', job_id, log_line, level, message) FROM job_annotations
		UNION ALL SELECT concat_ws(' ', 'environment', job_id, image, job_defined_at, annotations_cut) FROM job_environment
		UNION ALL SELECT concat_ws(' ', 'uses', action, ref, resolved_sha, jobs, in_setup) FROM action_uses ORDER BY 1`
	before := column[string](t, pool, old)
	same := func(when string) {
		t.Helper()
		if diff := cmp.Diff(before, column[string](t, pool, old)); diff != "" {
			t.Errorf("%s (-before +after):\n%s", when, diff)
		}
	}
	up(t, m)
	same("afterwards")
	if got := column[string](t, pool, `SELECT concat_ws(' ', signature, times) FROM failure_signatures`); !slices.Equal(got, []string{"broke # 3"}) {
		t.Errorf("signatures: %q", got)
	}
	if got := column[string](t, pool, `SELECT DISTINCT concat_ws(' ', kind, tolerated, e.image, e.defined_from, errors_cut, f.job_defined_at)
		FROM job_actions JOIN job_annotations USING (job_id) JOIN job_environment e USING (job_id) JOIN environment_facts f USING (job_id)`); !slices.Equal(got, []string{"action f ubuntu-22.04 0 a/b/c.yml@main"}) {
		t.Errorf("the new columns: %q", got)
	}
	exec(t, pool, `
		UPDATE job_annotations SET tolerated = true, file = 'a.go', file_line = 3;
		UPDATE job_environment SET machine = 'm', actions_locked = true, defined_from = 'log', errors_cut = 5;
		INSERT INTO job_actions (job_id, seq, action, ref, digest, log_line, in_setup, kind) SELECT id, 1, 'docker://a/b', 'v1', 'sha256:1', 8, true, 'image' FROM jobs`)
	if got := column[string](t, pool, `SELECT concat_ws(' ', action, jobs) FROM action_uses WHERE image_digest = 'sha256:1'`); !slices.Equal(got, []string{"docker://a/b 3"}) {
		t.Errorf("uses of the image: %q", got)
	}
	toBefore()
	same("when it was undone")
	up(t, m)
	same("done again")
}
