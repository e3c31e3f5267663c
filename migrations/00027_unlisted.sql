-- A list that GitHub never gives holds nothing for ever: of what fails or is refused, the
-- distinct days are counted on which it was, as of jobs, and after enough of them the list is
-- given up, with what was last heard.

-- The index is made while archiving goes on. Each statement may be repeated.
-- +goose NO TRANSACTION

-- +goose Up

ALTER TABLE run_attempts
    ADD COLUMN IF NOT EXISTS trying_since timestamptz,
    ADD COLUMN IF NOT EXISTS failed_days  integer,
    ADD COLUMN IF NOT EXISTS refused_days integer,
    ADD COLUMN IF NOT EXISTS failed_on    date,
    ADD COLUMN IF NOT EXISTS http_status  integer,
    ADD COLUMN IF NOT EXISTS reason       text,
    ADD COLUMN IF NOT EXISTS given_up_at  timestamptz;

COMMENT ON TABLE run_attempts IS 'Attempts of workflow runs whose jobs a sweep has listed, or asked for in vain. No foreign key to workflow_runs: an attempt may have no job.';
COMMENT ON COLUMN run_attempts.jobs IS 'Number of jobs that GitHub listed for the attempt; 0 too where it never gave the list.';
COMMENT ON COLUMN run_attempts.swept_at IS 'When the attempt was last listed, or its list last asked for in vain.';
COMMENT ON COLUMN run_attempts.trying_since IS 'Since when the list is asked for in vain, or was until it was given up; null: the last answer was one.';
COMMENT ON COLUMN run_attempts.failed_days IS 'Number of distinct days (UTC) on which GitHub failed, or answered with what is no list; null: none. On more than seven, the list is given up.';
COMMENT ON COLUMN run_attempts.refused_days IS 'Number of distinct days (UTC) on which GitHub refused or limited the request, or could not be reached; null: none. On more than JOBVAULT_DENIED_DEADLINE, the list is given up.';
COMMENT ON COLUMN run_attempts.failed_on IS 'The last day that is counted in failed_days or refused_days; null: none.';
COMMENT ON COLUMN run_attempts.http_status IS 'HTTP status of the last answer that was no list; null: the last one was, or there was none.';
COMMENT ON COLUMN run_attempts.reason IS 'What was last heard instead of a list; null: the last answer was one.';
COMMENT ON COLUMN run_attempts.given_up_at IS 'When the list was given up: it is not asked for again by itself, and which jobs the attempt had is not known but for those that webhooks told of; null: it was not.';

DROP INDEX CONCURRENTLY IF EXISTS run_attempts_given_up; -- one that was cut short is invalid
CREATE INDEX CONCURRENTLY run_attempts_given_up ON run_attempts (repository_id, run_created_at) WHERE given_up_at IS NOT NULL;

ALTER TABLE sweeps
    ADD COLUMN IF NOT EXISTS unlisted     tstzmultirange NOT NULL DEFAULT '{}',
    ADD COLUMN IF NOT EXISTS trying_since timestamptz,
    ADD COLUMN IF NOT EXISTS failed_days  integer,
    ADD COLUMN IF NOT EXISTS refused_days integer,
    ADD COLUMN IF NOT EXISTS failed_on    date,
    ADD COLUMN IF NOT EXISTS tried_at     timestamptz,
    ADD COLUMN IF NOT EXISTS given_up_at  timestamptz;

COMMENT ON COLUMN sweeps.error IS 'Why it failed, or why the listing of runs was given up; null: neither.';
COMMENT ON COLUMN sweeps.unlisted IS 'Ranges of time, by GitHub''s clock, whose listing of runs was given up: which runs were created then is not known. A range that is listed after all is not in it any more.';
COMMENT ON COLUMN sweeps.trying_since IS 'Since when the listing of runs is asked for in vain; null: the last one came to its end.';
COMMENT ON COLUMN sweeps.failed_days IS 'Number of distinct days (UTC) since then on which GitHub failed, or answered with what is no listing; null: none. On more than seven, it is given up.';
COMMENT ON COLUMN sweeps.refused_days IS 'Number of distinct days (UTC) since then on which GitHub refused or limited the request, or could not be reached; null: none. On more than JOBVAULT_DENIED_DEADLINE, it is given up.';
COMMENT ON COLUMN sweeps.failed_on IS 'The last day that is counted in failed_days or refused_days; null: none.';
COMMENT ON COLUMN sweeps.tried_at IS 'When the listing was last asked for in vain; null: as trying_since.';
COMMENT ON COLUMN sweeps.given_up_at IS 'Since when the listing of runs is given up: it is asked for still, and what it does not tell is in unlisted; null: it is not.';

