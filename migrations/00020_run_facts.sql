-- Who and what started a run. Listings of runs say it; webhooks of jobs do not.
-- Nothing is known of the runs of before until they are listed again.

-- +goose Up

ALTER TABLE workflow_runs
    ADD COLUMN event                text,
    ADD COLUMN actor_id             bigint,
    ADD COLUMN actor                text,
    ADD COLUMN triggering_actor_id  bigint,
    ADD COLUMN triggering_actor     text,
    ADD COLUMN run_number           bigint,
    ADD COLUMN display_title        text,
    ADD COLUMN workflow_id          bigint,
    ADD COLUMN path                 text,
    ADD COLUMN head_repository_id   bigint,
    ADD COLUMN head_repository      text,
    ADD COLUMN pull_requests        bigint[],
    ADD COLUMN referenced_workflows jsonb,
    ADD COLUMN run_attempt          bigint,
    ADD COLUMN status               text,
    ADD COLUMN conclusion           text,
    ADD COLUMN created_at           timestamptz;

COMMENT ON TABLE workflow_runs IS 'Workflow runs: names and commit as described with their jobs, all else as described by listings of runs. All attempts of a run share one row.';
COMMENT ON COLUMN workflow_runs.event IS 'Event that started the run, such as push or pull_request_target; null: the run was not listed yet.';
COMMENT ON COLUMN workflow_runs.actor_id IS 'GitHub''s id of the account that caused the event; null: not known.';
COMMENT ON COLUMN workflow_runs.actor IS 'Login of that account; null: not known.';
COMMENT ON COLUMN workflow_runs.triggering_actor_id IS 'GitHub''s id of the account that started the latest attempt known; null: not known.';
COMMENT ON COLUMN workflow_runs.triggering_actor IS 'Login of that account, which is the actor''s unless somebody else ran it again; null: not known.';
COMMENT ON COLUMN workflow_runs.run_number IS 'Number of the run among those of its workflow, from 1; null: not known.';
COMMENT ON COLUMN workflow_runs.display_title IS 'Title of the run, of the pull request or of the commit. Anybody who opens a pull request words it. Null: not known.';
COMMENT ON COLUMN workflow_runs.workflow_id IS 'GitHub''s id of the workflow; null: not known.';
COMMENT ON COLUMN workflow_runs.path IS 'File of the workflow, perhaps with @ and the ref that it was taken from; null: not known.';
COMMENT ON COLUMN workflow_runs.head_repository_id IS 'GitHub''s id of the repository that the head commit is in. Another one than repository_id: a fork. Null: not known, or deleted.';
COMMENT ON COLUMN workflow_runs.head_repository IS 'OWNER/NAME of that repository; null: not known, or deleted.';
COMMENT ON COLUMN workflow_runs.pull_requests IS 'Numbers of the pull requests that listings have named with the run, in order. GitHub names none from forks. Null: not known.';
COMMENT ON COLUMN workflow_runs.referenced_workflows IS 'Reusable workflows that the run''s attempts called: an array of objects with path, sha and ref; null: not known.';
COMMENT ON COLUMN workflow_runs.run_attempt IS 'Latest attempt that a listing has told of; null: none has.';
COMMENT ON COLUMN workflow_runs.status IS 'Status of that attempt when it was last listed, as GitHub words it; null: not known.';
COMMENT ON COLUMN workflow_runs.conclusion IS 'Conclusion of that attempt, as GitHub words it; null: it has not completed, as far as is known.';
COMMENT ON COLUMN workflow_runs.created_at IS 'When the run was created; null: not known.';

CREATE TABLE workflow_run_attempts (
    run_id              bigint NOT NULL REFERENCES workflow_runs (id),
    run_attempt         bigint NOT NULL,
    triggering_actor_id bigint,
    triggering_actor    text,
    status              text,
    conclusion          text,
    started_at          timestamptz,
    updated_at          timestamptz,
    description_sha256  bytea,
    description_bytes   bigint,
    PRIMARY KEY (run_id, run_attempt)
);

