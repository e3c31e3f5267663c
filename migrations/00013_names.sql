-- One present name for each repository, by what GitHub says of time; and who of those
-- that have had one name has it.

-- +goose Up

ALTER TABLE repositories
    ADD COLUMN named_at        timestamptz NOT NULL DEFAULT 'epoch',
    ADD COLUMN named_by_api    boolean NOT NULL DEFAULT false,
    ADD COLUMN private_at      timestamptz,
    ADD COLUMN installation_at timestamptz;
ALTER TABLE repository_names
    ADD COLUMN named_at     timestamptz NOT NULL DEFAULT 'epoch',
    ADD COLUMN named_by_api boolean NOT NULL DEFAULT false;

-- When the old rows' names were told is not known: when they were last heard of, and
-- when another name was first heard, are the nearest that is. Both may be too late, and
-- never by so much that the name of a repository which is still heard of is lost: the
-- next word of GitHub's is later.
UPDATE repositories SET named_at = seen_at,
    private_at = CASE WHEN private IS NOT NULL THEN seen_at END, installation_at = CASE WHEN installation_id IS NOT NULL THEN seen_at END;
UPDATE repository_names SET named_at = until;
-- A name that the repository has again is none of before.
DELETE FROM repository_names n USING repositories r WHERE r.id = n.repository_id AND (r.owner, r.name) = (n.owner, n.name);

COMMENT ON TABLE repositories IS 'Repositories jobvault has heard of, each under its present name: the one that GitHub told last, by its own account of time, in whatever order it came. Of several with one name, one has it: name_holders.';
COMMENT ON COLUMN repositories.private IS 'Whether GitHub called it private when it last said; null: it did not say.';
COMMENT ON COLUMN repositories.named_at IS 'Of when the latest word is that told owner and name: of a webhook, the latest time that its payload tells; of the REST API, when it was asked. The epoch: the word told of no time.';
COMMENT ON COLUMN repositories.named_by_api IS 'Whether that word was the REST API''s, which counts for more than a webhook''s of the same time.';
COMMENT ON COLUMN repositories.private_at IS 'Of when the latest word is that told whether it is private; null: none did.';
COMMENT ON COLUMN repositories.installation_at IS 'Of when the latest word is that told the installation; null: none did.';
COMMENT ON TABLE repository_names IS 'Other names that GitHub has told of repositories, than the present one in repositories. They are for finding, and give no rights.';
COMMENT ON COLUMN repository_names.until IS 'When jobvault first knew it under another name. Nothing goes by this.';
COMMENT ON COLUMN repository_names.named_at IS 'Of when the latest word is that told this name; as in repositories.';
COMMENT ON COLUMN repository_names.named_by_api IS 'As in repositories.';

DROP INDEX repository_names_by_name;
CREATE INDEX repository_names_by_name ON repository_names (lower(owner), lower(name), named_at DESC);

-- Each name of a repository is kept with the latest word that told it, in one of the two
-- tables: what they say does not depend on the order in which the words came.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION keep_repository_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO repository_names AS n (owner, name, repository_id, until, named_at, named_by_api)
    VALUES (OLD.owner, OLD.name, OLD.id, now(), OLD.named_at, OLD.named_by_api)
    ON CONFLICT (repository_id, owner, name) DO UPDATE SET (until, named_at, named_by_api) = (excluded.until, excluded.named_at, excluded.named_by_api)
    WHERE (excluded.named_at, excluded.named_by_api) >= (n.named_at, n.named_by_api);
    DELETE FROM repository_names WHERE (repository_id, owner, name) = (NEW.id, NEW.owner, NEW.name);
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- Whether a repository has its name is looked up and not noted: it depends on words of
-- other repositories, which come in any order and at the same time.
CREATE VIEW name_holders AS
SELECT r.owner, r.name, r.id AS repository_id
FROM repositories r
WHERE NOT EXISTS (
    SELECT FROM repositories o
    WHERE lower(o.owner) = lower(r.owner) AND lower(o.name) = lower(r.name) AND o.id <> r.id
      AND (o.named_at, o.named_by_api, o.id) > (r.named_at, r.named_by_api, r.id))
AND NOT EXISTS (
    SELECT FROM repository_names o
    WHERE lower(o.owner) = lower(r.owner) AND lower(o.name) = lower(r.name) AND o.repository_id <> r.id
      AND (o.named_at, o.named_by_api, o.repository_id) > (r.named_at, r.named_by_api, r.id));

