-- Jobs that did not run again. When failed jobs of a run are run again, GitHub lists the
-- others with the new attempt too: under a new id, with the old runner and the old times.
-- jobs.carried_over_from says so, and what adds up counts each execution once. Nor do jobs
-- that no runner took, such as check runs, and those cancelled while they waited, count as
-- seconds that runners spent.

-- Each statement may be repeated: jobs are linked batch by batch, which is not undone when
-- it is stopped in the middle.
-- +goose NO TRANSACTION

-- +goose Up

-- A reference that comes with its column is looked through with the table locked.
ALTER TABLE jobs ADD COLUMN IF NOT EXISTS carried_over_from bigint;
ALTER TABLE jobs DROP CONSTRAINT IF EXISTS jobs_carried_over_from_fkey,
    ADD CONSTRAINT jobs_carried_over_from_fkey FOREIGN KEY (carried_over_from) REFERENCES jobs (id) ON DELETE SET NULL NOT VALID;
ALTER TABLE jobs VALIDATE CONSTRAINT jobs_carried_over_from_fkey;
COMMENT ON COLUMN jobs.carried_over_from IS 'The job of an earlier attempt that ran in place of this one, which did not run again: the earliest with the same run, name, conclusion, runner (id and name), started_at and completed_at. Null: the job ran itself, or had no runner, or that is not known. Kept by triggers, which see all writers.';

-- An older jobvault that still runs counts what is carried over, and knows no images: from
-- here on, before the first job is linked, it cannot add to the sums, as it writes no rule.
BEGIN;
ALTER TABLE action_sums ADD COLUMN IF NOT EXISTS rule integer NOT NULL DEFAULT 2;
ALTER TABLE action_sums ALTER COLUMN rule DROP DEFAULT;
COMMENT ON COLUMN action_sums.rule IS 'The rule by which jobs were counted: 2 counts an execution once. It has no default, so that no older jobvault adds jobs by its own.';
COMMIT;

-- A runner begins one job at a time: few rows have all three in common.
DROP INDEX CONCURRENTLY IF EXISTS jobs_by_execution;
CREATE INDEX CONCURRENTLY jobs_by_execution ON jobs (run_id, runner_id, started_at) WHERE runner_id IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS jobs_by_carried_over_from;
CREATE INDEX CONCURRENTLY jobs_by_carried_over_from ON jobs (carried_over_from) WHERE carried_over_from IS NOT NULL;

-- What has no commit or digest is counted as not known: see usage_unknown.go.
DROP INDEX CONCURRENTLY IF EXISTS job_actions_unresolved;
CREATE INDEX CONCURRENTLY job_actions_unresolved ON job_actions (lower(action), job_id)
    WHERE resolved_sha IS NULL AND CASE WHEN kind IN ('image', 'container') THEN digest END IS NULL;

-- The rule. Null where something is not known; such a job counts for itself.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION is_carried_over(later jobs, earlier jobs) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT earlier.run_id = later.run_id AND earlier.runner_id = later.runner_id AND earlier.started_at = later.started_at
       AND earlier.completed_at = later.completed_at AND earlier.runner_name = later.runner_name AND earlier.name = later.name
       AND earlier.conclusion = later.conclusion AND earlier.run_attempt < later.run_attempt
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION is_carried_over IS 'Whether the later job is the earlier one, listed once more with a later attempt and not run again.';

