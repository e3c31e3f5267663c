-- What makes every job accounted for: which runs were looked at, and the limits
-- that all who ask GitHub share.

-- +goose Up

CREATE TABLE sweeps (
    repository_id bigint PRIMARY KEY REFERENCES repositories (id),
    swept         tstzmultirange NOT NULL DEFAULT '{}',
    watermark     timestamptz,
    deep_at       timestamptz,
    listed_from   timestamptz,
    etag          text,
    listed_runs   integer,
    succeeded_at  timestamptz,
    failed_at     timestamptz,
    error         text
);

COMMENT ON TABLE sweeps IS 'How far each repository''s workflow runs were listed, and their jobs written.';
COMMENT ON COLUMN sweeps.repository_id IS 'The repository.';
COMMENT ON COLUMN sweeps.swept IS 'Times, by GitHub''s clock: every run created within was listed and its jobs are in jobs and job_logs.';
COMMENT ON COLUMN sweeps.watermark IS 'Where the next sweep goes on, by GitHub''s clock; backfills do not move it.';
COMMENT ON COLUMN sweeps.deep_at IS 'When all runs that may still be re-run were last listed.';
COMMENT ON COLUMN sweeps.listed_from IS 'Where the listing that etag is of begins; null: its answer had more than one page.';
COMMENT ON COLUMN sweeps.etag IS 'ETag of that listing: while it is unchanged, asking again costs nothing.';
COMMENT ON COLUMN sweeps.listed_runs IS 'How many runs it had. Of an empty one, being unchanged does not say whose it is.';
COMMENT ON COLUMN sweeps.succeeded_at IS 'When a sweep last came to its end.';
COMMENT ON COLUMN sweeps.failed_at IS 'When a sweep last failed; null once one has succeeded since.';
COMMENT ON COLUMN sweeps.error IS 'Why it failed.';

CREATE TABLE run_attempts (
    run_id         bigint NOT NULL,
    run_attempt    bigint NOT NULL,
    repository_id  bigint NOT NULL REFERENCES repositories (id),
    run_created_at timestamptz NOT NULL,
    jobs           integer NOT NULL,
    complete       boolean NOT NULL,
    swept_at       timestamptz NOT NULL,
    gone_at        timestamptz,
    PRIMARY KEY (run_id, run_attempt)
);
CREATE INDEX run_attempts_by_time ON run_attempts (repository_id, run_created_at);
CREATE INDEX run_attempts_open ON run_attempts (repository_id, swept_at) WHERE NOT complete;

COMMENT ON TABLE run_attempts IS 'Attempts of workflow runs whose jobs were listed. No foreign key to workflow_runs: an attempt may have no job.';
COMMENT ON COLUMN run_attempts.run_id IS 'The workflow run.';
COMMENT ON COLUMN run_attempts.run_attempt IS 'The attempt, from 1.';
COMMENT ON COLUMN run_attempts.repository_id IS 'The repository.';
COMMENT ON COLUMN run_attempts.run_created_at IS 'When the run''s first attempt was created.';
COMMENT ON COLUMN run_attempts.jobs IS 'How many jobs GitHub listed for the attempt.';
COMMENT ON COLUMN run_attempts.complete IS 'Whether the attempt had ended, and its jobs with it: then it is not listed again.';
COMMENT ON COLUMN run_attempts.swept_at IS 'When it was last listed.';
COMMENT ON COLUMN run_attempts.gone_at IS 'Since when GitHub has known no such run; null while it does.';

CREATE TABLE hooks (
    name         text PRIMARY KEY,
    resolved_to  timestamptz NOT NULL,
    succeeded_at timestamptz
);

COMMENT ON TABLE hooks IS 'Webhooks whose failed deliveries are asked for again.';
COMMENT ON COLUMN hooks.name IS 'app, ORG/HOOK_ID or OWNER/REPO/HOOK_ID, as in the setting.';
COMMENT ON COLUMN hooks.resolved_to IS 'Every delivery before this time was received, is in lost_deliveries, or is out of GitHub''s memory.';
COMMENT ON COLUMN hooks.succeeded_at IS 'When its deliveries were last looked through to the end.';