COMMENT ON VIEW name_holders IS 'Which repository has a name, for rights and rules: GitHub has told since of no other one under it. If that one has another name by now, nobody has this, until GitHub says so anew. Of two words of one time the REST API''s counts, then that of the repository with the greater id, which is the newer.';
COMMENT ON COLUMN name_holders.owner IS 'Login of the owner, as GitHub spells it; compare with lower().';
COMMENT ON COLUMN name_holders.name IS 'Name without the owner, as GitHub spells it; compare with lower().';
COMMENT ON COLUMN name_holders.repository_id IS 'The repository.';

-- +goose StatementBegin
CREATE FUNCTION has_name(r repositories) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT EXISTS (SELECT FROM name_holders h WHERE h.repository_id = r.id) $$;
-- +goose StatementEnd
COMMENT ON FUNCTION has_name IS 'Whether a repository has its present name: it is in name_holders, which is faster to ask for many.';

CREATE TABLE retention_plans (
    repository_id bigint PRIMARY KEY REFERENCES repositories (id),
    owner         text NOT NULL,
    name          text NOT NULL,
    has_name      boolean NOT NULL,
    planned_at    timestamptz NOT NULL
);
COMMENT ON TABLE retention_plans IS 'Under which names the last retention plan knew repositories. retention apply leaves the logs of one that is called otherwise since.';
COMMENT ON COLUMN retention_plans.repository_id IS 'The repository.';
COMMENT ON COLUMN retention_plans.owner IS 'Its owner then.';
COMMENT ON COLUMN retention_plans.name IS 'Its name then.';
COMMENT ON COLUMN retention_plans.has_name IS 'Whether it had the name, as name_holders says.';
COMMENT ON COLUMN retention_plans.planned_at IS 'When.';
COMMENT ON COLUMN read_tokens.repositories IS 'What it may read: OWNER/NAME or OWNER/*, compared with the names that repositories have (name_holders), without regard to case.';

-- Repositories that have had one name are not added up.

CREATE OR REPLACE VIEW coverage AS
WITH days AS (
    SELECT j.repository_id, (j.created_at AT TIME ZONE 'UTC')::date AS day,
        count(*) AS jobs,
        count(*) FILTER (WHERE l.state = 'archived') AS archived,
        count(*) FILTER (WHERE l.state = 'none') AS none,
        count(*) FILTER (WHERE l.state = 'expired') AS expired,
        count(*) FILTER (WHERE l.state = 'missing') AS missing,
        count(*) FILTER (WHERE l.state = 'denied') AS denied,
        count(*) FILTER (WHERE l.state = 'removed') AS removed,
        -- A job without a line in the ledger cannot be; if it is, it is not accounted for.
        count(*) FILTER (WHERE l.state = 'pending' OR l.state IS NULL) AS pending
    FROM jobs j LEFT JOIN job_logs l ON l.job_id = j.id
    GROUP BY 1, 2
)
SELECT r.owner || '/' || r.name AS repository, d.day, d.jobs, d.archived, d.none, d.expired, d.missing, d.denied, d.removed, d.pending,
    d.denied = 0 AND d.pending = 0
    -- All runs of the day are listed; of the present day, those up to the last sweep.
    AND (d.day IS NULL OR coalesce(CASE WHEN d.day < (now() AT TIME ZONE 'UTC')::date
        THEN s.swept @> tstzrange(d.day::timestamp AT TIME ZONE 'UTC', (d.day + 1)::timestamp AT TIME ZONE 'UTC')
        WHEN upper(s.swept) > d.day::timestamp AT TIME ZONE 'UTC'
        THEN s.swept @> tstzrange(d.day::timestamp AT TIME ZONE 'UTC', upper(s.swept)) END, false))
    AND NOT EXISTS (
        SELECT FROM run_attempts a
        WHERE a.repository_id = d.repository_id AND NOT a.complete AND (a.run_created_at AT TIME ZONE 'UTC')::date = d.day
    ) AS complete,
    d.repository_id
FROM days d
JOIN repositories r ON r.id = d.repository_id
LEFT JOIN sweeps s ON s.repository_id = d.repository_id;
COMMENT ON COLUMN coverage.repository_id IS 'GitHub''s id of the repository: two that have had one name are not added up.';

CREATE OR REPLACE VIEW action_uses AS
SELECT u.action, u.path, u.ref, u.resolved_sha, u.version, r.owner || '/' || r.name AS repository, u.workflow_name,
       sum(u.jobs)::bigint AS jobs, min(u.first_used_at) AS first_used_at, max(u.last_used_at) AS last_used_at, bool_or(u.in_setup) AS in_setup, r.id AS repository_id