-- Whoever writes a job holds its run, as upsertRuns of jobvault does before it. So of two
-- that write jobs of one execution at once, the second one waits here or there, and then
-- sees what the first one wrote.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION link_carried_over(changed bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    touched bigint[];
BEGIN
    PERFORM FROM workflow_runs WHERE id IN (SELECT run_id FROM jobs WHERE id = ANY(changed)) ORDER BY id FOR NO KEY UPDATE;
    -- Few runs have a second attempt.
    changed := ARRAY(
        SELECT j.id FROM jobs j WHERE j.id = ANY(changed)
        AND (j.carried_over_from IS NOT NULL OR (SELECT max(o.run_attempt) FROM jobs o WHERE o.run_id = j.run_id) > 1));
    IF changed = '{}' THEN
        RETURN;
    END IF;
    touched := ARRAY(
        SELECT unnest(changed)
        UNION SELECT c.id FROM jobs c WHERE c.carried_over_from = ANY(changed)
        UNION SELECT c.id FROM jobs a JOIN jobs c ON is_carried_over(c, a) WHERE a.id = ANY(changed)
        ORDER BY 1);
    -- A few at a time: triggers on jobs may compare each old row with each new one.
    FOR i IN 0 .. cardinality(touched) / 100 LOOP
        UPDATE jobs j SET carried_over_from = found.earlier
        FROM (SELECT b.id, (SELECT a.id FROM jobs a WHERE is_carried_over(b, a) ORDER BY a.run_attempt, a.id LIMIT 1) AS earlier
              FROM jobs b WHERE b.id = ANY(touched[100 * i + 1 : 100 * i + 100])) found
        WHERE j.id = found.id AND j.carried_over_from IS DISTINCT FROM found.earlier;
    END LOOP;
END $$;
-- +goose StatementEnd
COMMENT ON FUNCTION link_carried_over IS 'Sets carried_over_from of these jobs, and of those that are, or were, carried over from them.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION link_new_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed bigint[] := ARRAY(SELECT id FROM new_jobs WHERE runner_id IS NOT NULL AND completed_at IS NOT NULL);
BEGIN
    IF changed <> '{}' THEN
        PERFORM link_carried_over(changed);
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION link_changed_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed bigint[] := ARRAY(
        SELECT n.id FROM new_jobs n JOIN old_jobs o ON o.id = n.id
        WHERE (n.runner_id IS NOT NULL AND n.completed_at IS NOT NULL OR o.runner_id IS NOT NULL AND o.completed_at IS NOT NULL)
          AND (n.run_id, n.run_attempt, n.name, n.conclusion, n.runner_id, n.runner_name, n.started_at, n.completed_at)
              IS DISTINCT FROM (o.run_id, o.run_attempt, o.name, o.conclusion, o.runner_id, o.runner_name, o.started_at, o.completed_at));
BEGIN
    IF changed <> '{}' THEN
        PERFORM link_carried_over(changed);
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE OR REPLACE TRIGGER link_new_jobs AFTER INSERT ON jobs REFERENCING NEW TABLE AS new_jobs
    FOR EACH STATEMENT EXECUTE FUNCTION link_new_jobs();
-- Not of what triggers write, and so not of what this one writes.
CREATE OR REPLACE TRIGGER link_changed_jobs AFTER UPDATE ON jobs REFERENCING OLD TABLE AS old_jobs NEW TABLE AS new_jobs
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION link_changed_jobs();

-- Actions: a job that is carried over does not use them again. It counts only where
-- nothing tells what the job used that ran: its log may be lost, and the copy is not.

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION note_new_actions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Of jobs that were one execution, one comes after the other: each must see whether
    -- the other has actions.
    PERFORM pg_advisory_xact_lock(hashtextextended('jobvault execution', e.id))
    FROM (SELECT DISTINCT coalesce(j.carried_over_from, j.id) AS id FROM new_actions n JOIN jobs j ON j.id = n.job_id
          WHERE j.carried_over_from IS NOT NULL OR EXISTS (SELECT FROM jobs c WHERE c.carried_over_from = j.id) ORDER BY 1) e;
    INSERT INTO action_pending (job_id) SELECT DISTINCT job_id FROM new_actions;
    -- A job that had some before may be in the sums with these.
    INSERT INTO action_invalidated (repository_id, at)
    SELECT DISTINCT j.repository_id, action_period(j.created_at)
    FROM (SELECT job_id, count(*) AS rows FROM new_actions GROUP BY job_id) n JOIN jobs j ON j.id = n.job_id
    WHERE n.rows < (SELECT count(*) FROM job_actions a WHERE a.job_id = n.job_id);
    -- From now on, what is carried over from these jobs does not count.
    INSERT INTO action_invalidated (repository_id, at)
    SELECT DISTINCT c.repository_id, action_period(c.created_at) FROM new_actions n JOIN jobs c ON c.carried_over_from = n.job_id
    WHERE EXISTS (SELECT FROM job_actions a WHERE a.job_id = c.id);
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION note_changed_actions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO action_invalidated (repository_id, at)
    SELECT j.repository_id, action_period(j.created_at) FROM old_actions o JOIN jobs j ON j.id = o.job_id
    UNION
    SELECT c.repository_id, action_period(c.created_at) FROM old_actions o JOIN jobs c ON c.carried_over_from = o.job_id;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION note_changed_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO action_invalidated (repository_id, at)
    SELECT DISTINCT c.repository_id, action_period(c.created_at)
    FROM new_jobs n JOIN old_jobs o ON o.id = n.id,
         LATERAL (VALUES (o.repository_id, o.created_at), (n.repository_id, n.created_at)) c(repository_id, created_at)
    WHERE (n.created_at, n.repository_id, n.run_id) IS DISTINCT FROM (o.created_at, o.repository_id, o.run_id)
       -- A job that is new has no line in the ledger yet, and nothing that was summed up.
       OR n.carried_over_from IS DISTINCT FROM o.carried_over_from AND EXISTS (SELECT FROM job_logs l WHERE l.job_id = n.id);
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE OR REPLACE VIEW action_unrolled AS
SELECT a.job_id, a.action, a.path, a.ref, a.resolved_sha, a.version, j.repository_id, w.workflow_name, j.created_at, bool_or(a.in_setup) AS in_setup,
       CASE WHEN a.kind IN ('image', 'container') THEN a.digest END AS image_digest
FROM (SELECT job_id FROM action_pending
      UNION
      SELECT j.id FROM (SELECT DISTINCT repository_id, at FROM action_invalidated) i JOIN jobs j ON j.repository_id = i.repository_id AND j.created_at >= i.at AND j.created_at < i.at + 56 * interval '24 hours'
      UNION
      SELECT j.id FROM (SELECT DISTINCT repository_id, at FROM action_invalidated) i JOIN jobs j ON j.repository_id = i.repository_id AND i.at = '-infinity' AND j.created_at IS NULL) r
JOIN job_actions a ON a.job_id = r.job_id
JOIN jobs j ON j.id = r.job_id
JOIN workflow_runs w ON w.id = j.run_id
WHERE j.carried_over_from IS NULL OR NOT EXISTS (SELECT FROM job_actions e WHERE e.job_id = j.carried_over_from OFFSET 0)
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 11;
COMMENT ON COLUMN action_uses.jobs IS 'Number of jobs that ran; one that is carried over counts only if nothing tells which actions the job used that ran.';

-- Jobs of before. Who writes a job of a run that is linked waits for its batch: it is a few
-- runs, which take some hundredths of a second.
-- +goose StatementBegin
DO $$
DECLARE
    last bigint := 0;
    later bigint[];
BEGIN
    LOOP
        SELECT array_agg(id), max(run_id) INTO later, last FROM jobs
        WHERE run_attempt > 1 AND run_id IN (SELECT run_id FROM jobs WHERE run_id > last AND run_attempt > 1 ORDER BY run_id LIMIT 200);
        EXIT WHEN last IS NULL;
        PERFORM link_carried_over(later);
        COMMIT;
    END LOOP;
END $$;
-- +goose StatementEnd

CREATE OR REPLACE VIEW job_facts AS
SELECT j.id AS job_id, j.repository_id, r.owner || '/' || r.name AS repository, j.run_id, coalesce(j.run_attempt, 1) AS run_attempt,
       w.workflow_name, w.head_branch, w.head_sha, j.name, j.status, j.conclusion,
       (j.created_at AT TIME ZONE 'UTC')::date AS day, j.created_at, j.started_at, j.completed_at,
       CASE WHEN j.runner_id IS NOT NULL AND j.conclusion IS DISTINCT FROM 'skipped' AND j.carried_over_from IS NULL THEN seconds_between(j.created_at, j.started_at) END AS queue_seconds,
       CASE WHEN j.conclusion IS DISTINCT FROM 'skipped' AND j.carried_over_from IS NULL THEN seconds_between(j.started_at, j.completed_at) END AS duration_seconds,
       j.runner_name, j.runner_group_name,
       ARRAY(SELECT l.name FROM job_labels jl JOIN labels l ON l.id = jl.label_id WHERE jl.job_id = j.id ORDER BY jl.position) AS labels,
       g.state AS log_state, g.raw_bytes AS log_bytes, g.lines AS log_lines,
       (SELECT s.name FROM steps s WHERE s.job_id = j.id AND s.conclusion = 'failure' ORDER BY s.number LIMIT 1) AS failed_step,
       w.event, w.actor, a.triggering_actor, w.head_repository_id <> w.repository_id AS from_fork, w.path, w.display_title, w.run_number, j.carried_over_from
FROM jobs j
JOIN repositories r ON r.id = j.repository_id
JOIN workflow_runs w ON w.id = j.run_id
JOIN job_logs g ON g.job_id = j.id
LEFT JOIN workflow_run_attempts a ON a.run_id = j.run_id AND a.run_attempt = coalesce(j.run_attempt, 1);
COMMENT ON COLUMN job_facts.queue_seconds IS 'Seconds from creation to start; null: no runner took the job, or it is carried over.';
COMMENT ON COLUMN job_facts.duration_seconds IS 'Seconds from start to completion; null: the job was skipped, is carried over, or has not completed.';
COMMENT ON COLUMN job_facts.carried_over_from IS 'As in jobs: the job of an earlier attempt that ran in place of this one; null: it ran itself.';

CREATE OR REPLACE VIEW step_facts AS
SELECT j.id AS job_id, s.number, s.name, s.conclusion, s.started_at, s.completed_at,
       CASE WHEN s.conclusion IS DISTINCT FROM 'skipped' AND j.carried_over_from IS NULL THEN seconds_between(s.started_at, s.completed_at) END AS duration_seconds,
       s.log_first_line, s.log_last_line, j.name AS job_name, r.owner || '/' || r.name AS repository, w.workflow_name, w.head_branch,
       (j.created_at AT TIME ZONE 'UTC')::date AS day, s.log_lines, j.carried_over_from
FROM jobs j
JOIN repositories r ON r.id = j.repository_id
JOIN workflow_runs w ON w.id = j.run_id,
     LATERAL (SELECT * FROM steps WHERE steps.job_id = j.id OFFSET 0) s;
COMMENT ON COLUMN step_facts.duration_seconds IS 'Seconds from started_at to completed_at; null: the step was skipped, has not completed, or is of a job that is carried over.';

CREATE OR REPLACE VIEW run_facts AS
SELECT f.run_id, r.owner || '/' || r.name AS repository, w.workflow_name, w.head_branch, w.head_sha, f.attempts, f.jobs, f.succeeded, f.failed, f.cancelled, f.skipped,
       f.unfinished, (f.created_at AT TIME ZONE 'UTC')::date AS day, f.created_at, f.completed_at, seconds_between(f.created_at, f.completed_at) AS wall_seconds, f.job_seconds,
       w.event, w.actor, w.triggering_actor, w.head_repository_id <> w.repository_id AS from_fork, w.path, w.display_title, w.run_number
FROM (SELECT run_id, repository_id, max(coalesce(run_attempt, 1)) AS attempts, count(*) FILTER (WHERE carried_over_from IS NULL) AS jobs,
             count(*) FILTER (WHERE conclusion = 'success' AND carried_over_from IS NULL) AS succeeded,
             count(*) FILTER (WHERE conclusion IN ('failure', 'timed_out') AND carried_over_from IS NULL) AS failed,
             count(*) FILTER (WHERE conclusion = 'cancelled' AND carried_over_from IS NULL) AS cancelled, count(*) FILTER (WHERE conclusion = 'skipped') AS skipped,
             count(*) FILTER (WHERE status <> 'completed') AS unfinished, min(created_at) AS created_at, max(completed_at) AS completed_at,
             sum(CASE WHEN runner_id IS NOT NULL AND conclusion IS DISTINCT FROM 'skipped' AND carried_over_from IS NULL THEN seconds_between(started_at, completed_at) END) AS job_seconds
      FROM jobs GROUP BY run_id, repository_id) f
JOIN repositories r ON r.id = f.repository_id
JOIN workflow_runs w ON w.id = f.run_id;
COMMENT ON COLUMN run_facts.jobs IS 'Number of jobs of all attempts, without those that are carried over.';
COMMENT ON COLUMN run_facts.job_seconds IS 'Total seconds that runners spent on these jobs; null: no runner took any.';

CREATE OR REPLACE VIEW annotation_facts AS
SELECT j.id AS job_id, a.log_line, a.level, a.message, a.step_number, j.name AS job_name, r.owner || '/' || r.name AS repository, w.workflow_name, w.head_branch,
       (j.created_at AT TIME ZONE 'UTC')::date AS day, a.tolerated, a.file, a.file_line, j.carried_over_from
FROM jobs j
JOIN repositories r ON r.id = j.repository_id
JOIN workflow_runs w ON w.id = j.run_id,
     LATERAL (SELECT log_line, level, message, step_number, tolerated, file, file_line FROM job_annotations WHERE job_annotations.job_id = j.id OFFSET 0) a;
CREATE OR REPLACE VIEW action_facts AS
SELECT j.id AS job_id, a.action, a.path AS action_path, a.ref, a.resolved_sha, a.version, a.in_setup, a.log_line,
       j.repository_id, r.owner || '/' || r.name AS repository, j.run_id, w.workflow_name, (j.created_at AT TIME ZONE 'UTC')::date AS day, j.created_at,
       w.event, w.actor, x.triggering_actor, w.head_repository_id <> w.repository_id AS from_fork, w.path, a.kind, a.digest, j.carried_over_from
FROM job_actions a
JOIN jobs j ON j.id = a.job_id
JOIN repositories r ON r.id = j.repository_id
JOIN workflow_runs w ON w.id = j.run_id
LEFT JOIN workflow_run_attempts x ON x.run_id = j.run_id AND x.run_attempt = coalesce(j.run_attempt, 1);
CREATE OR REPLACE VIEW environment_facts AS
SELECT j.id AS job_id, j.repository_id, r.owner || '/' || r.name AS repository, j.run_id, w.workflow_name, j.name,
       (j.created_at AT TIME ZONE 'UTC')::date AS day, j.created_at,
       e.runner_version, coalesce(e.runner_name, j.runner_name) AS runner_name, coalesce(e.runner_group, j.runner_group_name) AS runner_group, e.machine,
       e.os, e.image, e.image_version, e.secret_source, e.cache_mode, e.actions_locked,
       -- Only a run that calls no other file tells which file its jobs are of.
       coalesce(e.job_defined_at, CASE WHEN w.referenced_workflows = '[]' THEN r.owner || '/' || r.name || '/' || w.path END) AS job_defined_at,
       coalesce(e.workflow_ref, r.owner || '/' || r.name || '/' || w.path) AS workflow_ref,
       coalesce(e.defined_from, CASE WHEN w.path IS NOT NULL THEN 'run' END) AS defined_from,
       j.carried_over_from
FROM jobs j
JOIN repositories r ON r.id = j.repository_id
JOIN workflow_runs w ON w.id = j.run_id
LEFT JOIN job_environment e ON e.job_id = j.id;
COMMENT ON COLUMN step_facts.carried_over_from IS 'As in jobs: the job of an earlier attempt that ran in place of this one; null: it ran itself.';
COMMENT ON COLUMN annotation_facts.carried_over_from IS 'As in jobs: the job of an earlier attempt that ran in place of this one; null: it ran itself.';
COMMENT ON COLUMN action_facts.carried_over_from IS 'As in jobs: the job of an earlier attempt that ran in place of this one; null: it ran itself.';
COMMENT ON COLUMN environment_facts.carried_over_from IS 'As in jobs: the job of an earlier attempt that ran in place of this one; null: it ran itself.';

CREATE OR REPLACE VIEW workflow_daily AS
SELECT (j.created_at AT TIME ZONE 'UTC')::date AS day, r.owner || '/' || r.name AS repository, w.workflow_name, count(DISTINCT j.run_id) AS runs, count(*) AS jobs,
       count(*) FILTER (WHERE j.conclusion = 'success') AS succeeded, count(*) FILTER (WHERE j.conclusion IN ('failure', 'timed_out')) AS failed,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY CASE WHEN j.conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(j.started_at, j.completed_at) END) AS duration_seconds_p50,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY CASE WHEN j.conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(j.started_at, j.completed_at) END) AS duration_seconds_p95,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY CASE WHEN j.runner_id IS NOT NULL THEN seconds_between(j.created_at, j.started_at) END) AS queue_seconds_p95,
       sum(CASE WHEN j.runner_id IS NOT NULL AND j.conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(j.started_at, j.completed_at) END) AS job_seconds, r.id AS repository_id
