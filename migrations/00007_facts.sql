-- Views for those who ask in SQL. Names and meanings of their columns are a
-- contract, as those of tables.
--
-- Seconds are null where they are not known: of what did not happen, and where
-- clocks contradict each other. They are never negative.

-- +goose Up

-- Days are of UTC.
CREATE INDEX jobs_by_day ON jobs (((created_at AT TIME ZONE 'UTC')::date));

-- +goose StatementBegin
CREATE FUNCTION seconds_between(earlier timestamptz, later timestamptz) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE WHEN later >= earlier THEN extract(epoch FROM later - earlier)::double precision END $$;
-- +goose StatementEnd
COMMENT ON FUNCTION seconds_between IS 'Seconds from one time to another; null where one is, or they are not in order.';

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

COMMENT ON VIEW job_facts IS 'Everything about a job in one row.';
COMMENT ON COLUMN job_facts.job_id IS 'GitHub''s id of the job.';
COMMENT ON COLUMN job_facts.repository_id IS 'GitHub''s id of the repository.';
COMMENT ON COLUMN job_facts.repository IS 'OWNER/NAME, as it is called now.';
COMMENT ON COLUMN job_facts.run_id IS 'Its workflow run.';
COMMENT ON COLUMN job_facts.run_attempt IS 'Attempt of the run, from 1.';
COMMENT ON COLUMN job_facts.workflow_name IS 'Its workflow.';
COMMENT ON COLUMN job_facts.head_branch IS 'Branch or tag that the run was started for.';
COMMENT ON COLUMN job_facts.head_sha IS 'Commit that the run was started for.';
COMMENT ON COLUMN job_facts.name IS 'Display name.';
COMMENT ON COLUMN job_facts.status IS 'As in jobs.';
COMMENT ON COLUMN job_facts.conclusion IS 'As in jobs.';
COMMENT ON COLUMN job_facts.day IS 'Day of its creation, UTC. Filters by it are fast.';
COMMENT ON COLUMN job_facts.created_at IS 'When it was created.';
COMMENT ON COLUMN job_facts.started_at IS 'When a runner started it.';
COMMENT ON COLUMN job_facts.completed_at IS 'When it completed.';
COMMENT ON COLUMN job_facts.queue_seconds IS 'From creation to start; null if no runner took it.';
COMMENT ON COLUMN job_facts.duration_seconds IS 'From start to completion; null if it was skipped.';
COMMENT ON COLUMN job_facts.runner_name IS 'Runner that took it.';
COMMENT ON COLUMN job_facts.runner_group_name IS 'Group of that runner.';
COMMENT ON COLUMN job_facts.labels IS 'Labels that it asked for, in its order.';
COMMENT ON COLUMN job_facts.log_state IS 'State of its log in the ledger.';
COMMENT ON COLUMN job_facts.log_bytes IS 'Size of its log.';
COMMENT ON COLUMN job_facts.log_lines IS 'Lines of its log.';
COMMENT ON COLUMN job_facts.failed_step IS 'The first of its steps that failed.';

CREATE VIEW step_facts AS
SELECT s.job_id, s.number, s.name, s.conclusion, s.started_at, s.completed_at,
       CASE WHEN s.conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(s.started_at, s.completed_at) END AS duration_seconds,
       s.log_first_line, s.log_last_line, j.name AS job_name, r.owner || '/' || r.name AS repository, w.workflow_name, w.head_branch,
       (j.created_at AT TIME ZONE 'UTC')::date AS day
FROM steps s
JOIN jobs j ON j.id = s.job_id
JOIN repositories r ON r.id = j.repository_id
JOIN workflow_runs w ON w.id = j.run_id;

