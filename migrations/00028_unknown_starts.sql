-- Jobs of which it is not known what started them are counted, where a list leaves them out.
-- Few are so once runs were listed: these indexes have them alone, and what was run again.

-- Each statement may be repeated.
-- +goose NO TRANSACTION

-- +goose Up

DROP INDEX CONCURRENTLY IF EXISTS workflow_runs_start_unknown;
CREATE INDEX CONCURRENTLY workflow_runs_start_unknown ON workflow_runs (id, repository_id) WHERE event IS NULL OR actor IS NULL OR head_repository_id IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS jobs_run_again;
CREATE INDEX CONCURRENTLY jobs_run_again ON jobs (created_at DESC NULLS LAST, repository_id) WHERE run_attempt > 1;

-- +goose Down

DROP INDEX CONCURRENTLY IF EXISTS jobs_run_again;
DROP INDEX CONCURRENTLY IF EXISTS workflow_runs_start_unknown;