FROM jobs j JOIN repositories r ON r.id = j.repository_id JOIN workflow_runs w ON w.id = j.run_id
WHERE j.carried_over_from IS NULL
GROUP BY 1, r.id, 3;
COMMENT ON VIEW workflow_daily IS 'Figures of each workflow by the day on which its jobs were created. Jobs that are carried over from an earlier attempt do not count.';

CREATE OR REPLACE VIEW label_daily AS
SELECT (j.created_at AT TIME ZONE 'UTC')::date AS day, l.name AS label, count(*) AS jobs,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY CASE WHEN j.runner_id IS NOT NULL THEN seconds_between(j.created_at, j.started_at) END) AS queue_seconds_p50,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY CASE WHEN j.runner_id IS NOT NULL THEN seconds_between(j.created_at, j.started_at) END) AS queue_seconds_p95,
       sum(CASE WHEN j.runner_id IS NOT NULL AND j.conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(j.started_at, j.completed_at) END) AS job_seconds
FROM jobs j JOIN job_labels jl ON jl.job_id = j.id JOIN labels l ON l.id = jl.label_id
WHERE j.carried_over_from IS NULL
GROUP BY 1, 2;
COMMENT ON VIEW label_daily IS 'How many jobs asked for a runner label and how long they waited, by day. Jobs that are carried over from an earlier attempt do not count.';

