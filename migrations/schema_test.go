package migrations_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/internal/testenv"
)

// contract is the tables that users' SQL depends on. A change here is a change
// of what users were promised: it needs a migration and a line in CHANGELOG.md.
var contract = map[string][]string{
	"repositories": {"id bigint", "owner text", "name text", "private boolean", "installation_id bigint", "seen_at timestamptz",
		"named_at timestamptz", "named_by_api boolean", "private_at timestamptz", "installation_at timestamptz"},
	"workflow_runs": {
		"id bigint", "repository_id bigint", "workflow_name text", "head_branch text", "head_sha text", "event text", "actor_id bigint", "actor text",
		"triggering_actor_id bigint", "triggering_actor text", "run_number bigint", "display_title text", "workflow_id bigint", "path text",
		"head_repository_id bigint", "head_repository text", "pull_requests bigint[]", "referenced_workflows jsonb", "run_attempt bigint", "status text",
		"conclusion text", "created_at timestamptz",
	},
	"workflow_run_attempts": {
		"run_id bigint", "run_attempt bigint", "triggering_actor_id bigint", "triggering_actor text", "status text", "conclusion text", "started_at timestamptz",
		"updated_at timestamptz", "description_sha256 bytea", "description_bytes bigint",
	},
	"jobs": {
		"id bigint", "run_id bigint", "run_attempt bigint", "repository_id bigint", "name text", "status text", "conclusion text",
		"node_id text", "html_url text", "check_run_url text", "created_at timestamptz", "started_at timestamptz",
		"completed_at timestamptz", "runner_id bigint", "runner_name text", "runner_group_id bigint", "runner_group_name text",
		"fetched_at timestamptz", "carried_over_from bigint",
	},
	"steps": {
		"job_id bigint", "number bigint", "name text", "status text", "conclusion text", "started_at timestamptz",
		"completed_at timestamptz", "log_first_line bigint", "log_last_line bigint", "log_lines text",
	},
	"labels":     {"id bigint", "name text"},
	"job_labels": {"job_id bigint", "label_id bigint", "position integer"},
	"deliveries": {
		"guid uuid", "event text", "action text", "received_at timestamptz", "repository_id bigint", "job_id bigint",
		"payload bytea", "state text", "error text",
	},
	"job_logs": {
		"job_id bigint", "state text", "reason text", "http_status integer", "attempts integer", "object_key text",
		"raw_bytes bigint", "stored_bytes bigint", "lines bigint", "sha256 bytea", "frame_lines bigint[]",
		"frame_offsets bigint[]", "truncated boolean", "archived_at timestamptz", "settled_at timestamptz",
		"stored_sha256 bytea", "usage_version integer", "manifest_date date", "details_sha256 bytea", "details_bytes bigint", "filter_bytes bigint",
		"settled_sha256 bytea", "settled_bytes bigint", "filter_version integer",
		"trying_since timestamptz", "failed_days integer", "refused_days integer", "failed_on date",
	},
	"manifests": {
		"date date", "previous date", "sha256 bytea", "stored_sha256 bytea", "jobs bigint", "stored_bytes bigint", "written_at timestamptz",
	},
	"coverage": {
		"repository text", "day date", "jobs bigint", "archived bigint", "none bigint", "expired bigint", "missing bigint",
		"denied bigint", "removed bigint", "pending bigint", "complete boolean", "repository_id bigint", "unlisted bigint", "gone_at timestamptz",
	},
	"sweeps": {
		"repository_id bigint", "swept tstzmultirange", "watermark timestamptz", "deep_at timestamptz", "listed_from timestamptz", "etag text", "listed_runs integer",
		"succeeded_at timestamptz", "failed_at timestamptz", "error text", "described tstzmultirange", "described_etag text", "gone_at timestamptz",
		"unlisted tstzmultirange", "trying_since timestamptz", "failed_days integer", "refused_days integer", "failed_on date", "tried_at timestamptz", "given_up_at timestamptz",
	},
	"run_attempts": {
		"run_id bigint", "run_attempt bigint", "repository_id bigint", "run_created_at timestamptz", "jobs integer",
		"complete boolean", "swept_at timestamptz", "gone_at timestamptz",
		"trying_since timestamptz", "failed_days integer", "refused_days integer", "failed_on date", "http_status integer", "reason text", "given_up_at timestamptz",
	},
	"attempt_lists": {
		"run_id bigint", "run_attempt bigint", "etag text", "jobs integer", "all_completed boolean", "listed_at timestamptz",
	},
	"lost_deliveries": {
		"hook text", "guid uuid", "delivery_id bigint", "delivered_at timestamptz", "asked integer", "asked_at timestamptz",
	},
	"job_actions": {
		"job_id bigint", "seq integer", "action text", "path text", "ref text", "resolved_sha text", "version text", "digest text",
		"log_line bigint", "in_setup boolean", "kind text",
	},
	"job_environment": {
		"job_id bigint", "runner_version text", "image text", "image_version text", "os text", "secret_source text", "job_defined_at text",
		"workflow_ref text", "actions_cut bigint", "annotations_cut bigint", "runner_name text", "runner_group text", "machine text", "cache_mode text",
		"actions_locked boolean", "defined_from text", "errors_cut bigint", "warnings_cut bigint", "notices_cut bigint",
	},
	"job_permissions": {"job_id bigint", "scope text", "level text"},
	"job_annotations": {
		"job_id bigint", "log_line bigint", "level text", "message text", "step_number bigint", "tolerated boolean", "file text", "file_line bigint",
	},
	"annotation_facts": {
		"job_id bigint", "log_line bigint", "level text", "message text", "step_number bigint", "job_name text", "repository text", "workflow_name text",
		"head_branch text", "day date", "tolerated boolean", "file text", "file_line bigint", "carried_over_from bigint",
	},
	"action_uses": {
		"action text", "path text", "ref text", "resolved_sha text", "version text", "repository text", "workflow_name text", "jobs bigint",
		"first_used_at timestamptz", "last_used_at timestamptz", "in_setup boolean", "repository_id bigint", "image_digest text",
	},
	"action_callers": {
		"id bigint", "digest bytea", "action text", "path text", "ref text", "resolved_sha text", "version text", "repository_id bigint", "workflow_name text",
		"image_digest text",
	},
	"action_sums": {
		"action bigint", "days smallint", "at timestamptz", "caller_id bigint", "repository_id bigint", "jobs bigint", "first_job bigint", "last_job bigint",
		"first_used_at timestamptz", "last_used_at timestamptz", "in_setup boolean", "rule integer",
	},
	"action_pending":     {"seq bigint", "job_id bigint"},
	"action_invalidated": {"repository_id bigint", "at timestamptz", "noted_at timestamptz"},
	"action_unrolled": {
		"job_id bigint", "action text", "path text", "ref text", "resolved_sha text", "version text", "repository_id bigint", "workflow_name text",
		"created_at timestamptz", "in_setup boolean", "image_digest text",
	},
	"action_rest": {
		"job_id bigint", "action text", "path text", "ref text", "resolved_sha text", "version text", "repository_id bigint", "workflow_name text",
		"created_at timestamptz", "in_setup boolean",
	},
	"action_unsummed": {"n bigint", "job_id bigint"},
	"action_stale":    {"repository_id bigint", "at timestamptz", "noted_at timestamptz"},
	"delivery_hourly": {"hour timestamptz", "action text", "state text", "deliveries bigint"},
	"job_facts": {
		"job_id bigint", "repository_id bigint", "repository text", "run_id bigint", "run_attempt bigint", "workflow_name text", "head_branch text", "head_sha text",
		"name text", "status text", "conclusion text", "day date", "created_at timestamptz", "started_at timestamptz", "completed_at timestamptz",
		"queue_seconds double precision", "duration_seconds double precision", "runner_name text", "runner_group_name text", "labels text[]",
		"log_state text", "log_bytes bigint", "log_lines bigint", "failed_step text",
		"event text", "actor text", "triggering_actor text", "from_fork boolean", "path text", "display_title text", "run_number bigint",
		"carried_over_from bigint",
	},
	"action_facts": {
		"job_id bigint", "action text", "action_path text", "ref text", "resolved_sha text", "version text", "in_setup boolean", "log_line bigint",
		"repository_id bigint", "repository text", "run_id bigint", "workflow_name text", "day date", "created_at timestamptz",
		"event text", "actor text", "triggering_actor text", "from_fork boolean", "path text", "kind text", "digest text", "carried_over_from bigint",
	},
	"environment_facts": {
		"job_id bigint", "repository_id bigint", "repository text", "run_id bigint", "workflow_name text", "name text", "day date", "created_at timestamptz",
		"runner_version text", "runner_name text", "runner_group text", "machine text", "os text", "image text", "image_version text", "secret_source text",
		"cache_mode text", "actions_locked boolean", "job_defined_at text", "workflow_ref text", "defined_from text", "carried_over_from bigint",
	},
	"step_facts": {
		"job_id bigint", "number bigint", "name text", "conclusion text", "started_at timestamptz", "completed_at timestamptz", "duration_seconds double precision",
		"log_first_line bigint", "log_last_line bigint", "job_name text", "repository text", "workflow_name text", "head_branch text", "day date",
		"log_lines text", "carried_over_from bigint",
	},
	"run_facts": {
		"run_id bigint", "repository text", "workflow_name text", "head_branch text", "head_sha text", "attempts bigint", "jobs bigint", "succeeded bigint",
		"failed bigint", "cancelled bigint", "skipped bigint", "unfinished bigint", "day date", "created_at timestamptz", "completed_at timestamptz",
		"wall_seconds double precision", "job_seconds double precision",
		"event text", "actor text", "triggering_actor text", "from_fork boolean", "path text", "display_title text", "run_number bigint",
	},
	"workflow_daily": {
		"day date", "repository text", "workflow_name text", "runs bigint", "jobs bigint", "succeeded bigint", "failed bigint", "duration_seconds_p50 double precision",
		"duration_seconds_p95 double precision", "queue_seconds_p95 double precision", "job_seconds double precision", "repository_id bigint",
	},
	"label_daily": {
		"day date", "label text", "jobs bigint", "queue_seconds_p50 double precision", "queue_seconds_p95 double precision", "job_seconds double precision",
	},
	"runner_daily": {"day date", "runner_name text", "runner_group_name text", "jobs bigint", "failed bigint", "job_seconds double precision"},
	"flaky_jobs": {
		"day date", "repository text", "workflow_name text", "name text", "head_sha text", "failures bigint", "failed_job_id bigint", "passed_job_id bigint",
		"passed_at timestamptz", "repository_id bigint",
	},
	"failure_signatures": {"day date", "repository text", "signature text", "times bigint", "jobs bigint", "last_job_id bigint", "example text", "repository_id bigint"},
	"repository_names":   {"owner text", "name text", "repository_id bigint", "until timestamptz", "named_at timestamptz", "named_by_api boolean"},
	"name_holders":       {"owner text", "name text", "repository_id bigint"},
	"retention_plans":    {"repository_id bigint", "owner text", "name text", "has_name boolean", "planned_at timestamptz"},
	"read_tokens":        {"name text", "digest bytea", "repositories text[]", "created_at timestamptz", "expires_at timestamptz", "revoked_at timestamptz"},
	"sessions":           {"digest bytea", "sealed bytea", "created_at timestamptz", "expires_at timestamptz"},
	"keys":               {"purpose text", "key bytea", "created_at timestamptz"},
	"reads":              {"at timestamptz", "subject text", "job_id bigint", "what text"},
	"job_facets":         {"facet bigint", "at timestamptz", "job_id bigint"},
	"retention_rules": {
		"id bigint", "position integer", "repository text", "workflow text", "branch text", "conclusion text", "older_than_days integer", "keep_days integer",
		"created_by text", "created_at timestamptz",
	},
	"holds": {
		"id bigint", "repository_id bigint", "run_id bigint", "job_id bigint", "reason text", "created_by text", "created_at timestamptz",
		"released_by text", "released_at timestamptz",
	},
	"log_removals": {
		"job_id bigint", "kind text", "rule text", "reason text", "actor text", "decided_at timestamptz", "sha256 bytea", "raw_bytes bigint",
		"stored_bytes bigint", "lines bigint", "truncated boolean", "object_key text", "archived_at timestamptz", "finished_at timestamptz",
		"logged_in bigint", "attempts integer", "retry_at timestamptz", "error text",
	},
	"removal_log": {"number bigint", "sha256 bytea", "lines bigint", "written_at timestamptz"},
	"shorter_logs": {
		"job_id bigint", "number integer", "object_key text", "raw_bytes bigint", "stored_bytes bigint", "lines bigint", "sha256 bytea",
		"stored_sha256 bytea", "archived_at timestamptz",
	},
	"log_rechecks": {
		"job_id bigint", "due_at timestamptz", "tries integer", "asked integer", "asked_at timestamptz", "outcome text",
	},
	"log_redactions": {
		"job_id bigint", "number integer", "object_key text", "raw_bytes bigint", "stored_bytes bigint", "lines bigint", "sha256 bytea", "stored_sha256 bytea",
		"frame_lines bigint[]", "frame_offsets bigint[]", "redacted_lines bigint", "matches bigint", "actor text", "reason text", "at timestamptz",
		"removed_at timestamptz", "removed_by text", "removed_reason text",
	},
	"hooks": {"name text", "resolved_to timestamptz", "succeeded_at timestamptz"},
	"rate_limits": {
		"installation_id bigint", "request_limit integer", "remaining integer", "reset_at timestamptz", "guessed boolean",
		"closed_until timestamptz", "spent bigint", "answered bigint", "minute_at timestamptz", "minute_points integer", "version bigint",
	},
}

