-- What makes it fast to say who used an action, also one that every job uses: sums
-- by days and weeks, kept by triggers.
--
-- Whoever writes rows of job_actions, or changes where their job belongs, only takes
-- note of it, in action_unsummed and action_stale, and so waits for nobody. Now and
-- then one of them brings the sums up to date. Until then, what is noted is read from
-- the rows themselves, and nothing that it makes wrong is read from the sums: together
-- they say what the rows say, at every instant.

-- Besides, views that read more than they must.

-- +goose Up

CREATE TABLE action_callers (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest        bytea NOT NULL UNIQUE,
    action        text NOT NULL,
    path          text,
    ref           text NOT NULL,
    resolved_sha  text,
    version       text,
    repository_id bigint NOT NULL,
    workflow_name text
);
CREATE INDEX action_callers_by_action ON action_callers (lower(action));

COMMENT ON TABLE action_callers IS 'Workflows with the actions that their jobs used.';
COMMENT ON COLUMN action_callers.id IS 'jobvault''s own number of it.';
COMMENT ON COLUMN action_callers.digest IS 'SHA-256 of all the columns that follow: values may be too long for an index.';
COMMENT ON COLUMN action_callers.action IS 'As in job_actions.';
COMMENT ON COLUMN action_callers.path IS 'As in job_actions.';
COMMENT ON COLUMN action_callers.ref IS 'As in job_actions.';
COMMENT ON COLUMN action_callers.resolved_sha IS 'As in job_actions.';
COMMENT ON COLUMN action_callers.version IS 'As in job_actions.';
COMMENT ON COLUMN action_callers.repository_id IS 'Repository of the jobs.';
COMMENT ON COLUMN action_callers.workflow_name IS 'Workflow of the jobs.';

CREATE TABLE action_sums (
    action        bigint NOT NULL,
    days          smallint NOT NULL,
    at            timestamptz NOT NULL,
    caller_id     bigint NOT NULL,
    repository_id bigint NOT NULL,
    jobs          bigint NOT NULL,
    first_job     bigint NOT NULL,
    last_job      bigint NOT NULL,
    first_used_at timestamptz,
    last_used_at  timestamptz,
    in_setup      boolean NOT NULL,
    PRIMARY KEY (action, days, at, caller_id)
);

COMMENT ON TABLE action_sums IS 'The jobs that used an action, summed up by the day, by the week and by eight weeks: all but those in action_unsummed, and of what action_stale says nothing is true.';
COMMENT ON COLUMN action_sums.action IS 'facet(''action'', lower(action)).';
COMMENT ON COLUMN action_sums.days IS '1, 7 or 56.';
COMMENT ON COLUMN action_sums.at IS 'Begin of these days; -infinity: the jobs'' created_at is not known.';
COMMENT ON COLUMN action_sums.caller_id IS 'Which workflow, and which action.';
COMMENT ON COLUMN action_sums.repository_id IS 'Repository of the jobs.';
COMMENT ON COLUMN action_sums.jobs IS 'How many jobs.';
COMMENT ON COLUMN action_sums.first_job IS 'The least of their ids.';
COMMENT ON COLUMN action_sums.last_job IS 'The greatest.';
COMMENT ON COLUMN action_sums.first_used_at IS 'When the first of them was created.';
COMMENT ON COLUMN action_sums.last_used_at IS 'When the last of them was.';
COMMENT ON COLUMN action_sums.in_setup IS 'Whether one of them said so before its first step.';

CREATE TABLE action_unsummed (
    n      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id bigint NOT NULL
);

COMMENT ON TABLE action_unsummed IS 'Jobs that are not in action_sums yet.';
COMMENT ON COLUMN action_unsummed.n IS 'Running number.';
COMMENT ON COLUMN action_unsummed.job_id IS 'The job.';