CREATE OR REPLACE VIEW runner_daily AS
SELECT (j.created_at AT TIME ZONE 'UTC')::date AS day, j.runner_name, j.runner_group_name, count(*) AS jobs,
       count(*) FILTER (WHERE j.conclusion IN ('failure', 'timed_out')) AS failed,
       sum(CASE WHEN j.conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(j.started_at, j.completed_at) END) AS job_seconds
FROM jobs j
WHERE j.runner_name IS NOT NULL AND j.carried_over_from IS NULL
GROUP BY 1, 2, 3;
COMMENT ON VIEW runner_daily IS 'What each runner did on each day. Jobs that are carried over from an earlier attempt do not count.';

CREATE OR REPLACE VIEW flaky_jobs AS
SELECT (f.created_at AT TIME ZONE 'UTC')::date AS day, r.owner || '/' || r.name AS repository, w.workflow_name, f.name, w.head_sha, count(DISTINCT f.id) AS failures,
       min(f.id) AS failed_job_id, min(p.id) AS passed_job_id, min(p.completed_at) AS passed_at, r.id AS repository_id
FROM jobs f
JOIN workflow_runs w ON w.id = f.run_id
JOIN repositories r ON r.id = f.repository_id
JOIN workflow_runs pw ON pw.head_sha = w.head_sha AND pw.repository_id = w.repository_id AND pw.workflow_name IS NOT DISTINCT FROM w.workflow_name
JOIN jobs p ON p.run_id = pw.id AND p.name = f.name AND p.conclusion = 'success' AND p.started_at >= f.completed_at AND p.carried_over_from IS NULL
WHERE f.conclusion IN ('failure', 'timed_out') AND f.carried_over_from IS NULL
GROUP BY 1, r.id, 3, 4, 5;
COMMENT ON VIEW flaky_jobs IS 'Jobs that failed and later passed on the same commit. A job that is carried over did neither.';