FROM (SELECT c.action, c.path, c.ref, c.resolved_sha, c.version, c.repository_id, c.workflow_name, s.jobs, s.first_used_at, s.last_used_at, s.in_setup
      FROM (SELECT caller_id, sum(jobs) AS jobs, min(first_used_at) AS first_used_at, max(last_used_at) AS last_used_at, bool_or(in_setup) AS in_setup
            FROM action_sums s
            WHERE days = 56 AND NOT EXISTS (SELECT FROM action_stale x WHERE x.repository_id = s.repository_id AND x.at = s.at)
            GROUP BY caller_id) s
      JOIN action_callers c ON c.id = s.caller_id
      UNION ALL
      SELECT action, path, ref, resolved_sha, version, repository_id, workflow_name, 1, created_at, created_at, in_setup FROM action_rest) u
JOIN repositories r ON r.id = u.repository_id
GROUP BY r.id, u.workflow_name, u.resolved_sha, u.action, u.ref, u.path, u.version;
COMMENT ON COLUMN action_uses.repository_id IS 'GitHub''s id of the repository: two that have had one name are not added up.';

CREATE OR REPLACE VIEW workflow_daily AS
SELECT (j.created_at AT TIME ZONE 'UTC')::date AS day, r.owner || '/' || r.name AS repository, w.workflow_name, count(DISTINCT j.run_id) AS runs, count(*) AS jobs,
       count(*) FILTER (WHERE j.conclusion = 'success') AS succeeded, count(*) FILTER (WHERE j.conclusion IN ('failure', 'timed_out')) AS failed,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY CASE WHEN j.conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(j.started_at, j.completed_at) END) AS duration_seconds_p50,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY CASE WHEN j.conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(j.started_at, j.completed_at) END) AS duration_seconds_p95,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY CASE WHEN j.runner_id IS NOT NULL THEN seconds_between(j.created_at, j.started_at) END) AS queue_seconds_p95,
       sum(CASE WHEN j.conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(j.started_at, j.completed_at) END) AS job_seconds, r.id AS repository_id
FROM jobs j JOIN repositories r ON r.id = j.repository_id JOIN workflow_runs w ON w.id = j.run_id
GROUP BY 1, r.id, 3;
COMMENT ON COLUMN workflow_daily.repository_id IS 'GitHub''s id of the repository: two that have had one name are not added up.';

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
COMMENT ON COLUMN flaky_jobs.repository_id IS 'GitHub''s id of the repository: two that have had one name are not added up.';

CREATE OR REPLACE VIEW failure_signatures AS
SELECT (j.created_at AT TIME ZONE 'UTC')::date AS day, r.owner || '/' || r.name AS repository,
       regexp_replace(regexp_replace(a.message, '\m(0x)?[0-9a-fA-F]{7,}\M', '#', 'g'), '[0-9]+', '#', 'g') AS signature,
       count(*) AS times, count(DISTINCT a.job_id) AS jobs, max(a.job_id) AS last_job_id, (array_agg(a.message ORDER BY a.job_id DESC))[1] AS example, r.id AS repository_id
FROM job_annotations a JOIN jobs j ON j.id = a.job_id JOIN repositories r ON r.id = j.repository_id
WHERE a.level = 'error'
GROUP BY 1, r.id, 3;
COMMENT ON COLUMN failure_signatures.repository_id IS 'GitHub''s id of the repository: two that have had one name are not added up.';

-- +goose Down

-- A view cannot lose a column; it is made anew.
DROP VIEW coverage, action_uses, workflow_daily, flaky_jobs, failure_signatures;

CREATE VIEW coverage AS
WITH days AS (
    SELECT j.repository_id, (j.created_at AT TIME ZONE 'UTC')::date AS day,
        count(*) AS jobs,
        count(*) FILTER (WHERE l.state = 'archived') AS archived,
        count(*) FILTER (WHERE l.state = 'none') AS none,
        count(*) FILTER (WHERE l.state = 'expired') AS expired,
        count(*) FILTER (WHERE l.state = 'missing') AS missing,
        count(*) FILTER (WHERE l.state = 'denied') AS denied,
        count(*) FILTER (WHERE l.state = 'removed') AS removed,
        -- A job without a line in the ledger cannot be; if it is, it is not accounted for.
        count(*) FILTER (WHERE l.state = 'pending' OR l.state IS NULL) AS pending
    FROM jobs j LEFT JOIN job_logs l ON l.job_id = j.id
    GROUP BY 1, 2
)
SELECT r.owner || '/' || r.name AS repository, d.day, d.jobs, d.archived, d.none, d.expired, d.missing, d.denied, d.removed, d.pending,
    d.denied = 0 AND d.pending = 0
    -- All runs of the day are listed; of the present day, those up to the last sweep.
    AND (d.day IS NULL OR coalesce(CASE WHEN d.day < (now() AT TIME ZONE 'UTC')::date
        THEN s.swept @> tstzrange(d.day::timestamp AT TIME ZONE 'UTC', (d.day + 1)::timestamp AT TIME ZONE 'UTC')
        WHEN upper(s.swept) > d.day::timestamp AT TIME ZONE 'UTC'
        THEN s.swept @> tstzrange(d.day::timestamp AT TIME ZONE 'UTC', upper(s.swept)) END, false))
    AND NOT EXISTS (
        SELECT FROM run_attempts a
        WHERE a.repository_id = d.repository_id AND NOT a.complete AND (a.run_created_at AT TIME ZONE 'UTC')::date = d.day
    ) AS complete