COMMENT ON TABLE workflow_run_attempts IS 'Attempts of workflow runs, as GitHub described each while it was the latest. An attempt that was never listed as the latest has no row. How far attempts'' jobs were listed is in run_attempts.';
COMMENT ON COLUMN workflow_run_attempts.run_id IS 'The workflow run.';
COMMENT ON COLUMN workflow_run_attempts.run_attempt IS 'Number of the attempt, from 1.';
COMMENT ON COLUMN workflow_run_attempts.triggering_actor_id IS 'GitHub''s id of the account that started the attempt; null: not known.';
COMMENT ON COLUMN workflow_run_attempts.triggering_actor IS 'Login of that account; null: not known.';
COMMENT ON COLUMN workflow_run_attempts.status IS 'Status when it was last listed, as GitHub words it; null: not known.';
COMMENT ON COLUMN workflow_run_attempts.conclusion IS 'Conclusion, as GitHub words it; null: it has not completed, as far as is known.';
COMMENT ON COLUMN workflow_run_attempts.started_at IS 'When the attempt started; null: not known.';
COMMENT ON COLUMN workflow_run_attempts.updated_at IS 'When the attempt last changed, of a completed one when it ended, by GitHub''s clock; null: not known.';
COMMENT ON COLUMN workflow_run_attempts.description_sha256 IS 'SHA-256 of run.json, the object that has the attempt as a listing described it once it had completed; null: there is no such object, as far as is known.';
COMMENT ON COLUMN workflow_run_attempts.description_bytes IS 'Size of that object, in bytes.';

ALTER TABLE sweeps
    ADD COLUMN described      tstzmultirange NOT NULL DEFAULT '{}',
    ADD COLUMN described_etag text;
COMMENT ON COLUMN sweeps.described IS 'As swept, but only since what started a run is kept: a backfill lists what is not in it.';
-- An older jobvault writes etag alone.
COMMENT ON COLUMN sweeps.described_etag IS 'ETag of the last listing that was read for what started its runs. If it is not etag, the listing that etag is of was not: it must be read, changed or not.';

