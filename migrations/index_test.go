package migrations_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/jobvault/jobvault/internal/testenv"
)

// plan is how Postgres would run a query if it could do without reading whole
// tables and without sorting.
func plan(t testing.TB, pool *pgxpool.Pool, query string) string {
	t.Helper()
	var lines []string
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off`); err != nil {
			return err
		}
		rows, err := tx.Query(t.Context(), "EXPLAIN (COSTS off) "+query)
		if err != nil {
			return err
		}
		lines, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return strings.Join(lines, "\n")
}

var wholeTable = regexp.MustCompile(`Seq Scan|\bSort\b`)

// The order in which jobs are listed is tested in store, where they are listed.
func TestReadersQueriesHaveAnIndex(t *testing.T) {
	pool := testenv.Pool(t)
	for _, c := range []struct{ name, query, index string }{
		{"a repository by name", `SELECT id FROM repositories WHERE lower(owner) = 'acme' AND lower(name) = 'rocket'`, "repositories_by_name"},
		{"runs of a repository, newest first", `SELECT id FROM workflow_runs WHERE repository_id = 1 ORDER BY id DESC LIMIT 30`, "workflow_runs_by_repository"},
		{"runs of a commit", `SELECT id FROM workflow_runs WHERE head_sha = 'd6fde92930d4715a2b49857d24b940956b26d2d3'`, "workflow_runs_by_head_sha"},
		{"jobs of a day", `SELECT id FROM jobs WHERE created_at >= '2024-01-01' AND created_at < '2024-01-02'`, "jobs_by_time"},
		{"jobs of a repository", `SELECT id FROM jobs WHERE repository_id = 1`, "jobs_by_repository_and_time"},
		{"jobs of a run", `SELECT id FROM jobs WHERE run_id = 1`, "jobs_by_run"},
		{"jobs of a run's attempt", `SELECT id FROM jobs WHERE run_id = 1 AND run_attempt = 2`, "jobs_by_run"},
		{"the job that ran in place of one", `SELECT e.id FROM jobs l JOIN jobs e ON is_carried_over(l, e) WHERE l.id = 1`, "jobs_by_execution"},
		{"jobs that one ran in place of", `SELECT id FROM jobs WHERE carried_over_from = 1`, "jobs_by_carried_over_from"},
		{"failures", `SELECT id FROM jobs WHERE conclusion = 'failure'`, "jobs_by_conclusion"},
		{"jobs of a runner", `SELECT id FROM jobs WHERE runner_name = 'runner-7'`, "jobs_by_runner"},
		{"runs of which something is not known that started them", `SELECT id FROM workflow_runs WHERE (event IS NULL OR head_repository_id IS NULL) AND repository_id = ANY('{1,2}') ORDER BY id DESC LIMIT 100`, "workflow_runs_start_unknown"},
		{"jobs of attempts but the first", `SELECT id FROM jobs WHERE run_attempt > 1 AND repository_id = ANY('{1,2}') AND created_at >= '2024-01-01' ORDER BY created_at DESC NULLS LAST LIMIT 100`, "jobs_run_again"},
		{"jobs with a label", `SELECT job_id FROM job_labels WHERE label_id = 1 ORDER BY job_id DESC`, "job_labels_by_label"},
		{"a label by name", `SELECT id FROM labels WHERE name = 'ubuntu-latest'`, "labels_name_key"},
		{"labels of a job", `SELECT label_id FROM job_labels WHERE job_id = 1 ORDER BY position`, "job_labels_pkey"},
		{"steps of a job", `SELECT name FROM steps WHERE job_id = 1 ORDER BY number`, "steps_pkey"},
		{"deliveries that wait, oldest first", `SELECT guid FROM deliveries WHERE state = 'received' ORDER BY received_at LIMIT 200`, "deliveries_waiting"},
		{"deliveries of a job", `SELECT guid FROM deliveries WHERE job_id = 1`, "deliveries_by_job"},
		{"deliveries of a day", `SELECT guid FROM deliveries WHERE received_at >= '2024-01-01' AND received_at < '2024-01-02'`, "deliveries_by_time"},
		{"logs in a state", `SELECT job_id FROM job_logs WHERE state = 'missing' ORDER BY settled_at`, "job_logs_by_state"},
		{"jobs that have not completed", `SELECT id FROM jobs WHERE status <> 'completed' ORDER BY id`, "jobs_uncompleted"},
		{"attempts of a day", `SELECT run_id FROM run_attempts WHERE repository_id = 1 AND run_created_at >= '2024-01-01'`, "run_attempts_by_time"},
		{"lists nobody asks for", `SELECT run_id FROM attempt_lists WHERE listed_at < '2024-01-01'`, "attempt_lists_by_age"},
		{"attempts still going", `SELECT run_id FROM run_attempts WHERE repository_id = 1 AND NOT complete ORDER BY swept_at`, "run_attempts_open"},
		{"attempts that were given up", `SELECT run_id FROM run_attempts WHERE repository_id = 1 AND given_up_at IS NOT NULL AND NOT complete ORDER BY run_created_at`, "run_attempts_given_up"},
		{"settled and in no manifest", `SELECT job_id FROM job_logs WHERE job_id > 1 AND settled_at IS NOT NULL AND manifest_date IS NULL ORDER BY job_id`, "job_logs_unlisted"},
		{"logs that were not read for what their jobs used", `SELECT job_id FROM job_logs WHERE state = 'archived' AND job_id > 7 AND usage_version IS DISTINCT FROM 3 ORDER BY job_id`, "job_logs_unread"},
		{"removed logs that were never read for it", `SELECT job_id FROM job_logs WHERE state = 'removed' AND usage_version IS NULL`, "job_logs_removed_unread"},
		{"jobs of an image", `SELECT job_id FROM job_actions WHERE digest = 'sha256:0'`, "job_actions_by_digest"},
		{"jobs whose use of an action has no commit or digest", `SELECT DISTINCT job_id FROM job_actions WHERE lower(action) = 'acme/lint' AND resolved_sha IS NULL AND CASE WHEN kind IN ('image', 'container') THEN digest END IS NULL`, "job_actions_unresolved"},
		{"jobs whose actions were cut", `SELECT job_id FROM job_environment WHERE actions_cut > 0`, "job_environment_cut"},
		{"logs that are not settled", `SELECT job_id FROM job_logs WHERE state IN ('pending', 'denied') ORDER BY job_id`, "job_logs_unsettled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := plan(t, pool, c.query)
			if !regexp.MustCompile(`(using|Bitmap Index Scan on) `+c.index+`\b`).MatchString(p) || wholeTable.MatchString(p) {
				t.Errorf("%s does not rest on %s:\n%s", c.query, c.index, p)
			}
		})
	}
}

// Each foreign key has an index: else a delete or a change of key there reads all of the
// table here.
func TestEveryForeignKeyHasAnIndex(t *testing.T) {
	bare := column[string](t, testenv.Pool(t), `
		SELECT format('%s %s', conrelid::regclass, pg_get_constraintdef(c.oid)) FROM pg_constraint c
		WHERE contype = 'f' AND connamespace = 'public'::regnamespace
		  AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = conrelid AND i.indkey[0] = conkey[1]
			AND (i.indpred IS NULL OR pg_get_expr(i.indpred, conrelid) = (SELECT format('(%s IS NOT NULL)', attname) FROM pg_attribute WHERE attrelid = conrelid AND attnum = conkey[1])))`)
	if len(bare) > 0 {
		t.Errorf("without an index: %v", bare)
	}
}
