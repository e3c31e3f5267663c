package migrations_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/internal/testenv"
)

// Runs of before stay as they are, and nothing is known of what started them; no range of
// time counts as one whose runs are described. What is learnt later goes with the schema,
// and the rest stays.
func TestRunsOfBeforeTellNothingOfTheirStart(t *testing.T) {
	t.Parallel()
	pool := testenv.PoolAt(t, testenv.EmptyDatabaseURL(t))
	m := newMigrator(t, pool)
	up(t, m)
	downTo(t, m, slices.Index(all, "00020_run_facts.sql"))
	exec(t, pool, `
		INSERT INTO repositories (id, owner, name, seen_at) VALUES (1, 'acme', 'rocket', now());
		INSERT INTO workflow_runs (id, repository_id, workflow_name, head_branch) VALUES (2, 1, 'CI', 'main');
		INSERT INTO jobs (id, run_id, repository_id, name, status, created_at) VALUES (3, 2, 1, 'build', 'completed', '2026-11-25');
		INSERT INTO job_logs (job_id) VALUES (3);
		INSERT INTO sweeps (repository_id, swept) VALUES (1, '{[2026-11-01,2026-11-26)}')`)
	before := column[string](t, pool, `SELECT f::text FROM job_facts f UNION ALL SELECT f::text FROM run_facts f UNION ALL SELECT facet::text FROM job_facets ORDER BY 1`)
	for range 2 {
		up(t, m)
		for _, unknown := range []string{
			`SELECT count(*) FROM job_facts WHERE num_nulls(event, actor, triggering_actor, from_fork, path, display_title, run_number) = 7`,
			`SELECT count(*) FROM run_facts WHERE num_nulls(event, actor, triggering_actor, from_fork, path, display_title, run_number) = 7`,
			`SELECT count(*) FROM sweeps WHERE isempty(described) AND NOT isempty(swept)`,
		} {
			if got := column[int64](t, pool, unknown); !cmp.Equal(got, []int64{1}) {
				t.Errorf("%s: %v", unknown, got)
			}
		}
		exec(t, pool, `
			UPDATE workflow_runs SET event = 'push', actor = 'Mona', head_repository_id = 7;
			INSERT INTO workflow_run_attempts (run_id, run_attempt, triggering_actor) VALUES (2, 1, 'hubot')`)
		found := column[string](t, pool, `SELECT kind FROM (VALUES ('event', 'push'), ('actor', 'mona'), ('actor', 'hubot'), ('fork', 'true')) AS v(kind, value)
			WHERE EXISTS (SELECT FROM job_facets WHERE facet = facet(kind, value) AND job_id = 3)`)
		if len(found) != 4 {
			t.Errorf("found by %v", found)
		}
		exec(t, pool, `DELETE FROM job_facets WHERE facet IN (facet('event', 'push'), facet('actor', 'mona'), facet('actor', 'hubot'), facet('fork', 'true'))`)
		downTo(t, m, slices.Index(all, "00020_run_facts.sql"))
		after := column[string](t, pool, `SELECT f::text FROM job_facts f UNION ALL SELECT f::text FROM run_facts f UNION ALL SELECT facet::text FROM job_facets ORDER BY 1`)
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("after up and down (-want +got):\n%s", diff)
		}
	}
}