-- +goose StatementBegin
CREATE FUNCTION run_facets(event text, actor text, repository_id bigint, head_repository_id bigint) RETURNS bigint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_remove(ARRAY[facet('event', event), facet('actor', lower(actor)), CASE WHEN head_repository_id <> repository_id THEN facet('fork', 'true') END], NULL)
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION run_facets IS 'Facets of a run''s jobs that listings of runs tell of.';
COMMENT ON COLUMN job_facets.facet IS 'facet(kind, value), with kind all, repository, workflow, branch, conclusion, runner, label, event, actor or fork.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION index_new_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO job_facets (facet, at, job_id)
    SELECT f, coalesce(n.created_at, '-infinity'), n.id
    FROM new_jobs n JOIN workflow_runs w ON w.id = n.run_id
         LEFT JOIN workflow_run_attempts a ON a.run_id = n.run_id AND a.run_attempt = coalesce(n.run_attempt, 1),
         unnest(facets(n.repository_id, n.conclusion, n.runner_name, w.workflow_name, w.head_branch)
                || run_facets(w.event, w.actor, w.repository_id, w.head_repository_id) || facet('actor', lower(a.triggering_actor))) f
    WHERE f IS NOT NULL
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION index_changed_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO job_facets (facet, at, job_id)
    SELECT f, coalesce(n.created_at, '-infinity'), n.id
    FROM new_jobs n JOIN old_jobs o ON o.id = n.id JOIN workflow_runs w ON w.id = n.run_id
         LEFT JOIN workflow_run_attempts a ON a.run_id = n.run_id AND a.run_attempt = coalesce(n.run_attempt, 1),
         unnest(facets(n.repository_id, n.conclusion, n.runner_name, w.workflow_name, w.head_branch)
                || run_facets(w.event, w.actor, w.repository_id, w.head_repository_id) || facet('actor', lower(a.triggering_actor))
                || ARRAY(SELECT facet('label', l.name) FROM job_labels jl JOIN labels l ON l.id = jl.label_id WHERE jl.job_id = n.id)) f
    WHERE f IS NOT NULL AND (n.created_at, n.repository_id, n.conclusion, n.runner_name, n.run_id, n.run_attempt)
          IS DISTINCT FROM (o.created_at, o.repository_id, o.conclusion, o.runner_name, o.run_id, o.run_attempt)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION index_changed_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO job_facets (facet, at, job_id)
    SELECT f, coalesce(j.created_at, '-infinity'), j.id
    FROM new_runs n JOIN old_runs o ON o.id = n.id JOIN jobs j ON j.run_id = n.id,
         unnest(ARRAY[facet('workflow', lower(n.workflow_name)), facet('branch', n.head_branch)]
                || run_facets(n.event, n.actor, n.repository_id, n.head_repository_id)) f
    WHERE f IS NOT NULL AND (n.workflow_name, n.head_branch, n.event, n.actor, n.head_repository_id)
          IS DISTINCT FROM (o.workflow_name, o.head_branch, o.event, o.actor, o.head_repository_id)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION index_run_attempts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO job_facets (facet, at, job_id)
    SELECT facet('actor', lower(n.triggering_actor)), coalesce(j.created_at, '-infinity'), j.id
    FROM new_attempts n JOIN jobs j ON j.run_id = n.run_id AND coalesce(j.run_attempt, 1) = n.run_attempt
    WHERE n.triggering_actor IS NOT NULL
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
-- +goose StatementEnd
COMMENT ON FUNCTION index_run_attempts IS 'Makes the jobs of an attempt found by who started it.';

CREATE TRIGGER index_new_run_attempts AFTER INSERT ON workflow_run_attempts REFERENCING NEW TABLE AS new_attempts
    FOR EACH STATEMENT EXECUTE FUNCTION index_run_attempts();
CREATE TRIGGER index_changed_run_attempts AFTER UPDATE ON workflow_run_attempts REFERENCING NEW TABLE AS new_attempts
    FOR EACH STATEMENT EXECUTE FUNCTION index_run_attempts();

CREATE OR REPLACE VIEW job_facts AS
SELECT j.id AS job_id, j.repository_id, r.owner || '/' || r.name AS repository, j.run_id, coalesce(j.run_attempt, 1) AS run_attempt,
       w.workflow_name, w.head_branch, w.head_sha, j.name, j.status, j.conclusion,
       (j.created_at AT TIME ZONE 'UTC')::date AS day, j.created_at, j.started_at, j.completed_at,
       CASE WHEN j.runner_id IS NOT NULL AND j.conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(j.created_at, j.started_at) END AS queue_seconds,
       CASE WHEN j.conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(j.started_at, j.completed_at) END AS duration_seconds,
       j.runner_name, j.runner_group_name,
       ARRAY(SELECT l.name FROM job_labels jl JOIN labels l ON l.id = jl.label_id WHERE jl.job_id = j.id ORDER BY jl.position) AS labels,
       g.state AS log_state, g.raw_bytes AS log_bytes, g.lines AS log_lines,
       (SELECT s.name FROM steps s WHERE s.job_id = j.id AND s.conclusion = 'failure' ORDER BY s.number LIMIT 1) AS failed_step,
       w.event, w.actor, a.triggering_actor, w.head_repository_id <> w.repository_id AS from_fork, w.path, w.display_title, w.run_number
FROM jobs j
JOIN repositories r ON r.id = j.repository_id
JOIN workflow_runs w ON w.id = j.run_id
JOIN job_logs g ON g.job_id = j.id
LEFT JOIN workflow_run_attempts a ON a.run_id = j.run_id AND a.run_attempt = coalesce(j.run_attempt, 1);