-- A copy counts where nothing tells of errors of the job that ran.
CREATE OR REPLACE VIEW failure_signatures AS
SELECT (j.created_at AT TIME ZONE 'UTC')::date AS day, r.owner || '/' || r.name AS repository,
       regexp_replace(regexp_replace(a.message, '\m(0x)?[0-9a-fA-F]{7,}\M', '#', 'g'), '[0-9]+', '#', 'g') AS signature,
       count(*) AS times, count(DISTINCT a.job_id) AS jobs, max(a.job_id) AS last_job_id, (array_agg(a.message ORDER BY a.job_id DESC))[1] AS example, r.id AS repository_id
FROM job_annotations a JOIN jobs j ON j.id = a.job_id JOIN repositories r ON r.id = j.repository_id
WHERE a.level = 'error' AND NOT a.tolerated AND btrim(a.message) <> ''
  AND (j.carried_over_from IS NULL OR NOT EXISTS (SELECT FROM job_annotations e WHERE e.job_id = j.carried_over_from AND e.level = 'error' AND NOT e.tolerated OFFSET 0))
GROUP BY 1, r.id, 3;
COMMENT ON VIEW failure_signatures IS 'Errors in logs, grouped by message with numbers and hashes replaced, and counted by day. Without those that have no text, and those of inner steps that were allowed to fail. The log of a job that is carried over counts only if no error is known of the job that ran.';

-- +goose Down