COMMENT ON VIEW step_facts IS 'Everything about a step in one row.';
COMMENT ON COLUMN step_facts.job_id IS 'Its job.';
COMMENT ON COLUMN step_facts.number IS 'GitHub''s number of the step.';
COMMENT ON COLUMN step_facts.name IS 'Display name.';
COMMENT ON COLUMN step_facts.conclusion IS 'As in steps.';
COMMENT ON COLUMN step_facts.started_at IS 'When it started, to the second.';
COMMENT ON COLUMN step_facts.completed_at IS 'When it completed, to the second.';
COMMENT ON COLUMN step_facts.duration_seconds IS 'Between these; null if it was skipped.';
COMMENT ON COLUMN step_facts.log_first_line IS 'Its first line in the log, by estimate.';
COMMENT ON COLUMN step_facts.log_last_line IS 'Its last line in the log, by estimate.';
COMMENT ON COLUMN step_facts.job_name IS 'Name of the job.';
COMMENT ON COLUMN step_facts.repository IS 'OWNER/NAME, as it is called now.';
COMMENT ON COLUMN step_facts.workflow_name IS 'The job''s workflow.';
COMMENT ON COLUMN step_facts.head_branch IS 'Branch or tag that the run was started for.';
COMMENT ON COLUMN step_facts.day IS 'Day of the job''s creation, UTC. Filters by it are fast.';

CREATE VIEW run_facts AS
SELECT f.run_id, f.repository, f.workflow_name, f.head_branch, f.head_sha, max(f.run_attempt) AS attempts, count(*) AS jobs,
       count(*) FILTER (WHERE f.conclusion = 'success') AS succeeded, count(*) FILTER (WHERE f.conclusion IN ('failure', 'timed_out')) AS failed,
       count(*) FILTER (WHERE f.conclusion = 'cancelled') AS cancelled, count(*) FILTER (WHERE f.conclusion = 'skipped') AS skipped,
       count(*) FILTER (WHERE f.status <> 'completed') AS unfinished,
       (min(f.created_at) AT TIME ZONE 'UTC')::date AS day, min(f.created_at) AS created_at, max(f.completed_at) AS completed_at,
       seconds_between(min(f.created_at), max(f.completed_at)) AS wall_seconds, sum(f.duration_seconds) AS job_seconds
FROM (SELECT j.run_id, r.owner || '/' || r.name AS repository, w.workflow_name, w.head_branch, w.head_sha, coalesce(j.run_attempt, 1) AS run_attempt,
             j.status, j.conclusion, j.created_at, j.completed_at,
             CASE WHEN j.conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(j.started_at, j.completed_at) END AS duration_seconds
      FROM jobs j JOIN repositories r ON r.id = j.repository_id JOIN workflow_runs w ON w.id = j.run_id) f
GROUP BY f.run_id, f.repository, f.workflow_name, f.head_branch, f.head_sha;

COMMENT ON VIEW run_facts IS 'A workflow run in one row, all its attempts together.';
COMMENT ON COLUMN run_facts.run_id IS 'GitHub''s id of the run.';
COMMENT ON COLUMN run_facts.repository IS 'OWNER/NAME, as it is called now.';
COMMENT ON COLUMN run_facts.workflow_name IS 'Its workflow.';
COMMENT ON COLUMN run_facts.head_branch IS 'Branch or tag that it was started for.';
COMMENT ON COLUMN run_facts.head_sha IS 'Commit that it was started for.';
COMMENT ON COLUMN run_facts.attempts IS 'The latest attempt that a job tells of.';
COMMENT ON COLUMN run_facts.jobs IS 'Jobs of all attempts.';
COMMENT ON COLUMN run_facts.succeeded IS 'Jobs that did.';
COMMENT ON COLUMN run_facts.failed IS 'Jobs that failed or timed out.';
COMMENT ON COLUMN run_facts.cancelled IS 'Jobs that were.';
COMMENT ON COLUMN run_facts.skipped IS 'Jobs that were.';
COMMENT ON COLUMN run_facts.unfinished IS 'Jobs that are not completed.';
COMMENT ON COLUMN run_facts.day IS 'Day of the first job''s creation, UTC.';
COMMENT ON COLUMN run_facts.created_at IS 'When the first job was created.';
COMMENT ON COLUMN run_facts.completed_at IS 'When the last job completed, so far.';
COMMENT ON COLUMN run_facts.wall_seconds IS 'Between these.';
COMMENT ON COLUMN run_facts.job_seconds IS 'Seconds that runners spent on its jobs.';