COMMENT ON COLUMN job_facts.event IS 'Event that started the run; null: the run was not listed yet.';
COMMENT ON COLUMN job_facts.actor IS 'Login of the account that caused the event; null: not known.';
COMMENT ON COLUMN job_facts.triggering_actor IS 'Login of the account that started the job''s attempt; null: not known, as of an attempt that was run again before it was listed.';
COMMENT ON COLUMN job_facts.from_fork IS 'Whether the head commit is in a fork; null: not known, or the fork was deleted.';
COMMENT ON COLUMN job_facts.path IS 'File of the workflow, perhaps with @ and the ref that it was taken from; null: not known.';
COMMENT ON COLUMN job_facts.display_title IS 'Title of the run; null: not known.';
COMMENT ON COLUMN job_facts.run_number IS 'Number of the run among those of its workflow; null: not known.';

CREATE OR REPLACE VIEW run_facts AS
SELECT f.run_id, r.owner || '/' || r.name AS repository, w.workflow_name, w.head_branch, w.head_sha, f.attempts, f.jobs, f.succeeded, f.failed, f.cancelled, f.skipped,
       f.unfinished, (f.created_at AT TIME ZONE 'UTC')::date AS day, f.created_at, f.completed_at, seconds_between(f.created_at, f.completed_at) AS wall_seconds, f.job_seconds,
       w.event, w.actor, w.triggering_actor, w.head_repository_id <> w.repository_id AS from_fork, w.path, w.display_title, w.run_number
FROM (SELECT run_id, repository_id, max(coalesce(run_attempt, 1)) AS attempts, count(*) AS jobs,
             count(*) FILTER (WHERE conclusion = 'success') AS succeeded, count(*) FILTER (WHERE conclusion IN ('failure', 'timed_out')) AS failed,
             count(*) FILTER (WHERE conclusion = 'cancelled') AS cancelled, count(*) FILTER (WHERE conclusion = 'skipped') AS skipped,
             count(*) FILTER (WHERE status <> 'completed') AS unfinished, min(created_at) AS created_at, max(completed_at) AS completed_at,
             sum(CASE WHEN conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(started_at, completed_at) END) AS job_seconds
      FROM jobs GROUP BY run_id, repository_id) f
JOIN repositories r ON r.id = f.repository_id
JOIN workflow_runs w ON w.id = f.run_id;

COMMENT ON COLUMN run_facts.event IS 'Event that started the run; null: the run was not listed yet.';
COMMENT ON COLUMN run_facts.actor IS 'Login of the account that caused the event; null: not known.';
COMMENT ON COLUMN run_facts.triggering_actor IS 'Login of the account that started the latest attempt known; null: not known.';
COMMENT ON COLUMN run_facts.from_fork IS 'Whether the head commit is in a fork; null: not known, or the fork was deleted.';
COMMENT ON COLUMN run_facts.path IS 'File of the workflow, perhaps with @ and the ref that it was taken from; null: not known.';
COMMENT ON COLUMN run_facts.display_title IS 'Title of the run; null: not known.';
COMMENT ON COLUMN run_facts.run_number IS 'Number of the run among those of its workflow; null: not known.';

CREATE OR REPLACE VIEW environment_facts AS
SELECT j.id AS job_id, j.repository_id, r.owner || '/' || r.name AS repository, j.run_id, w.workflow_name, j.name,
       (j.created_at AT TIME ZONE 'UTC')::date AS day, j.created_at,
       e.runner_version, coalesce(e.runner_name, j.runner_name) AS runner_name, coalesce(e.runner_group, j.runner_group_name) AS runner_group, e.machine,
       e.os, e.image, e.image_version, e.secret_source, e.cache_mode, e.actions_locked,
       -- Only a run that calls no other file tells which file its jobs are of.
       coalesce(e.job_defined_at, CASE WHEN w.referenced_workflows = '[]' THEN r.owner || '/' || r.name || '/' || w.path END) AS job_defined_at,
       coalesce(e.workflow_ref, r.owner || '/' || r.name || '/' || w.path) AS workflow_ref,
       coalesce(e.defined_from, CASE WHEN w.path IS NOT NULL THEN 'run' END) AS defined_from