DROP TRIGGER IF EXISTS link_changed_jobs ON jobs;
DROP TRIGGER IF EXISTS link_new_jobs ON jobs;
DROP FUNCTION IF EXISTS link_changed_jobs, link_new_jobs, link_carried_over, is_carried_over;
-- Sums of actions without carried over jobs are invalidated.
-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'jobs'::regclass AND attname = 'carried_over_from' AND NOT attisdropped) THEN
        UPDATE jobs SET carried_over_from = NULL WHERE carried_over_from IS NOT NULL;
    END IF;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION note_new_actions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO action_pending (job_id) SELECT DISTINCT job_id FROM new_actions;
    -- A job that had some before may be in the sums with these.
    INSERT INTO action_invalidated (repository_id, at)
    SELECT DISTINCT j.repository_id, action_period(j.created_at)
    FROM (SELECT job_id, count(*) AS rows FROM new_actions GROUP BY job_id) n JOIN jobs j ON j.id = n.job_id
    WHERE n.rows < (SELECT count(*) FROM job_actions a WHERE a.job_id = n.job_id);
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION note_changed_actions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO action_invalidated (repository_id, at)
    SELECT DISTINCT j.repository_id, action_period(j.created_at) FROM old_actions o JOIN jobs j ON j.id = o.job_id;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION note_changed_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO action_invalidated (repository_id, at)
    SELECT c.repository_id, action_period(c.created_at)
    FROM new_jobs n JOIN old_jobs o ON o.id = n.id,
         LATERAL (VALUES (o.repository_id, o.created_at), (n.repository_id, n.created_at)) c(repository_id, created_at)
    WHERE (n.created_at, n.repository_id, n.run_id) IS DISTINCT FROM (o.created_at, o.repository_id, o.run_id);
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE OR REPLACE VIEW action_unrolled AS
SELECT a.job_id, a.action, a.path, a.ref, a.resolved_sha, a.version, j.repository_id, w.workflow_name, j.created_at, bool_or(a.in_setup) AS in_setup,
       CASE WHEN a.kind IN ('image', 'container') THEN a.digest END AS image_digest
FROM (SELECT job_id FROM action_pending
      UNION
      SELECT j.id FROM (SELECT DISTINCT repository_id, at FROM action_invalidated) i JOIN jobs j ON j.repository_id = i.repository_id AND j.created_at >= i.at AND j.created_at < i.at + 56 * interval '24 hours'
      UNION
      SELECT j.id FROM (SELECT DISTINCT repository_id, at FROM action_invalidated) i JOIN jobs j ON j.repository_id = i.repository_id AND i.at = '-infinity' AND j.created_at IS NULL) r
JOIN job_actions a ON a.job_id = r.job_id
JOIN jobs j ON j.id = r.job_id
JOIN workflow_runs w ON w.id = j.run_id
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 11;
COMMENT ON COLUMN action_uses.jobs IS 'Number of jobs.';

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
COMMENT ON COLUMN run_facts.jobs IS 'Number of jobs of all attempts.';
COMMENT ON COLUMN run_facts.job_seconds IS 'Total seconds that runners spent on the jobs.';
CREATE OR REPLACE VIEW workflow_daily AS
SELECT (j.created_at AT TIME ZONE 'UTC')::date AS day, r.owner || '/' || r.name AS repository, w.workflow_name, count(DISTINCT j.run_id) AS runs, count(*) AS jobs,
       count(*) FILTER (WHERE j.conclusion = 'success') AS succeeded, count(*) FILTER (WHERE j.conclusion IN ('failure', 'timed_out')) AS failed,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY CASE WHEN j.conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(j.started_at, j.completed_at) END) AS duration_seconds_p50,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY CASE WHEN j.conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(j.started_at, j.completed_at) END) AS duration_seconds_p95,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY CASE WHEN j.runner_id IS NOT NULL THEN seconds_between(j.created_at, j.started_at) END) AS queue_seconds_p95,
       sum(CASE WHEN j.conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(j.started_at, j.completed_at) END) AS job_seconds, r.id AS repository_id
FROM jobs j JOIN repositories r ON r.id = j.repository_id JOIN workflow_runs w ON w.id = j.run_id
GROUP BY 1, r.id, 3;
COMMENT ON VIEW workflow_daily IS 'Figures of each workflow by the day on which its jobs were created.';
CREATE OR REPLACE VIEW label_daily AS
SELECT (j.created_at AT TIME ZONE 'UTC')::date AS day, l.name AS label, count(*) AS jobs,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY CASE WHEN j.runner_id IS NOT NULL THEN seconds_between(j.created_at, j.started_at) END) AS queue_seconds_p50,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY CASE WHEN j.runner_id IS NOT NULL THEN seconds_between(j.created_at, j.started_at) END) AS queue_seconds_p95,
       sum(CASE WHEN j.conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(j.started_at, j.completed_at) END) AS job_seconds
FROM jobs j JOIN job_labels jl ON jl.job_id = j.id JOIN labels l ON l.id = jl.label_id
GROUP BY 1, 2;
COMMENT ON VIEW label_daily IS 'How many jobs asked for a runner label and how long they waited, by day.';
CREATE OR REPLACE VIEW runner_daily AS
SELECT (j.created_at AT TIME ZONE 'UTC')::date AS day, j.runner_name, j.runner_group_name, count(*) AS jobs,
       count(*) FILTER (WHERE j.conclusion IN ('failure', 'timed_out')) AS failed,
       sum(CASE WHEN j.conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(j.started_at, j.completed_at) END) AS job_seconds