CREATE TABLE lost_deliveries (
    hook         text NOT NULL REFERENCES hooks (name),
    guid         uuid NOT NULL,
    delivery_id  bigint NOT NULL,
    delivered_at timestamptz NOT NULL,
    asked        integer NOT NULL DEFAULT 0,
    asked_at     timestamptz,
    PRIMARY KEY (hook, guid)
);

COMMENT ON TABLE lost_deliveries IS 'Deliveries that failed and have not arrived since, for as long as GitHub can send them again.';
COMMENT ON COLUMN lost_deliveries.hook IS 'The webhook, as in hooks.';
COMMENT ON COLUMN lost_deliveries.guid IS 'As in the header X-GitHub-Delivery; the same for all attempts.';
COMMENT ON COLUMN lost_deliveries.delivery_id IS 'An attempt of it, by which GitHub is asked to send it again.';
COMMENT ON COLUMN lost_deliveries.delivered_at IS 'When that attempt was made, by GitHub''s clock.';
COMMENT ON COLUMN lost_deliveries.asked IS 'How often GitHub was asked to send it again.';
COMMENT ON COLUMN lost_deliveries.asked_at IS 'When last.';

-- Worth nothing after a crash, and written with every request: not logged.
CREATE UNLOGGED TABLE rate_limits (
    installation_id bigint PRIMARY KEY,
    request_limit   integer NOT NULL,
    remaining       integer NOT NULL,
    reset_at        timestamptz NOT NULL,
    guessed         boolean NOT NULL,
    closed_until    timestamptz NOT NULL,
    spent           bigint NOT NULL,
    answered        bigint NOT NULL,
    minute_at       timestamptz NOT NULL,
    minute_points   integer NOT NULL,
    version         bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

COMMENT ON TABLE rate_limits IS 'GitHub''s limits as all replicas know them.';
COMMENT ON COLUMN rate_limits.installation_id IS 'The App''s installation; 0: the token, or the App itself.';
COMMENT ON COLUMN rate_limits.request_limit IS 'Requests an hour; 0: the server tells of no limit.';
COMMENT ON COLUMN rate_limits.remaining IS 'Requests left until reset_at.';
COMMENT ON COLUMN rate_limits.reset_at IS 'When remaining is request_limit again.';
COMMENT ON COLUMN rate_limits.guessed IS 'Whether reset_at is an hour after the first request, and not yet GitHub''s word.';
COMMENT ON COLUMN rate_limits.closed_until IS 'No request before: GitHub asked for a pause.';
COMMENT ON COLUMN rate_limits.spent IS 'Requests ever made.';
COMMENT ON COLUMN rate_limits.answered IS 'Of those, how many have come to their end.';
COMMENT ON COLUMN rate_limits.minute_at IS 'Begin of the present minute of the secondary limit.';
COMMENT ON COLUMN rate_limits.minute_points IS 'Points spent in that minute.';
COMMENT ON COLUMN rate_limits.version IS 'Counts the changes, so that none is lost.';

ALTER TABLE job_logs ADD COLUMN stored_sha256 bytea;
COMMENT ON COLUMN job_logs.stored_sha256 IS 'SHA-256 of the object as it is stored; null for logs of before there was this column.';

CREATE INDEX jobs_uncompleted ON jobs (id) WHERE status <> 'completed';

COMMENT ON COLUMN repositories.seen_at IS 'When jobvault last heard of it, from a delivery or a listing.';

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

-- +goose Down

DROP VIEW coverage;
DROP INDEX jobs_uncompleted;
ALTER TABLE job_logs DROP COLUMN stored_sha256;
DROP TABLE rate_limits, lost_deliveries, hooks, run_attempts, sweeps;
COMMENT ON COLUMN repositories.seen_at IS 'When jobvault last received a delivery of it.';