FROM jobs j
JOIN repositories r ON r.id = j.repository_id
JOIN workflow_runs w ON w.id = j.run_id
LEFT JOIN job_environment e ON e.job_id = j.id;
COMMENT ON COLUMN environment_facts.job_defined_at IS 'File of the job, as OWNER/REPO/PATH, perhaps with @REF: as in job_environment; where the log does not say, of a run that calls no other file, by path of workflow_runs. Null: not known.';
COMMENT ON COLUMN environment_facts.workflow_ref IS 'File of the workflow that was started, as OWNER/REPO/PATH, perhaps with @REF: as in job_environment; where the log does not say, by path of workflow_runs. Null: not known.';
COMMENT ON COLUMN environment_facts.defined_from IS 'Where job_defined_at and workflow_ref are from: log, or run, for what GitHub says of the run; null: they are not known.';

CREATE VIEW action_facts AS
SELECT j.id AS job_id, a.action, a.path AS action_path, a.ref, a.resolved_sha, a.version, a.in_setup, a.log_line,
       j.repository_id, r.owner || '/' || r.name AS repository, j.run_id, w.workflow_name, (j.created_at AT TIME ZONE 'UTC')::date AS day, j.created_at,
       w.event, w.actor, x.triggering_actor, w.head_repository_id <> w.repository_id AS from_fork, w.path, a.kind, a.digest
FROM job_actions a
JOIN jobs j ON j.id = a.job_id
JOIN repositories r ON r.id = j.repository_id
JOIN workflow_runs w ON w.id = j.run_id
LEFT JOIN workflow_run_attempts x ON x.run_id = j.run_id AND x.run_attempt = coalesce(j.run_attempt, 1);

COMMENT ON VIEW action_facts IS 'An action that a job used in one row, with what started its run. Filter by lower(action).';
COMMENT ON COLUMN action_facts.job_id IS 'GitHub''s id of the job.';
COMMENT ON COLUMN action_facts.action IS 'OWNER/REPO of the action; of an image docker://NAME.';
COMMENT ON COLUMN action_facts.action_path IS 'Path within that repository; null: its top.';
COMMENT ON COLUMN action_facts.ref IS 'Ref that the action was asked for as.';
COMMENT ON COLUMN action_facts.resolved_sha IS 'Commit that was run; null: the log does not say.';
COMMENT ON COLUMN action_facts.version IS 'Version of an immutable action''s package; null: none.';
COMMENT ON COLUMN action_facts.in_setup IS 'Whether the runner said so before the job''s first step, where no step can have forged it.';
COMMENT ON COLUMN action_facts.log_line IS 'Line of the job''s log that says so, from 1.';
COMMENT ON COLUMN action_facts.repository_id IS 'GitHub''s id of the job''s repository.';
COMMENT ON COLUMN action_facts.repository IS 'OWNER/NAME of the job''s repository, its present name.';
COMMENT ON COLUMN action_facts.run_id IS 'The job''s workflow run.';
COMMENT ON COLUMN action_facts.workflow_name IS 'Workflow of that run.';
COMMENT ON COLUMN action_facts.day IS 'Day on which the job was created, UTC. Filtering by it is fast.';
COMMENT ON COLUMN action_facts.created_at IS 'When the job was created.';
COMMENT ON COLUMN action_facts.event IS 'Event that started the run; null: the run was not listed yet.';
COMMENT ON COLUMN action_facts.actor IS 'Login of the account that caused the event; null: not known.';
COMMENT ON COLUMN action_facts.triggering_actor IS 'Login of the account that started the job''s attempt; null: not known.';
COMMENT ON COLUMN action_facts.from_fork IS 'Whether the head commit is in a fork; null: not known, or the fork was deleted.';
COMMENT ON COLUMN action_facts.kind IS 'As in job_actions: action, image, build or container.';
COMMENT ON COLUMN action_facts.digest IS 'As in job_actions; null: the log does not say.';
COMMENT ON COLUMN action_facts.path IS 'File of the workflow, perhaps with @ and the ref that it was taken from; null: not known.';