CREATE VIEW workflow_daily AS
SELECT (j.created_at AT TIME ZONE 'UTC')::date AS day, r.owner || '/' || r.name AS repository, w.workflow_name, count(DISTINCT j.run_id) AS runs, count(*) AS jobs,
       count(*) FILTER (WHERE j.conclusion = 'success') AS succeeded, count(*) FILTER (WHERE j.conclusion IN ('failure', 'timed_out')) AS failed,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY CASE WHEN j.conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(j.started_at, j.completed_at) END) AS duration_seconds_p50,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY CASE WHEN j.conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(j.started_at, j.completed_at) END) AS duration_seconds_p95,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY CASE WHEN j.runner_id IS NOT NULL THEN seconds_between(j.created_at, j.started_at) END) AS queue_seconds_p95,
       sum(CASE WHEN j.conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(j.started_at, j.completed_at) END) AS job_seconds
FROM jobs j JOIN repositories r ON r.id = j.repository_id JOIN workflow_runs w ON w.id = j.run_id
GROUP BY 1, 2, 3;

COMMENT ON VIEW workflow_daily IS 'Figures of a workflow''s jobs, by the day of their creation.';
COMMENT ON COLUMN workflow_daily.day IS 'Day, UTC.';
COMMENT ON COLUMN workflow_daily.repository IS 'OWNER/NAME, as it is called now.';
COMMENT ON COLUMN workflow_daily.workflow_name IS 'The workflow.';
COMMENT ON COLUMN workflow_daily.runs IS 'Runs that had jobs that day.';
COMMENT ON COLUMN workflow_daily.jobs IS 'Their jobs.';
COMMENT ON COLUMN workflow_daily.succeeded IS 'Jobs that did.';
COMMENT ON COLUMN workflow_daily.failed IS 'Jobs that failed or timed out.';
COMMENT ON COLUMN workflow_daily.duration_seconds_p50 IS 'Median of their durations.';
COMMENT ON COLUMN workflow_daily.duration_seconds_p95 IS '95th percentile of their durations.';
COMMENT ON COLUMN workflow_daily.queue_seconds_p95 IS '95th percentile of their time in the queue.';
COMMENT ON COLUMN workflow_daily.job_seconds IS 'Seconds that runners spent on them.';

CREATE VIEW label_daily AS
SELECT (j.created_at AT TIME ZONE 'UTC')::date AS day, l.name AS label, count(*) AS jobs,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY CASE WHEN j.runner_id IS NOT NULL THEN seconds_between(j.created_at, j.started_at) END) AS queue_seconds_p50,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY CASE WHEN j.runner_id IS NOT NULL THEN seconds_between(j.created_at, j.started_at) END) AS queue_seconds_p95,
       sum(CASE WHEN j.conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(j.started_at, j.completed_at) END) AS job_seconds
FROM jobs j JOIN job_labels jl ON jl.job_id = j.id JOIN labels l ON l.id = jl.label_id
GROUP BY 1, 2;

COMMENT ON VIEW label_daily IS 'Demand for runners and how long it waited, by label and day.';
COMMENT ON COLUMN label_daily.day IS 'Day of the jobs'' creation, UTC.';
COMMENT ON COLUMN label_daily.label IS 'The label.';
COMMENT ON COLUMN label_daily.jobs IS 'Jobs that asked for it.';
COMMENT ON COLUMN label_daily.queue_seconds_p50 IS 'Median of their time in the queue.';
COMMENT ON COLUMN label_daily.queue_seconds_p95 IS '95th percentile of their time in the queue.';
COMMENT ON COLUMN label_daily.job_seconds IS 'Seconds that runners spent on them.';

CREATE VIEW runner_daily AS
SELECT (j.created_at AT TIME ZONE 'UTC')::date AS day, j.runner_name, j.runner_group_name, count(*) AS jobs,
       count(*) FILTER (WHERE j.conclusion IN ('failure', 'timed_out')) AS failed,
       sum(CASE WHEN j.conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(j.started_at, j.completed_at) END) AS job_seconds
FROM jobs j
WHERE j.runner_name IS NOT NULL
GROUP BY 1, 2, 3;

COMMENT ON VIEW runner_daily IS 'What each runner did, by day.';
COMMENT ON COLUMN runner_daily.day IS 'Day of the jobs'' creation, UTC.';
COMMENT ON COLUMN runner_daily.runner_name IS 'The runner.';
COMMENT ON COLUMN runner_daily.runner_group_name IS 'Its group.';
COMMENT ON COLUMN runner_daily.jobs IS 'Jobs that it took.';
COMMENT ON COLUMN runner_daily.failed IS 'Those that failed or timed out.';
COMMENT ON COLUMN runner_daily.job_seconds IS 'Seconds that it spent on them.';

