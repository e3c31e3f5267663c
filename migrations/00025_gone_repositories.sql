-- A repository that GitHub does not know any more, or does not show, fails nothing once its
-- jobs are settled. And where a server does not say what a workflow is called, its file does.

-- Each statement may be repeated: names are made batch by batch.
-- +goose NO TRANSACTION

-- +goose Up

ALTER TABLE sweeps ADD COLUMN IF NOT EXISTS gone_at timestamptz;
COMMENT ON COLUMN sweeps.gone_at IS 'Since when GitHub knows no such repository, or does not show it to us, and all its jobs are settled: what ran there after the last sweep cannot be known; null: it is not so.';

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

COMMENT ON COLUMN coverage.complete IS 'True if every run created that day was listed and every job is settled; for the present day, and for a repository that is gone, as of the last sweep. Where day is null, if every job is settled.';

COMMENT ON COLUMN workflow_runs.workflow_name IS 'Name of the workflow; where the server does not say (Gitea), that of its file, once a listing told it; null: not known.';

-- Runs of Gitea alone: GitHub numbers its workflows.
-- +goose StatementBegin
DO $$
DECLARE
    batch bigint[];
    last  bigint := 0;
BEGIN
    LOOP
        SELECT array_agg(id), max(id) INTO batch, last FROM (
            SELECT id FROM workflow_runs
            WHERE id > last AND workflow_name IS NULL AND workflow_id IS NULL AND path IS NOT NULL
            ORDER BY id LIMIT 1000) b;
        EXIT WHEN batch IS NULL;
        UPDATE workflow_runs SET workflow_name = nullif(regexp_replace(split_part(path, '@refs/', 1), '^.*/', ''), '') WHERE id = ANY(batch);
        COMMIT;
    END LOOP;
END $$;
-- +goose StatementEnd

-- +goose Down

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

COMMENT ON COLUMN coverage.complete IS 'True if every run created that day was listed and every job is settled; for the present day, as of the last sweep. Where day is null, if every job is settled.';
COMMENT ON COLUMN workflow_runs.workflow_name IS 'Name of the workflow; null: the server did not say (Gitea).';
ALTER TABLE sweeps DROP COLUMN IF EXISTS gone_at;