-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'jobvault_reader') THEN
        GRANT SELECT ON action_facts TO jobvault_reader;
    END IF;
END $$;
-- +goose StatementEnd

-- +goose Down

DROP VIEW action_facts;
CREATE OR REPLACE VIEW environment_facts AS
SELECT j.id AS job_id, j.repository_id, r.owner || '/' || r.name AS repository, j.run_id, w.workflow_name, j.name,
       (j.created_at AT TIME ZONE 'UTC')::date AS day, j.created_at,
       e.runner_version, coalesce(e.runner_name, j.runner_name) AS runner_name, coalesce(e.runner_group, j.runner_group_name) AS runner_group, e.machine,
       e.os, e.image, e.image_version, e.secret_source, e.cache_mode, e.actions_locked,
       e.job_defined_at, e.workflow_ref, e.defined_from
FROM jobs j
JOIN repositories r ON r.id = j.repository_id
JOIN workflow_runs w ON w.id = j.run_id
LEFT JOIN job_environment e ON e.job_id = j.id;
COMMENT ON COLUMN environment_facts.job_defined_at IS 'As in job_environment.';
COMMENT ON COLUMN environment_facts.workflow_ref IS 'As in job_environment.';
COMMENT ON COLUMN environment_facts.defined_from IS 'As in job_environment.';
-- A view cannot lose a column; it is made anew.
DROP VIEW job_facts, run_facts;

CREATE VIEW job_facts AS
SELECT j.id AS job_id, j.repository_id, r.owner || '/' || r.name AS repository, j.run_id, coalesce(j.run_attempt, 1) AS run_attempt,
       w.workflow_name, w.head_branch, w.head_sha, j.name, j.status, j.conclusion,
       (j.created_at AT TIME ZONE 'UTC')::date AS day, j.created_at, j.started_at, j.completed_at,
       CASE WHEN j.runner_id IS NOT NULL AND j.conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(j.created_at, j.started_at) END AS queue_seconds,
       CASE WHEN j.conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(j.started_at, j.completed_at) END AS duration_seconds,
       j.runner_name, j.runner_group_name,
       ARRAY(SELECT l.name FROM job_labels jl JOIN labels l ON l.id = jl.label_id WHERE jl.job_id = j.id ORDER BY jl.position) AS labels,
       g.state AS log_state, g.raw_bytes AS log_bytes, g.lines AS log_lines,
       (SELECT s.name FROM steps s WHERE s.job_id = j.id AND s.conclusion = 'failure' ORDER BY s.number LIMIT 1) AS failed_step