CREATE OR REPLACE VIEW coverage AS
WITH days AS (
    SELECT repository_id, day,
        count(*) FILTER (WHERE state <> 'unlisted') AS jobs,
        count(*) FILTER (WHERE state = 'archived') AS archived,
        count(*) FILTER (WHERE state = 'none') AS none,
        count(*) FILTER (WHERE state = 'expired') AS expired,
        count(*) FILTER (WHERE state = 'missing') AS missing,
        count(*) FILTER (WHERE state = 'denied') AS denied,
        count(*) FILTER (WHERE state = 'removed') AS removed,
        count(*) FILTER (WHERE state = 'pending') AS pending,
        count(*) FILTER (WHERE state = 'unlisted') AS unlisted
    FROM (
        -- A job without a line in the ledger cannot be; if it is, it is not accounted for.
        SELECT j.repository_id, (j.created_at AT TIME ZONE 'UTC')::date AS day, coalesce(l.state, 'pending') AS state
        FROM jobs j LEFT JOIN job_logs l ON l.job_id = j.id
        UNION ALL
        -- Runs whose jobs nobody knows.
        SELECT a.repository_id, (min(a.run_created_at) AT TIME ZONE 'UTC')::date, 'unlisted'
        FROM run_attempts a
        WHERE a.given_up_at IS NOT NULL AND NOT a.complete
        GROUP BY a.repository_id, a.run_id
    ) AS known
    GROUP BY 1, 2
)
SELECT r.owner || '/' || r.name AS repository, d.day, d.jobs, d.archived, d.none, d.expired, d.missing, d.denied, d.removed, d.pending,
    d.denied = 0 AND d.pending = 0
    -- All runs of the day are listed, or given up; of the present day, those up to the last
    -- sweep. Of a repository that is gone, nothing more can be listed.
    AND (d.day IS NULL OR s.gone_at IS NOT NULL OR coalesce(CASE
        WHEN d.day < (now() AT TIME ZONE 'UTC')::date THEN s.swept + s.unlisted @> t.day
        WHEN upper(s.swept + s.unlisted) > lower(t.day)
        THEN s.swept + s.unlisted @> tstzrange(lower(t.day), upper(s.swept + s.unlisted)) END, false))
    AND (s.gone_at IS NOT NULL OR NOT t.going) AS complete,
    d.repository_id,
    CASE WHEN d.day IS NULL OR NOT (coalesce(s.unlisted && t.day, false) OR t.gone) THEN d.unlisted END AS unlisted,
    CASE WHEN t.gone THEN s.gone_at END AS gone_at
FROM days d
JOIN repositories r ON r.id = d.repository_id
LEFT JOIN sweeps s ON s.repository_id = d.repository_id,
LATERAL (
    SELECT tstzrange(d.day::timestamp AT TIME ZONE 'UTC', (d.day + 1)::timestamp AT TIME ZONE 'UTC') AS day, EXISTS (
        SELECT FROM run_attempts a
        WHERE a.repository_id = d.repository_id AND NOT a.complete AND a.given_up_at IS NULL AND (a.run_created_at AT TIME ZONE 'UTC')::date = d.day) AS going
    OFFSET 0
) i,
LATERAL (
    SELECT i.day, i.going, d.day IS NOT NULL AND s.gone_at IS NOT NULL AND (i.going OR NOT coalesce(s.swept @> i.day, false)) AS gone
) t;

COMMENT ON COLUMN coverage.jobs IS 'Known jobs: the sum of the columns from archived to pending. There may be more where unlisted is not 0.';
COMMENT ON COLUMN coverage.unlisted IS 'Number of runs of that day some of whose jobs GitHub never listed, so that they are not known; null: how many there were is not known, as the listing of runs was given up of part of the day, or the repository was gone (gone_at) before it was listed to its end.';
COMMENT ON COLUMN coverage.gone_at IS 'Since when GitHub has not shown the repository, where for that reason it cannot be known whether the day had more runs; null: it is not so.';
COMMENT ON COLUMN coverage.complete IS 'True if nothing is left to be done: every run created that day was listed, or given up, and every job known is settled; for the present day, as of the last sweep. Whether every run and job is known, unlisted says: only where that is 0. Where day is null, if every job is settled.';

-- +goose Down