CREATE VIEW flaky_jobs AS
SELECT (f.created_at AT TIME ZONE 'UTC')::date AS day, r.owner || '/' || r.name AS repository, w.workflow_name, f.name, w.head_sha, count(DISTINCT f.id) AS failures,
       min(f.id) AS failed_job_id, min(p.id) AS passed_job_id, min(p.completed_at) AS passed_at
FROM jobs f
JOIN workflow_runs w ON w.id = f.run_id
JOIN repositories r ON r.id = f.repository_id
JOIN workflow_runs pw ON pw.head_sha = w.head_sha AND pw.repository_id = w.repository_id AND pw.workflow_name IS NOT DISTINCT FROM w.workflow_name
JOIN jobs p ON p.run_id = pw.id AND p.name = f.name AND p.conclusion = 'success' AND p.started_at >= f.completed_at
WHERE f.conclusion IN ('failure', 'timed_out')
GROUP BY 1, 2, 3, 4, 5;

COMMENT ON VIEW flaky_jobs IS 'Jobs that failed and then passed on the same commit.';
COMMENT ON COLUMN flaky_jobs.day IS 'Day of the failures'' creation, UTC. Filters by it are fast.';
COMMENT ON COLUMN flaky_jobs.repository IS 'OWNER/NAME, as it is called now.';
COMMENT ON COLUMN flaky_jobs.workflow_name IS 'Their workflow.';
COMMENT ON COLUMN flaky_jobs.name IS 'Name of the jobs.';
COMMENT ON COLUMN flaky_jobs.head_sha IS 'The commit.';
COMMENT ON COLUMN flaky_jobs.failures IS 'How often it failed.';
COMMENT ON COLUMN flaky_jobs.failed_job_id IS 'The first job that failed.';
COMMENT ON COLUMN flaky_jobs.passed_job_id IS 'The first that passed.';
COMMENT ON COLUMN flaky_jobs.passed_at IS 'When it did.';

CREATE VIEW failure_signatures AS
SELECT (j.created_at AT TIME ZONE 'UTC')::date AS day, r.owner || '/' || r.name AS repository,
       regexp_replace(regexp_replace(a.message, '\m(0x)?[0-9a-fA-F]{7,}\M', '#', 'g'), '[0-9]+', '#', 'g') AS signature,
       count(*) AS times, count(DISTINCT a.job_id) AS jobs, max(a.job_id) AS last_job_id, (array_agg(a.message ORDER BY a.job_id DESC))[1] AS example
FROM job_annotations a JOIN jobs j ON j.id = a.job_id JOIN repositories r ON r.id = j.repository_id
WHERE a.level = 'error'
GROUP BY 1, 2, 3;

COMMENT ON VIEW failure_signatures IS 'What logs give as errors, with numbers and hashes folded, counted by day.';
COMMENT ON COLUMN failure_signatures.day IS 'Day of the jobs'' creation, UTC. Filters by it are fast.';
COMMENT ON COLUMN failure_signatures.repository IS 'OWNER/NAME, as it is called now.';
COMMENT ON COLUMN failure_signatures.signature IS 'The message, with # in place of each number and hash.';
COMMENT ON COLUMN failure_signatures.times IS 'Lines.';
COMMENT ON COLUMN failure_signatures.jobs IS 'Jobs.';
COMMENT ON COLUMN failure_signatures.last_job_id IS 'The last of them.';
COMMENT ON COLUMN failure_signatures.example IS 'Its message as it was.';

-- Roles belong to the whole server, and who migrates may not be allowed to make one:
-- then it is for an administrator to do.
-- +goose StatementBegin
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'jobvault_reader') THEN
        CREATE ROLE jobvault_reader NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN RAISE NOTICE 'the role jobvault_reader cannot be made: %', SQLERRM;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'jobvault_reader') THEN
        GRANT SELECT ON job_facts, step_facts, run_facts, workflow_daily, label_daily, runner_daily, flaky_jobs, failure_signatures, action_uses, coverage
            TO jobvault_reader;
    END IF;
END $$;
-- +goose StatementEnd

-- +goose Down

DROP VIEW failure_signatures, flaky_jobs, runner_daily, label_daily, workflow_daily, run_facts, step_facts, job_facts;
DROP FUNCTION seconds_between;
DROP INDEX jobs_by_day;