FROM jobs j
JOIN repositories r ON r.id = j.repository_id
JOIN workflow_runs w ON w.id = j.run_id
JOIN job_logs g ON g.job_id = j.id;
COMMENT ON VIEW job_facts IS 'A job in one row, with its run, repository, labels and log.';
COMMENT ON COLUMN job_facts.job_id IS 'GitHub''s id of the job.';
COMMENT ON COLUMN job_facts.repository_id IS 'GitHub''s id of the repository.';
COMMENT ON COLUMN job_facts.repository IS 'OWNER/NAME, its present name.';
COMMENT ON COLUMN job_facts.run_id IS 'The job''s workflow run.';
COMMENT ON COLUMN job_facts.run_attempt IS 'Attempt of the run, from 1.';
COMMENT ON COLUMN job_facts.workflow_name IS 'Workflow of that run.';
COMMENT ON COLUMN job_facts.head_branch IS 'Branch or tag that the run was started for.';
COMMENT ON COLUMN job_facts.head_sha IS 'Commit that the run was started for.';
COMMENT ON COLUMN job_facts.name IS 'Display name.';
COMMENT ON COLUMN job_facts.status IS 'As in jobs.';
COMMENT ON COLUMN job_facts.conclusion IS 'As in jobs.';
COMMENT ON COLUMN job_facts.day IS 'Day on which the job was created, UTC. Filtering by it is fast.';
COMMENT ON COLUMN job_facts.created_at IS 'When the job was created.';
COMMENT ON COLUMN job_facts.started_at IS 'When a runner started the job.';
COMMENT ON COLUMN job_facts.completed_at IS 'When the job completed.';
COMMENT ON COLUMN job_facts.queue_seconds IS 'Seconds from creation to start; null: no runner took the job.';
COMMENT ON COLUMN job_facts.duration_seconds IS 'Seconds from start to completion; null: the job was skipped or has not completed.';
COMMENT ON COLUMN job_facts.runner_name IS 'Runner that took the job.';
COMMENT ON COLUMN job_facts.runner_group_name IS 'Group of that runner.';
COMMENT ON COLUMN job_facts.labels IS 'Labels that the job asked for, in its order.';
COMMENT ON COLUMN job_facts.log_state IS 'State of the job''s log in the ledger.';
COMMENT ON COLUMN job_facts.log_bytes IS 'Size of the log in bytes, uncompressed; null: never archived.';
COMMENT ON COLUMN job_facts.log_lines IS 'Number of lines of the log; null: never archived.';
COMMENT ON COLUMN job_facts.failed_step IS 'Name of the first step that failed; null: none did.';

CREATE VIEW run_facts AS
SELECT f.run_id, r.owner || '/' || r.name AS repository, w.workflow_name, w.head_branch, w.head_sha, f.attempts, f.jobs, f.succeeded, f.failed, f.cancelled, f.skipped,
       f.unfinished, (f.created_at AT TIME ZONE 'UTC')::date AS day, f.created_at, f.completed_at, seconds_between(f.created_at, f.completed_at) AS wall_seconds, f.job_seconds
FROM (SELECT run_id, repository_id, max(coalesce(run_attempt, 1)) AS attempts, count(*) AS jobs,
             count(*) FILTER (WHERE conclusion = 'success') AS succeeded, count(*) FILTER (WHERE conclusion IN ('failure', 'timed_out')) AS failed,
             count(*) FILTER (WHERE conclusion = 'cancelled') AS cancelled, count(*) FILTER (WHERE conclusion = 'skipped') AS skipped,
             count(*) FILTER (WHERE status <> 'completed') AS unfinished, min(created_at) AS created_at, max(completed_at) AS completed_at,
             sum(CASE WHEN conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(started_at, completed_at) END) AS job_seconds
      FROM jobs GROUP BY run_id, repository_id) f