func TestTablesAreThoseOfTheContract(t *testing.T) {
	pool := testenv.Pool(t)
	got := make(map[string][]string)
	for _, table := range column[string](t, pool, `
		SELECT relname FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f') AND relname <> 'goose_db_version'`) {
		got[table] = column[string](t, pool, `
			SELECT attname || ' ' || replace(format_type(atttypid, atttypmod), 'timestamp with time zone', 'timestamptz')
			FROM pg_attribute
			WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped
			ORDER BY attnum`, table)
	}
	if diff := cmp.Diff(contract, got); diff != "" {
		t.Errorf("promised (-) and there (+):\n%s", diff)
	}
}

func TestPrimaryKeysAreThoseOfTheContract(t *testing.T) {
	got := column[string](t, testenv.Pool(t), `
		SELECT format('%s: %s', conrelid::regclass, pg_get_constraintdef(oid)) FROM pg_constraint
		WHERE contype = 'p' AND connamespace = 'public'::regnamespace AND conrelid <> 'goose_db_version'::regclass
		ORDER BY 1`)
	want := []string{
		"action_callers: PRIMARY KEY (id)",
		"action_pending: PRIMARY KEY (seq)",
		"action_sums: PRIMARY KEY (action, days, at, caller_id)",
		"attempt_lists: PRIMARY KEY (run_id, run_attempt)",
		"deliveries: PRIMARY KEY (guid)",
		"holds: PRIMARY KEY (id)",
		"hooks: PRIMARY KEY (name)",
		"job_actions: PRIMARY KEY (job_id, seq)",
		"job_annotations: PRIMARY KEY (job_id, log_line)",
		"job_environment: PRIMARY KEY (job_id)",
		"job_facets: PRIMARY KEY (facet, at, job_id)",
		"job_labels: PRIMARY KEY (job_id, \"position\")",
		"job_logs: PRIMARY KEY (job_id)",
		"job_permissions: PRIMARY KEY (job_id, scope)",
		"jobs: PRIMARY KEY (id)",
		"keys: PRIMARY KEY (purpose)",
		"labels: PRIMARY KEY (id)",
		"log_rechecks: PRIMARY KEY (job_id)",
		"log_redactions: PRIMARY KEY (job_id, number)",
		"log_removals: PRIMARY KEY (job_id)",
		"lost_deliveries: PRIMARY KEY (hook, guid)",
		"manifests: PRIMARY KEY (date)",
		"rate_limits: PRIMARY KEY (installation_id)",
		"read_tokens: PRIMARY KEY (name)",
		"removal_log: PRIMARY KEY (number)",
		"repositories: PRIMARY KEY (id)",
		"repository_names: PRIMARY KEY (repository_id, owner, name)",
		"retention_plans: PRIMARY KEY (repository_id)",
		"retention_rules: PRIMARY KEY (id)",
		"run_attempts: PRIMARY KEY (run_id, run_attempt)",
		"sessions: PRIMARY KEY (digest)",
		"shorter_logs: PRIMARY KEY (job_id, number)",
		"steps: PRIMARY KEY (job_id, number)",
		"sweeps: PRIMARY KEY (repository_id)",
		"workflow_run_attempts: PRIMARY KEY (run_id, run_attempt)",
		"workflow_runs: PRIMARY KEY (id)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestForeignKeysTieTheTablesTogether(t *testing.T) {
	got := column[string](t, testenv.Pool(t), `
		SELECT format('%s: %s', conrelid::regclass, pg_get_constraintdef(oid)) FROM pg_constraint
		WHERE contype = 'f' AND connamespace = 'public'::regnamespace
		ORDER BY 1`)
	// None from deliveries: one is committed before the rows it tells of. None
	// from the ledger cascades: it remembers.
	want := []string{
		"holds: FOREIGN KEY (job_id) REFERENCES jobs(id)",
		"holds: FOREIGN KEY (repository_id) REFERENCES repositories(id)",
		"holds: FOREIGN KEY (run_id) REFERENCES workflow_runs(id)",
		"job_actions: FOREIGN KEY (job_id) REFERENCES jobs(id) ON DELETE CASCADE",
		"job_annotations: FOREIGN KEY (job_id) REFERENCES jobs(id) ON DELETE CASCADE",
		"job_environment: FOREIGN KEY (job_id) REFERENCES jobs(id) ON DELETE CASCADE",
		"job_labels: FOREIGN KEY (job_id) REFERENCES jobs(id) ON DELETE CASCADE",
		"job_labels: FOREIGN KEY (label_id) REFERENCES labels(id)",
		"job_logs: FOREIGN KEY (job_id) REFERENCES jobs(id)",
		"job_permissions: FOREIGN KEY (job_id) REFERENCES jobs(id) ON DELETE CASCADE",
		"jobs: FOREIGN KEY (carried_over_from) REFERENCES jobs(id) ON DELETE SET NULL",
		"jobs: FOREIGN KEY (repository_id) REFERENCES repositories(id)",
		"jobs: FOREIGN KEY (run_id) REFERENCES workflow_runs(id)",
		"log_rechecks: FOREIGN KEY (job_id) REFERENCES jobs(id)",
		"log_redactions: FOREIGN KEY (job_id) REFERENCES jobs(id)",
		"log_removals: FOREIGN KEY (job_id) REFERENCES jobs(id)",
		"lost_deliveries: FOREIGN KEY (hook) REFERENCES hooks(name)",
		"repository_names: FOREIGN KEY (repository_id) REFERENCES repositories(id)",
		"retention_plans: FOREIGN KEY (repository_id) REFERENCES repositories(id)",
		"run_attempts: FOREIGN KEY (repository_id) REFERENCES repositories(id)",
		"shorter_logs: FOREIGN KEY (job_id) REFERENCES jobs(id)",
		"steps: FOREIGN KEY (job_id) REFERENCES jobs(id) ON DELETE CASCADE",
		"sweeps: FOREIGN KEY (repository_id) REFERENCES repositories(id)",
		"workflow_run_attempts: FOREIGN KEY (run_id) REFERENCES workflow_runs(id)",
		"workflow_runs: FOREIGN KEY (repository_id) REFERENCES repositories(id)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The comments are the manual that psql's \d+ shows.
func TestEveryTableAndColumnHasAComment(t *testing.T) {
	bare := column[string](t, testenv.Pool(t), `
		SELECT c.relname || coalesce('.' || a.attname, '')
		FROM pg_class c
		LEFT JOIN (SELECT attrelid, attname, attnum FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped
		           UNION ALL SELECT oid, NULL, 0 FROM pg_class) a ON a.attrelid = c.oid
		LEFT JOIN pg_description d ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = a.attnum
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') AND c.relname <> 'goose_db_version'
		  AND (d.description IS NULL OR d.description !~ '\.$')
		ORDER BY 1`)
	if len(bare) > 0 {
		t.Errorf("without a comment, or one that does not end with a full stop: %v", bare)
	}
}

func TestRiverLivesInItsOwnSchema(t *testing.T) {
	pool := testenv.Pool(t)
	for _, table := range []string{"queue.river_job", "queue.river_leader", "queue.river_queue", "queue.river_migration"} {
		if got := column[*string](t, pool, `SELECT to_regclass($1)::text`, table); got[0] == nil {
			t.Errorf("%s is missing", table)
		}
	}
	if stray := column[string](t, pool, `SELECT relname FROM pg_class WHERE relname LIKE 'river%' AND relnamespace <> 'queue'::regnamespace`); len(stray) > 0 {
		t.Errorf("outside of it: %v", stray)
	}
}