FROM jobs j
WHERE j.runner_name IS NOT NULL
GROUP BY 1, 2, 3;
COMMENT ON VIEW runner_daily IS 'What each runner did on each day.';
CREATE OR REPLACE VIEW flaky_jobs AS
SELECT (f.created_at AT TIME ZONE 'UTC')::date AS day, r.owner || '/' || r.name AS repository, w.workflow_name, f.name, w.head_sha, count(DISTINCT f.id) AS failures,
       min(f.id) AS failed_job_id, min(p.id) AS passed_job_id, min(p.completed_at) AS passed_at, r.id AS repository_id
FROM jobs f
JOIN workflow_runs w ON w.id = f.run_id
JOIN repositories r ON r.id = f.repository_id
JOIN workflow_runs pw ON pw.head_sha = w.head_sha AND pw.repository_id = w.repository_id AND pw.workflow_name IS NOT DISTINCT FROM w.workflow_name
JOIN jobs p ON p.run_id = pw.id AND p.name = f.name AND p.conclusion = 'success' AND p.started_at >= f.completed_at
WHERE f.conclusion IN ('failure', 'timed_out')
GROUP BY 1, r.id, 3, 4, 5;
COMMENT ON VIEW flaky_jobs IS 'Jobs that failed and later passed on the same commit.';
CREATE OR REPLACE VIEW failure_signatures AS
SELECT (j.created_at AT TIME ZONE 'UTC')::date AS day, r.owner || '/' || r.name AS repository,
       regexp_replace(regexp_replace(a.message, '\m(0x)?[0-9a-fA-F]{7,}\M', '#', 'g'), '[0-9]+', '#', 'g') AS signature,
       count(*) AS times, count(DISTINCT a.job_id) AS jobs, max(a.job_id) AS last_job_id, (array_agg(a.message ORDER BY a.job_id DESC))[1] AS example, r.id AS repository_id
FROM job_annotations a JOIN jobs j ON j.id = a.job_id JOIN repositories r ON r.id = j.repository_id
WHERE a.level = 'error' AND NOT a.tolerated AND btrim(a.message) <> ''
GROUP BY 1, r.id, 3;
COMMENT ON VIEW failure_signatures IS 'Errors in logs, grouped by message with numbers and hashes replaced, and counted by day. Without those that have no text, and those of inner steps that were allowed to fail.';

-- Views cannot lose a column; they are made anew.
DROP VIEW IF EXISTS step_facts, annotation_facts, action_facts, environment_facts;
CREATE VIEW step_facts AS
SELECT j.id AS job_id, s.number, s.name, s.conclusion, s.started_at, s.completed_at,
       CASE WHEN s.conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(s.started_at, s.completed_at) END AS duration_seconds,
       s.log_first_line, s.log_last_line, j.name AS job_name, r.owner || '/' || r.name AS repository, w.workflow_name, w.head_branch,
       (j.created_at AT TIME ZONE 'UTC')::date AS day, s.log_lines
FROM jobs j
JOIN repositories r ON r.id = j.repository_id
JOIN workflow_runs w ON w.id = j.run_id,
     LATERAL (SELECT * FROM steps WHERE steps.job_id = j.id OFFSET 0) s;
COMMENT ON VIEW step_facts IS 'A step in one row, with its job, run and repository.';
COMMENT ON COLUMN step_facts.job_id IS 'The job of the step.';
COMMENT ON COLUMN step_facts.started_at IS 'When the step started, to the second.';
COMMENT ON COLUMN step_facts.completed_at IS 'When the step completed, to the second.';
COMMENT ON COLUMN step_facts.duration_seconds IS 'Seconds from started_at to completed_at; null: the step was skipped or has not completed.';
COMMENT ON COLUMN step_facts.log_first_line IS 'First line of the step in the log, from 1; see log_lines.';
COMMENT ON COLUMN step_facts.log_last_line IS 'Last line of the step in the log, inclusive; see log_lines.';
COMMENT ON COLUMN step_facts.repository IS 'OWNER/NAME, its present name.';
COMMENT ON COLUMN step_facts.workflow_name IS 'Workflow of the job.';
COMMENT ON COLUMN step_facts.day IS 'Day on which the job was created, UTC. Filtering by it is fast.';
COMMENT ON COLUMN step_facts.log_lines IS 'How these lines are known: exact, estimated, or shared with other steps; null: there are none.';
CREATE VIEW annotation_facts AS
SELECT j.id AS job_id, a.log_line, a.level, a.message, a.step_number, j.name AS job_name, r.owner || '/' || r.name AS repository, w.workflow_name, w.head_branch,
       (j.created_at AT TIME ZONE 'UTC')::date AS day, a.tolerated, a.file, a.file_line
FROM jobs j
JOIN repositories r ON r.id = j.repository_id
JOIN workflow_runs w ON w.id = j.run_id,
     LATERAL (SELECT log_line, level, message, step_number, tolerated, file, file_line FROM job_annotations WHERE job_annotations.job_id = j.id OFFSET 0) a;