JOIN repositories r ON r.id = f.repository_id
JOIN workflow_runs w ON w.id = f.run_id;
COMMENT ON VIEW run_facts IS 'A workflow run in one row, all its attempts together.';
COMMENT ON COLUMN run_facts.run_id IS 'GitHub''s id of the run.';
COMMENT ON COLUMN run_facts.repository IS 'OWNER/NAME, its present name.';
COMMENT ON COLUMN run_facts.workflow_name IS 'Workflow of the run.';
COMMENT ON COLUMN run_facts.head_branch IS 'Branch or tag that it was started for.';
COMMENT ON COLUMN run_facts.head_sha IS 'Commit that it was started for.';
COMMENT ON COLUMN run_facts.attempts IS 'Number of the latest attempt that has jobs.';
COMMENT ON COLUMN run_facts.jobs IS 'Number of jobs of all attempts.';
COMMENT ON COLUMN run_facts.succeeded IS 'Number of jobs that succeeded.';
COMMENT ON COLUMN run_facts.failed IS 'Number of jobs that failed or timed out.';
COMMENT ON COLUMN run_facts.cancelled IS 'Number of jobs that were cancelled.';
COMMENT ON COLUMN run_facts.skipped IS 'Number of jobs that were skipped.';
COMMENT ON COLUMN run_facts.unfinished IS 'Number of jobs that have not completed.';
COMMENT ON COLUMN run_facts.day IS 'Day of the first job''s creation, UTC.';
COMMENT ON COLUMN run_facts.created_at IS 'When the first job was created.';
COMMENT ON COLUMN run_facts.completed_at IS 'When the last of the jobs completed, so far.';
COMMENT ON COLUMN run_facts.wall_seconds IS 'Seconds from created_at to completed_at.';
COMMENT ON COLUMN run_facts.job_seconds IS 'Total seconds that runners spent on the jobs.';

-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'jobvault_reader') THEN
        GRANT SELECT ON job_facts, run_facts TO jobvault_reader;
    END IF;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION index_new_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO job_facets (facet, at, job_id)
    SELECT f, coalesce(n.created_at, '-infinity'), n.id
    FROM new_jobs n JOIN workflow_runs w ON w.id = n.run_id,
         unnest(facets(n.repository_id, n.conclusion, n.runner_name, w.workflow_name, w.head_branch)) f
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION index_changed_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO job_facets (facet, at, job_id)
    SELECT f, coalesce(n.created_at, '-infinity'), n.id
    FROM new_jobs n JOIN old_jobs o ON o.id = n.id JOIN workflow_runs w ON w.id = n.run_id,
         unnest(facets(n.repository_id, n.conclusion, n.runner_name, w.workflow_name, w.head_branch)
                || ARRAY(SELECT facet('label', l.name) FROM job_labels jl JOIN labels l ON l.id = jl.label_id WHERE jl.job_id = n.id)) f
    WHERE (n.created_at, n.repository_id, n.conclusion, n.runner_name, n.run_id)
          IS DISTINCT FROM (o.created_at, o.repository_id, o.conclusion, o.runner_name, o.run_id)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION index_changed_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO job_facets (facet, at, job_id)
    SELECT f, coalesce(j.created_at, '-infinity'), j.id
    FROM new_runs n JOIN old_runs o ON o.id = n.id JOIN jobs j ON j.run_id = n.id,
         unnest(ARRAY[facet('workflow', lower(n.workflow_name)), facet('branch', n.head_branch)]) f
    WHERE f IS NOT NULL AND (n.workflow_name, n.head_branch) IS DISTINCT FROM (o.workflow_name, o.head_branch)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
-- +goose StatementEnd

DROP TABLE workflow_run_attempts;
DROP FUNCTION index_run_attempts, run_facets;
ALTER TABLE sweeps DROP COLUMN described, DROP COLUMN described_etag;
ALTER TABLE workflow_runs
    DROP COLUMN event, DROP COLUMN actor_id, DROP COLUMN actor, DROP COLUMN triggering_actor_id, DROP COLUMN triggering_actor, DROP COLUMN run_number,
    DROP COLUMN display_title, DROP COLUMN workflow_id, DROP COLUMN path, DROP COLUMN head_repository_id, DROP COLUMN head_repository, DROP COLUMN pull_requests,
    DROP COLUMN referenced_workflows, DROP COLUMN run_attempt, DROP COLUMN status, DROP COLUMN conclusion, DROP COLUMN created_at;
COMMENT ON TABLE workflow_runs IS 'Workflow runs, as described with their jobs. All attempts of a run share one row.';
COMMENT ON COLUMN job_facets.facet IS 'facet(kind, value), with kind all, repository, workflow, branch, conclusion, runner or label.';