CREATE TABLE action_stale (
    repository_id bigint NOT NULL,
    at            timestamptz NOT NULL,
    noted_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE action_stale IS 'Where action_sums are not true any more: something has changed that was summed up.';
COMMENT ON COLUMN action_stale.repository_id IS 'The repository of the jobs.';
COMMENT ON COLUMN action_stale.at IS 'Begin of the 56 days.';
COMMENT ON COLUMN action_stale.noted_at IS 'When it changed.';

-- Weeks begin on Mondays. All days are of UTC.
-- +goose StatementBegin
CREATE FUNCTION days_of(at timestamptz, days integer) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT date_bin(days * interval '24 hours', coalesce(at, timestamptz '-infinity'), timestamptz '0001-01-01 00:00:00Z')
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION days_of IS 'Begin of the days, so many together, that a time is in; -infinity of a null.';

-- +goose StatementBegin
CREATE FUNCTION sum_actions(most bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- One at a time, and nobody waits: nothing else writes the sums.
    IF NOT pg_try_advisory_xact_lock(hashtextextended('jobvault action_sums', 0)) THEN
        RETURN;
    END IF;
    -- The jobs of one place that is stale, and was left alone for a while, are summed up
    -- anew.
    IF (SELECT count(*) FROM action_unsummed) < most THEN
        WITH quiet AS (SELECT repository_id, at FROM action_stale GROUP BY 1, 2 HAVING max(noted_at) < clock_timestamp() - interval '1 minute' ORDER BY max(noted_at) LIMIT 1),
             noted AS (DELETE FROM action_stale s USING quiet q WHERE (s.repository_id, s.at) = (q.repository_id, q.at)),
             dropped AS (DELETE FROM action_sums s USING quiet q WHERE s.repository_id = q.repository_id AND days_of(s.at, 56) = q.at)
        INSERT INTO action_unsummed (job_id)
        SELECT j.id FROM quiet q JOIN jobs j ON j.repository_id = q.repository_id AND days_of(j.created_at, 56) = q.at
        WHERE EXISTS (SELECT FROM job_actions a WHERE a.job_id = j.id);
    END IF;
    -- All notes of a job are taken together: it would be counted twice.
    WITH taken AS (DELETE FROM action_unsummed
                   WHERE job_id IN (SELECT job_id FROM action_unsummed WHERE n < (SELECT min(n) FROM action_unsummed) + most) RETURNING job_id),
         used AS (
             SELECT action, path, ref, resolved_sha, version, repository_id, workflow_name, days_of(created_at, 1) AS at, count(*) AS jobs,
                    min(u.job_id) AS first_job, max(u.job_id) AS last_job, min(created_at) AS first_used_at, max(created_at) AS last_used_at, bool_or(in_setup) AS in_setup
             FROM (SELECT DISTINCT job_id FROM taken) t, LATERAL (
                 SELECT a.job_id, a.action, a.path, a.ref, a.resolved_sha, a.version, j.repository_id, w.workflow_name, j.created_at, bool_or(a.in_setup) AS in_setup
                 FROM jobs j JOIN workflow_runs w ON w.id = j.run_id JOIN job_actions a ON a.job_id = j.id
                 WHERE j.id = t.job_id
                 GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9) u
             GROUP BY 1, 2, 3, 4, 5, 6, 7, 8),
         daily AS MATERIALIZED (
             SELECT *, sha256(convert_to(ROW(action, path, ref, resolved_sha, version, repository_id, workflow_name)::text, 'UTF8')) AS digest FROM used),
         added AS (
             INSERT INTO action_callers (digest, action, path, ref, resolved_sha, version, repository_id, workflow_name)
             SELECT DISTINCT ON (digest) digest, action, path, ref, resolved_sha, version, repository_id, workflow_name FROM daily
             WHERE NOT EXISTS (SELECT FROM action_callers c WHERE c.digest = daily.digest)
             RETURNING id, digest),
         callers AS (SELECT id, digest FROM action_callers UNION ALL SELECT id, digest FROM added)
    INSERT INTO action_sums AS s (action, days, at, caller_id, repository_id, jobs, first_job, last_job, first_used_at, last_used_at, in_setup)
    SELECT facet('action', lower(d.action)), days, days_of(d.at, days), c.id, d.repository_id,
           sum(jobs), min(first_job), max(last_job), min(first_used_at), max(last_used_at), bool_or(in_setup)
    FROM daily d JOIN callers c USING (digest), (VALUES (1), (7), (56)) v(days)
    GROUP BY 1, 2, 3, 4, 5
    ORDER BY 1, 2, 3 -- what is read together lies together
    ON CONFLICT (action, days, at, caller_id) DO UPDATE SET
        jobs = s.jobs + excluded.jobs, first_job = least(s.first_job, excluded.first_job), last_job = greatest(s.last_job, excluded.last_job),
        first_used_at = least(s.first_used_at, excluded.first_used_at), last_used_at = greatest(s.last_used_at, excluded.last_used_at),
        in_setup = s.in_setup OR excluded.in_setup;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION note_new_actions() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    jobs bigint;
    due  boolean;
BEGIN
    WITH noted AS (INSERT INTO action_unsummed (job_id) SELECT DISTINCT job_id FROM new_actions RETURNING n)
    SELECT count(*), bool_or(n % 1000 = 0) INTO jobs, due FROM noted;
    -- A job that had some before may have been summed up with these.
    INSERT INTO action_stale (repository_id, at)
    SELECT DISTINCT j.repository_id, days_of(j.created_at, 56)
    FROM (SELECT job_id, count(*) AS rows FROM new_actions GROUP BY job_id) n JOIN jobs j ON j.id = n.job_id
    WHERE n.rows < (SELECT count(*) FROM job_actions a WHERE a.job_id = n.job_id);
    IF due THEN
        PERFORM sum_actions(greatest(10000, 2 * jobs));
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION note_changed_actions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO action_stale (repository_id, at)
    SELECT DISTINCT j.repository_id, days_of(j.created_at, 56) FROM old_actions o JOIN jobs j ON j.id = o.job_id;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION note_changed_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO action_stale (repository_id, at)
    SELECT c.repository_id, days_of(c.created_at, 56)
    FROM new_jobs n JOIN old_jobs o ON o.id = n.id,
         LATERAL (VALUES (o.repository_id, o.created_at), (n.repository_id, n.created_at)) c(repository_id, created_at)
    WHERE (n.created_at, n.repository_id, n.run_id) IS DISTINCT FROM (o.created_at, o.repository_id, o.run_id);
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- Their rows in job_actions are deleted with them.
-- +goose StatementBegin
CREATE FUNCTION note_deleted_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO action_stale (repository_id, at) SELECT DISTINCT repository_id, days_of(created_at, 56) FROM old_jobs;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION note_changed_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO action_stale (repository_id, at)
    SELECT DISTINCT j.repository_id, days_of(j.created_at, 56)
    FROM new_runs n JOIN old_runs o ON o.id = n.id JOIN jobs j ON j.run_id = n.id
    WHERE n.workflow_name IS DISTINCT FROM o.workflow_name;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER note_new_actions AFTER INSERT ON job_actions REFERENCING NEW TABLE AS new_actions
    FOR EACH STATEMENT EXECUTE FUNCTION note_new_actions();
CREATE TRIGGER note_changed_actions AFTER UPDATE ON job_actions REFERENCING OLD TABLE AS old_actions
    FOR EACH STATEMENT EXECUTE FUNCTION note_changed_actions();
CREATE TRIGGER note_deleted_actions AFTER DELETE ON job_actions REFERENCING OLD TABLE AS old_actions
    FOR EACH STATEMENT EXECUTE FUNCTION note_changed_actions();
CREATE TRIGGER note_changed_jobs AFTER UPDATE ON jobs REFERENCING OLD TABLE AS old_jobs NEW TABLE AS new_jobs
    FOR EACH STATEMENT EXECUTE FUNCTION note_changed_jobs();
CREATE TRIGGER note_deleted_jobs AFTER DELETE ON jobs REFERENCING OLD TABLE AS old_jobs
    FOR EACH STATEMENT EXECUTE FUNCTION note_deleted_jobs();
CREATE TRIGGER note_changed_runs AFTER UPDATE ON workflow_runs REFERENCING OLD TABLE AS old_runs NEW TABLE AS new_runs
    FOR EACH STATEMENT EXECUTE FUNCTION note_changed_runs();

INSERT INTO action_unsummed (job_id) SELECT DISTINCT job_id FROM job_actions;
SELECT sum_actions(1000000000000);

CREATE VIEW action_rest AS
SELECT u.job_id, u.action, u.path, u.ref, u.resolved_sha, u.version, u.repository_id, u.workflow_name, u.created_at, u.in_setup
FROM (SELECT job_id FROM action_unsummed
      UNION
      SELECT j.id FROM action_stale s JOIN jobs j ON j.repository_id = s.repository_id AND j.created_at >= s.at AND j.created_at < s.at + interval '1344 hours'
      UNION
      SELECT j.id FROM action_stale s JOIN jobs j ON j.repository_id = s.repository_id AND s.at = '-infinity' AND j.created_at IS NULL) r,
     LATERAL (
         SELECT a.job_id, a.action, a.path, a.ref, a.resolved_sha, a.version, j.repository_id, w.workflow_name, j.created_at, bool_or(a.in_setup) AS in_setup
         FROM jobs j JOIN workflow_runs w ON w.id = j.run_id JOIN job_actions a ON a.job_id = j.id
         WHERE j.id = r.job_id
         GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9) u;

COMMENT ON VIEW action_rest IS 'The uses of actions that action_sums does not tell of, a row for each job.';
COMMENT ON COLUMN action_rest.job_id IS 'The job.';
COMMENT ON COLUMN action_rest.action IS 'As in job_actions.';
COMMENT ON COLUMN action_rest.path IS 'As in job_actions.';
COMMENT ON COLUMN action_rest.ref IS 'As in job_actions.';
COMMENT ON COLUMN action_rest.resolved_sha IS 'As in job_actions.';
COMMENT ON COLUMN action_rest.version IS 'As in job_actions.';
COMMENT ON COLUMN action_rest.repository_id IS 'Repository of the job.';
COMMENT ON COLUMN action_rest.workflow_name IS 'Its workflow.';
COMMENT ON COLUMN action_rest.created_at IS 'When it was created.';
COMMENT ON COLUMN action_rest.in_setup IS 'Whether it said so before its first step.';

CREATE OR REPLACE VIEW action_uses AS
SELECT u.action, u.path, u.ref, u.resolved_sha, u.version, r.owner || '/' || r.name AS repository, u.workflow_name,
       sum(u.jobs)::bigint AS jobs, min(u.first_used_at) AS first_used_at, max(u.last_used_at) AS last_used_at, bool_or(u.in_setup) AS in_setup
FROM (SELECT c.action, c.path, c.ref, c.resolved_sha, c.version, c.repository_id, c.workflow_name, s.jobs, s.first_used_at, s.last_used_at, s.in_setup
      FROM (SELECT caller_id, sum(jobs) AS jobs, min(first_used_at) AS first_used_at, max(last_used_at) AS last_used_at, bool_or(in_setup) AS in_setup
            FROM action_sums s
            WHERE days = 56 AND NOT EXISTS (SELECT FROM action_stale x WHERE x.repository_id = s.repository_id AND x.at = s.at)
            GROUP BY caller_id) s
      JOIN action_callers c ON c.id = s.caller_id
      UNION ALL
      SELECT action, path, ref, resolved_sha, version, repository_id, workflow_name, 1, created_at, created_at, in_setup FROM action_rest) u
JOIN repositories r ON r.id = u.repository_id
GROUP BY r.name, u.workflow_name, u.resolved_sha, u.action, u.ref, r.owner, u.path, u.version;

-- The steps of each job are looked up: to find those of a few days, all of all years
-- were read.
CREATE OR REPLACE VIEW step_facts AS
SELECT j.id AS job_id, s.number, s.name, s.conclusion, s.started_at, s.completed_at,
       CASE WHEN s.conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(s.started_at, s.completed_at) END AS duration_seconds,
       s.log_first_line, s.log_last_line, j.name AS job_name, r.owner || '/' || r.name AS repository, w.workflow_name, w.head_branch,
       (j.created_at AT TIME ZONE 'UTC')::date AS day
FROM jobs j
JOIN repositories r ON r.id = j.repository_id
JOIN workflow_runs w ON w.id = j.run_id,
     LATERAL (SELECT * FROM steps WHERE steps.job_id = j.id OFFSET 0) s;

-- Jobs are added up before anything is joined to them.
CREATE OR REPLACE VIEW run_facts AS
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

-- For what is asked with every question of who used an action. The number is that of the
-- present way of reading logs.
DROP INDEX job_logs_unread;
CREATE INDEX job_logs_unread ON job_logs (job_id) WHERE state = 'archived' AND usage_version IS DISTINCT FROM 1;

-- +goose Down

DROP INDEX job_logs_unread;
CREATE INDEX job_logs_unread ON job_logs (job_id) WHERE state = 'archived' AND usage_version IS NULL;
CREATE OR REPLACE VIEW run_facts AS
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
CREATE OR REPLACE VIEW step_facts AS
SELECT s.job_id, s.number, s.name, s.conclusion, s.started_at, s.completed_at,
       CASE WHEN s.conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(s.started_at, s.completed_at) END AS duration_seconds,
       s.log_first_line, s.log_last_line, j.name AS job_name, r.owner || '/' || r.name AS repository, w.workflow_name, w.head_branch,
       (j.created_at AT TIME ZONE 'UTC')::date AS day
FROM steps s
JOIN jobs j ON j.id = s.job_id
JOIN repositories r ON r.id = j.repository_id
JOIN workflow_runs w ON w.id = j.run_id;
CREATE OR REPLACE VIEW action_uses AS
SELECT a.action, a.path, a.ref, a.resolved_sha, a.version, r.owner || '/' || r.name AS repository, w.workflow_name,
       count(DISTINCT a.job_id) AS jobs, min(j.created_at) AS first_used_at, max(j.created_at) AS last_used_at, bool_or(a.in_setup) AS in_setup
FROM job_actions a
JOIN jobs j ON j.id = a.job_id
JOIN workflow_runs w ON w.id = j.run_id
JOIN repositories r ON r.id = j.repository_id
GROUP BY a.action, a.path, a.ref, a.resolved_sha, a.version, r.owner, r.name, w.workflow_name;
DROP VIEW action_rest;
DROP TRIGGER note_changed_runs ON workflow_runs;
DROP TRIGGER note_deleted_jobs ON jobs;
DROP TRIGGER note_changed_jobs ON jobs;
DROP TRIGGER note_deleted_actions ON job_actions;
DROP TRIGGER note_changed_actions ON job_actions;
DROP TRIGGER note_new_actions ON job_actions;
DROP FUNCTION note_changed_runs;
DROP FUNCTION note_deleted_jobs;
DROP FUNCTION note_changed_jobs;
DROP FUNCTION note_changed_actions;
DROP FUNCTION note_new_actions;
DROP FUNCTION sum_actions;
DROP FUNCTION days_of;
DROP TABLE action_stale, action_unsummed, action_sums, action_callers;