COMMENT ON VIEW annotation_facts IS 'An error, warning or notice in one row, with its job, run and repository.';
COMMENT ON COLUMN annotation_facts.job_id IS 'The job in whose log it is.';
COMMENT ON COLUMN annotation_facts.log_line IS 'Number of its line in the log, from 1.';
COMMENT ON COLUMN annotation_facts.level IS 'error, warning or notice.';
COMMENT ON COLUMN annotation_facts.message IS 'Its text, as in job_annotations.';
COMMENT ON COLUMN annotation_facts.step_number IS 'Number of the step that printed it, if that is certain. Null: it is not; lines join it to steps by estimate.';
COMMENT ON COLUMN annotation_facts.job_name IS 'Name of the job.';
COMMENT ON COLUMN annotation_facts.repository IS 'OWNER/NAME, its present name.';
COMMENT ON COLUMN annotation_facts.workflow_name IS 'Workflow of the job.';
COMMENT ON COLUMN annotation_facts.head_branch IS 'Branch or tag that the run was started for.';
COMMENT ON COLUMN annotation_facts.day IS 'Day on which the job was created, UTC. Filtering by it is fast.';
COMMENT ON COLUMN annotation_facts.tolerated IS 'As in job_annotations: true of an error that is none of the job.';
COMMENT ON COLUMN annotation_facts.file IS 'As in job_annotations.';
COMMENT ON COLUMN annotation_facts.file_line IS 'As in job_annotations.';
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
CREATE VIEW environment_facts AS
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
COMMENT ON VIEW environment_facts IS 'What each job ran on, in one row. A column is null where it is not known.';
COMMENT ON COLUMN environment_facts.job_id IS 'GitHub''s id of the job.';
COMMENT ON COLUMN environment_facts.repository_id IS 'GitHub''s id of the repository.';
COMMENT ON COLUMN environment_facts.repository IS 'OWNER/NAME, its present name.';
COMMENT ON COLUMN environment_facts.run_id IS 'Workflow run of the job.';
COMMENT ON COLUMN environment_facts.workflow_name IS 'Workflow of the job.';
COMMENT ON COLUMN environment_facts.name IS 'Display name of the job.';
COMMENT ON COLUMN environment_facts.day IS 'Day of the job''s creation, UTC. Filtering by it is fast.';
COMMENT ON COLUMN environment_facts.created_at IS 'When the job was created.';
COMMENT ON COLUMN environment_facts.runner_version IS 'As in job_environment.';
COMMENT ON COLUMN environment_facts.runner_name IS 'As in job_environment; where the log does not say, as in jobs.';
COMMENT ON COLUMN environment_facts.runner_group IS 'As in job_environment; where the log does not say, runner_group_name as in jobs.';
COMMENT ON COLUMN environment_facts.machine IS 'As in job_environment.';
COMMENT ON COLUMN environment_facts.os IS 'As in job_environment.';
COMMENT ON COLUMN environment_facts.image IS 'As in job_environment.';
COMMENT ON COLUMN environment_facts.image_version IS 'As in job_environment.';
COMMENT ON COLUMN environment_facts.secret_source IS 'As in job_environment.';
COMMENT ON COLUMN environment_facts.cache_mode IS 'As in job_environment.';
COMMENT ON COLUMN environment_facts.actions_locked IS 'As in job_environment.';
COMMENT ON COLUMN environment_facts.job_defined_at IS 'File of the job, as OWNER/REPO/PATH, perhaps with @REF: as in job_environment; where the log does not say, of a run that calls no other file, by path of workflow_runs. Null: not known.';
COMMENT ON COLUMN environment_facts.workflow_ref IS 'File of the workflow that was started, as OWNER/REPO/PATH, perhaps with @REF: as in job_environment; where the log does not say, by path of workflow_runs. Null: not known.';
COMMENT ON COLUMN environment_facts.defined_from IS 'Where job_defined_at and workflow_ref are from: log, or run, for what GitHub says of the run; null: they are not known.';
-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'jobvault_reader') THEN
        GRANT SELECT ON step_facts, annotation_facts, action_facts, environment_facts TO jobvault_reader;
    END IF;
END $$;
-- +goose StatementEnd

-- A view cannot lose a column; it is made anew.
DROP VIEW IF EXISTS job_facts;
CREATE VIEW job_facts AS
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
COMMENT ON COLUMN job_facts.event IS 'Event that started the run; null: the run was not listed yet.';
COMMENT ON COLUMN job_facts.actor IS 'Login of the account that caused the event; null: not known.';
COMMENT ON COLUMN job_facts.triggering_actor IS 'Login of the account that started the job''s attempt; null: not known, as of an attempt that was run again before it was listed.';
COMMENT ON COLUMN job_facts.from_fork IS 'Whether the head commit is in a fork; null: not known, or the fork was deleted.';
COMMENT ON COLUMN job_facts.path IS 'File of the workflow, perhaps with @ and the ref that it was taken from; null: not known.';
COMMENT ON COLUMN job_facts.display_title IS 'Title of the run; null: not known.';
COMMENT ON COLUMN job_facts.run_number IS 'Number of the run among those of its workflow; null: not known.';
-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'jobvault_reader') THEN
        GRANT SELECT ON job_facts TO jobvault_reader;
    END IF;
END $$;
-- +goose StatementEnd

DROP INDEX IF EXISTS jobs_by_carried_over_from, jobs_by_execution, job_actions_unresolved;
ALTER TABLE jobs DROP COLUMN IF EXISTS carried_over_from;
ALTER TABLE action_sums DROP COLUMN IF EXISTS rule;