-- A view cannot lose a column; it is made anew.
DROP VIEW IF EXISTS coverage;

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
    -- All runs of the day are listed; of the present day, and of a repository that is gone,
    -- those up to the last sweep.
    AND (d.day IS NULL OR coalesce(CASE WHEN s.gone_at IS NOT NULL
        THEN s.swept @> tstzrange(d.day::timestamp AT TIME ZONE 'UTC', greatest(d.day::timestamp AT TIME ZONE 'UTC',
            least((d.day + 1)::timestamp AT TIME ZONE 'UTC', coalesce(upper(s.swept), '-infinity'))))
        WHEN d.day < (now() AT TIME ZONE 'UTC')::date
        THEN s.swept @> tstzrange(d.day::timestamp AT TIME ZONE 'UTC', (d.day + 1)::timestamp AT TIME ZONE 'UTC')
        WHEN upper(s.swept) > d.day::timestamp AT TIME ZONE 'UTC'
        THEN s.swept @> tstzrange(d.day::timestamp AT TIME ZONE 'UTC', upper(s.swept)) END, false))
    AND (s.gone_at IS NOT NULL OR NOT EXISTS (
        SELECT FROM run_attempts a
        WHERE a.repository_id = d.repository_id AND NOT a.complete AND (a.run_created_at AT TIME ZONE 'UTC')::date = d.day
    )) AS complete,
    d.repository_id
FROM days d
JOIN repositories r ON r.id = d.repository_id
LEFT JOIN sweeps s ON s.repository_id = d.repository_id;

COMMENT ON VIEW coverage IS 'Number of jobs in each state of the ledger, for each repository and day (UTC, by the job''s creation).';
COMMENT ON COLUMN coverage.repository IS 'OWNER/NAME.';
COMMENT ON COLUMN coverage.day IS 'Day of creation, UTC; null where GitHub did not say.';
COMMENT ON COLUMN coverage.jobs IS 'Known jobs: the sum of the columns that follow.';
COMMENT ON COLUMN coverage.archived IS 'Jobs whose log is in the bucket.';
COMMENT ON COLUMN coverage.none IS 'Jobs that GitHub never had a log for.';
COMMENT ON COLUMN coverage.expired IS 'Jobs whose log GitHub has deleted before it was archived.';
COMMENT ON COLUMN coverage.missing IS 'Jobs whose log GitHub answered 404 for until the deadline.';
COMMENT ON COLUMN coverage.denied IS 'Jobs whose log GitHub refuses to give: a setting must change.';
COMMENT ON COLUMN coverage.removed IS 'Jobs whose log was archived and is removed.';
COMMENT ON COLUMN coverage.pending IS 'Jobs that are not settled yet.';
COMMENT ON COLUMN coverage.complete IS 'True if every run created that day was listed and every job is settled; for the present day, and for a repository that is gone, as of the last sweep. Where day is null, if every job is settled.';
COMMENT ON COLUMN coverage.repository_id IS 'GitHub''s id of the repository. Repositories that have had the same name are counted apart.';
-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'jobvault_reader') THEN
        GRANT SELECT ON coverage TO jobvault_reader;
    END IF;
END $$;
-- +goose StatementEnd

ALTER TABLE sweeps
    DROP COLUMN IF EXISTS unlisted, DROP COLUMN IF EXISTS trying_since, DROP COLUMN IF EXISTS failed_days, DROP COLUMN IF EXISTS refused_days,
    DROP COLUMN IF EXISTS failed_on, DROP COLUMN IF EXISTS tried_at, DROP COLUMN IF EXISTS given_up_at;
COMMENT ON COLUMN sweeps.error IS 'Why that sweep failed; null: as failed_at.';

DROP INDEX CONCURRENTLY IF EXISTS run_attempts_given_up;
ALTER TABLE run_attempts
    DROP COLUMN IF EXISTS trying_since, DROP COLUMN IF EXISTS failed_days, DROP COLUMN IF EXISTS refused_days, DROP COLUMN IF EXISTS failed_on,
    DROP COLUMN IF EXISTS http_status, DROP COLUMN IF EXISTS reason, DROP COLUMN IF EXISTS given_up_at;
COMMENT ON TABLE run_attempts IS 'Attempts of workflow runs whose jobs were listed by a sweep. No foreign key to workflow_runs: an attempt may have no job.';
COMMENT ON COLUMN run_attempts.jobs IS 'Number of jobs that GitHub listed for the attempt.';
COMMENT ON COLUMN run_attempts.swept_at IS 'When the attempt was last listed.';
