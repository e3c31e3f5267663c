-- Of a repository that GitHub does not show any more nobody can tell whether it had more jobs
-- than are known: its days are not complete where that is so, and the view says why.

-- +goose Up

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
SELECT c.repository, c.day, c.jobs, c.archived, c.none, c.expired, c.missing, c.denied, c.removed, c.pending, c.complete, c.repository_id,
    CASE WHEN NOT c.complete AND c.denied = 0 AND c.pending = 0 THEN c.gone_at END AS gone_at
FROM (
    SELECT r.owner || '/' || r.name AS repository, d.*, s.gone_at,
        d.denied = 0 AND d.pending = 0
        -- All runs of the day are listed; of the present day, those up to the last sweep.
        AND (d.day IS NULL OR coalesce(CASE WHEN d.day < (now() AT TIME ZONE 'UTC')::date OR s.gone_at IS NOT NULL
            THEN s.swept @> tstzrange(d.day::timestamp AT TIME ZONE 'UTC', (d.day + 1)::timestamp AT TIME ZONE 'UTC')
            WHEN upper(s.swept) > d.day::timestamp AT TIME ZONE 'UTC'
            THEN s.swept @> tstzrange(d.day::timestamp AT TIME ZONE 'UTC', upper(s.swept)) END, false))
        AND NOT EXISTS (
            SELECT FROM run_attempts a
            WHERE a.repository_id = d.repository_id AND NOT a.complete AND (a.run_created_at AT TIME ZONE 'UTC')::date = d.day
        ) AS complete
    FROM days d
    JOIN repositories r ON r.id = d.repository_id
    LEFT JOIN sweeps s ON s.repository_id = d.repository_id
) c;

COMMENT ON COLUMN coverage.complete IS 'True if every run created that day was listed and every job is settled; for the present day, as of the last sweep. Where day is null, if every job is settled. False for good where gone_at is set.';
COMMENT ON COLUMN coverage.gone_at IS 'Since when GitHub has not shown the repository, where that alone keeps the day from being complete: every known job is settled, and whether there were more cannot be known; null: it is not so.';

-- +goose Down

DROP VIEW coverage;
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