FROM days d
JOIN repositories r ON r.id = d.repository_id
LEFT JOIN sweeps s ON s.repository_id = d.repository_id;
COMMENT ON VIEW coverage IS 'For each repository and day (UTC, by the job''s creation): how many jobs, and in which state each is.';
COMMENT ON COLUMN coverage.repository IS 'OWNER/NAME.';
COMMENT ON COLUMN coverage.day IS 'Day of creation, UTC; null where GitHub did not say.';
COMMENT ON COLUMN coverage.jobs IS 'Jobs known; the sum of the columns that follow.';
COMMENT ON COLUMN coverage.archived IS 'Log in the bucket.';
COMMENT ON COLUMN coverage.none IS 'GitHub never had a log.';
COMMENT ON COLUMN coverage.expired IS 'GitHub has forgotten the log.';
COMMENT ON COLUMN coverage.missing IS 'GitHub never found the log.';
COMMENT ON COLUMN coverage.denied IS 'GitHub refuses us; settings must change.';
COMMENT ON COLUMN coverage.removed IS 'Was archived, then removed.';
COMMENT ON COLUMN coverage.pending IS 'Not settled yet.';
COMMENT ON COLUMN coverage.complete IS 'True if every run created that day was listed and every job is settled; for the present day, as of the last sweep. Where day is null, if every job is settled.';

CREATE VIEW action_uses AS
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
COMMENT ON VIEW action_uses IS 'Which repositories and workflows used an action, under which ref, and at which commit. Filter by lower(action).';
COMMENT ON COLUMN action_uses.action IS 'OWNER/REPO.';
COMMENT ON COLUMN action_uses.path IS 'Path within the repository; null: its top.';
COMMENT ON COLUMN action_uses.ref IS 'What it was asked for as.';
COMMENT ON COLUMN action_uses.resolved_sha IS 'The commit that was run.';
COMMENT ON COLUMN action_uses.version IS 'Of an immutable action''s package: its version.';
COMMENT ON COLUMN action_uses.repository IS 'OWNER/NAME of the repository whose jobs used it.';
COMMENT ON COLUMN action_uses.workflow_name IS 'Their workflow.';
COMMENT ON COLUMN action_uses.jobs IS 'How many jobs.';
COMMENT ON COLUMN action_uses.first_used_at IS 'When the first of them was created.';
COMMENT ON COLUMN action_uses.last_used_at IS 'When the last of them was.';
COMMENT ON COLUMN action_uses.in_setup IS 'Whether at least one of them said so before its first step, where no step can have forged it.';

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

-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'jobvault_reader') THEN
        GRANT SELECT ON coverage, action_uses, workflow_daily, flaky_jobs, failure_signatures TO jobvault_reader;
    END IF;
END $$;
-- +goose StatementEnd

COMMENT ON COLUMN read_tokens.repositories IS 'What it may read: OWNER/NAME or OWNER/*, compared with a repository''s present name without regard to case.';
DROP TABLE retention_plans;
DROP FUNCTION has_name;
DROP VIEW name_holders;
DROP INDEX repository_names_by_name;
CREATE INDEX repository_names_by_name ON repository_names (lower(owner), lower(name), until DESC);
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION keep_repository_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO repository_names (owner, name, repository_id, until) VALUES (OLD.owner, OLD.name, OLD.id, now())
    ON CONFLICT (repository_id, owner, name) DO UPDATE SET until = excluded.until;
    RETURN NULL;
END $$;
-- +goose StatementEnd
ALTER TABLE repository_names DROP COLUMN named_at, DROP COLUMN named_by_api;
ALTER TABLE repositories DROP COLUMN named_at, DROP COLUMN named_by_api, DROP COLUMN private_at, DROP COLUMN installation_at;
COMMENT ON TABLE repositories IS 'Repositories jobvault has heard of, under their latest known name.';
COMMENT ON COLUMN repositories.private IS 'Whether GitHub called it private when last heard of; null: it did not say.';
COMMENT ON TABLE repository_names IS 'Names that repositories had before the one in repositories.';
COMMENT ON COLUMN repository_names.until IS 'When it was first seen under another name.';
