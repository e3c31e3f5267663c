-- The tables that users' SQL depends on. Names and meanings are a contract:
-- a change here is a new migration, never an edit.

-- +goose Up

CREATE TABLE repositories (
    id              bigint PRIMARY KEY,
    owner           text NOT NULL,
    name            text NOT NULL,
    private         boolean,
    installation_id bigint,
    seen_at         timestamptz NOT NULL
);
CREATE INDEX repositories_by_name ON repositories (lower(owner), lower(name));

COMMENT ON TABLE repositories IS 'Repositories jobvault has heard of, under their latest known name.';
COMMENT ON COLUMN repositories.id IS 'GitHub''s id of the repository; survives renames and transfers.';
COMMENT ON COLUMN repositories.owner IS 'Login of the owner, as GitHub spells it; compare with lower().';
COMMENT ON COLUMN repositories.name IS 'Name without the owner, as GitHub spells it; compare with lower().';
COMMENT ON COLUMN repositories.private IS 'Whether GitHub called it private when last heard of; null: it did not say.';
COMMENT ON COLUMN repositories.installation_id IS 'GitHub App installation whose webhook told of it; null without an App.';
COMMENT ON COLUMN repositories.seen_at IS 'When jobvault last received a delivery of it.';

CREATE TABLE workflow_runs (
    id            bigint PRIMARY KEY,
    repository_id bigint NOT NULL REFERENCES repositories (id),
    workflow_name text,
    head_branch   text,
    head_sha      text
);
CREATE INDEX workflow_runs_by_repository ON workflow_runs (repository_id, id DESC);
-- For a whole commit and for its beginning, in any collation.
CREATE INDEX workflow_runs_by_head_sha ON workflow_runs (head_sha text_pattern_ops);

COMMENT ON TABLE workflow_runs IS 'Workflow runs, as far as their jobs tell of them. All attempts of a run share one row.';
COMMENT ON COLUMN workflow_runs.id IS 'GitHub''s id of the run.';
COMMENT ON COLUMN workflow_runs.repository_id IS 'The repository that the run belongs to.';
COMMENT ON COLUMN workflow_runs.workflow_name IS 'Name of the workflow; null where the server does not say (Gitea).';
COMMENT ON COLUMN workflow_runs.head_branch IS 'Branch or tag that the run was started for; null for a detached one.';
COMMENT ON COLUMN workflow_runs.head_sha IS 'Commit that the run was started for, 40 hex digits.';

CREATE TABLE jobs (
    id                bigint PRIMARY KEY,
    run_id            bigint NOT NULL REFERENCES workflow_runs (id),
    run_attempt       bigint,
    repository_id     bigint NOT NULL REFERENCES repositories (id),
    name              text NOT NULL,
    status            text NOT NULL,
    conclusion        text,
    node_id           text,
    html_url          text,
    check_run_url     text,
    created_at        timestamptz,
    started_at        timestamptz,
    completed_at      timestamptz,
    runner_id         bigint,
    runner_name       text,
    runner_group_id   bigint,
    runner_group_name text,
    fetched_at        timestamptz
);
CREATE INDEX jobs_by_repository_and_time ON jobs (repository_id, created_at DESC NULLS LAST, id DESC);
CREATE INDEX jobs_by_time ON jobs (created_at DESC NULLS LAST, id DESC);
CREATE INDEX jobs_by_run ON jobs (run_id, run_attempt);
CREATE INDEX jobs_by_conclusion ON jobs (conclusion, created_at DESC NULLS LAST, id DESC);
CREATE INDEX jobs_by_runner ON jobs (runner_name, created_at DESC NULLS LAST, id DESC) WHERE runner_name IS NOT NULL;

COMMENT ON TABLE jobs IS 'One row for each job of each run attempt. A row never goes backwards and a value is never replaced by null.';
COMMENT ON COLUMN jobs.id IS 'GitHub''s id of the job. A re-run has a new id.';
COMMENT ON COLUMN jobs.run_id IS 'The workflow run that the job belongs to.';
COMMENT ON COLUMN jobs.run_attempt IS 'Attempt of the run, from 1; null where GitHub did not say (answers of 2021).';
COMMENT ON COLUMN jobs.repository_id IS 'The repository that the job ran for.';
COMMENT ON COLUMN jobs.name IS 'Display name; not unique within a run, may hold anything.';
COMMENT ON COLUMN jobs.status IS 'queued, waiting, pending, requested, in_progress, completed, or what GitHub adds next.';
COMMENT ON COLUMN jobs.conclusion IS 'success, failure, cancelled, skipped, timed_out, neutral, action_required, or what GitHub adds next; null until completed.';
COMMENT ON COLUMN jobs.node_id IS 'GitHub''s GraphQL id.';
COMMENT ON COLUMN jobs.html_url IS 'The job''s page on GitHub.';
COMMENT ON COLUMN jobs.check_run_url IS 'API address of the check run behind the job.';
COMMENT ON COLUMN jobs.created_at IS 'When GitHub created the job; null where it did not say.';
COMMENT ON COLUMN jobs.started_at IS 'When it started, by GitHub''s account; equals created_at while it is queued.';
COMMENT ON COLUMN jobs.completed_at IS 'When it completed; null until then.';
COMMENT ON COLUMN jobs.runner_id IS 'Runner that took the job; null before one did.';
COMMENT ON COLUMN jobs.runner_name IS 'Name of that runner.';
COMMENT ON COLUMN jobs.runner_group_id IS 'Group of that runner.';
COMMENT ON COLUMN jobs.runner_group_name IS 'Name of that group.';
COMMENT ON COLUMN jobs.fetched_at IS 'When the completed job was fetched from the REST API; null while all that is known comes from webhooks.';

CREATE TABLE steps (
    job_id         bigint NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    number         bigint NOT NULL,
    name           text NOT NULL,
    status         text NOT NULL,
    conclusion     text,
    started_at     timestamptz,
    completed_at   timestamptz,
    log_first_line bigint,
    log_last_line  bigint,
    PRIMARY KEY (job_id, number)
);

COMMENT ON TABLE steps IS 'Steps of each job, as GitHub last listed them.';
COMMENT ON COLUMN steps.job_id IS 'The job that the step belongs to.';
COMMENT ON COLUMN steps.number IS 'GitHub''s number of the step; has gaps, starts at 1 (Gitea: 0).';
COMMENT ON COLUMN steps.name IS 'Display name.';
COMMENT ON COLUMN steps.status IS 'queued, pending, in_progress, completed, or what GitHub adds next.';
COMMENT ON COLUMN steps.conclusion IS 'success, failure, cancelled, skipped, or what GitHub adds next; null until completed.';
COMMENT ON COLUMN steps.started_at IS 'When it started, to the second.';
COMMENT ON COLUMN steps.completed_at IS 'When it completed, to the second.';
COMMENT ON COLUMN steps.log_first_line IS 'First line of the step in the job''s log, from 1. An estimate: logs have no step marker.';
COMMENT ON COLUMN steps.log_last_line IS 'Last line of the step in the job''s log, inclusive. An estimate too.';

CREATE TABLE labels (
    id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);

COMMENT ON TABLE labels IS 'Runner labels that jobs have asked for.';
COMMENT ON COLUMN labels.id IS 'jobvault''s own number of the label.';
COMMENT ON COLUMN labels.name IS 'The label as written in runs-on.';

CREATE TABLE job_labels (
    job_id   bigint NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    label_id bigint NOT NULL REFERENCES labels (id),
    position integer NOT NULL,
    PRIMARY KEY (job_id, position)
);
CREATE INDEX job_labels_by_label ON job_labels (label_id, job_id DESC);

COMMENT ON TABLE job_labels IS 'Which labels a job asked for, in its order.';
COMMENT ON COLUMN job_labels.job_id IS 'The job.';
COMMENT ON COLUMN job_labels.label_id IS 'The label.';
COMMENT ON COLUMN job_labels.position IS 'Place in the job''s list, from 0.';

CREATE TABLE deliveries (
    guid          uuid PRIMARY KEY,
    event         text NOT NULL,
    action        text,
    received_at   timestamptz NOT NULL DEFAULT now(),
    repository_id bigint,
    job_id        bigint,
    payload       bytea,
    state         text NOT NULL DEFAULT 'received' CHECK (state IN ('received', 'done', 'quarantined')),
    error         text,
    CONSTRAINT understood_names_a_job CHECK (state = 'quarantined' OR job_id IS NOT NULL)
);
-- The payload is compressed already.
ALTER TABLE deliveries ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE INDEX deliveries_waiting ON deliveries (received_at) WHERE state = 'received';
CREATE INDEX deliveries_by_job ON deliveries (job_id) WHERE job_id IS NOT NULL;
-- Rows come in the order of time: a block range index costs an insert next to nothing.
CREATE INDEX deliveries_by_time ON deliveries USING brin (received_at);

COMMENT ON TABLE deliveries IS 'Webhook deliveries that were accepted. No foreign keys: a delivery is committed before the rows it tells of.';
COMMENT ON COLUMN deliveries.guid IS 'X-GitHub-Delivery; the same on a redelivery.';
COMMENT ON COLUMN deliveries.event IS 'X-GitHub-Event.';
COMMENT ON COLUMN deliveries.action IS 'The payload''s action: queued, waiting, in_progress, completed; null if it has none.';
COMMENT ON COLUMN deliveries.received_at IS 'When it was committed.';
COMMENT ON COLUMN deliveries.repository_id IS 'The repository it names; null if it names none.';
COMMENT ON COLUMN deliveries.job_id IS 'The job it names; null if it names none.';
COMMENT ON COLUMN deliveries.payload IS 'The request body, byte for byte as it was signed, compressed with zstd; null once pruned.';
COMMENT ON COLUMN deliveries.state IS 'received: not worked on yet; done: its rows are written; quarantined: cannot be understood, see error.';
COMMENT ON COLUMN deliveries.error IS 'Why it is quarantined.';

CREATE TABLE job_logs (
    job_id        bigint PRIMARY KEY REFERENCES jobs (id),
    state         text NOT NULL DEFAULT 'pending'
                  CHECK (state IN ('pending', 'archived', 'none', 'expired', 'missing', 'denied', 'removed')),
    reason        text,
    http_status   integer,
    attempts      integer NOT NULL DEFAULT 0,
    object_key    text,
    raw_bytes     bigint,
    stored_bytes  bigint,
    lines         bigint,
    sha256        bytea,
    frame_lines   bigint[],
    frame_offsets bigint[],
    truncated     boolean NOT NULL DEFAULT false,
    archived_at   timestamptz,
    settled_at    timestamptz,
    CONSTRAINT archived_is_complete CHECK (state <> 'archived' OR
        (object_key IS NOT NULL AND raw_bytes IS NOT NULL AND stored_bytes IS NOT NULL AND lines IS NOT NULL
         AND coalesce(length(sha256), 0) = 32 AND coalesce(cardinality(frame_lines), 0) = coalesce(cardinality(frame_offsets), 0) AND archived_at IS NOT NULL)),
    CONSTRAINT settled_has_time CHECK ((state IN ('pending', 'denied')) = (settled_at IS NULL))
);
CREATE INDEX job_logs_by_state ON job_logs (state, settled_at);
CREATE INDEX job_logs_unsettled ON job_logs (job_id) WHERE state IN ('pending', 'denied');

COMMENT ON TABLE job_logs IS 'The ledger: exactly one row for every job jobvault has ever heard of, in exactly one state.';
COMMENT ON COLUMN job_logs.job_id IS 'The job.';
COMMENT ON COLUMN job_logs.state IS 'pending: not settled yet; archived: in the bucket; none: GitHub never had a log; expired: GitHub said 410; missing: GitHub said 404 until the deadline; denied: GitHub refuses us; removed: was archived, then removed.';
COMMENT ON COLUMN job_logs.reason IS 'Why it is in that state, in words; GitHub''s own where it gave some.';
COMMENT ON COLUMN job_logs.http_status IS 'Status of GitHub''s last answer about the job or its log.';
COMMENT ON COLUMN job_logs.attempts IS 'How often the log was asked for.';
COMMENT ON COLUMN job_logs.object_key IS 'Key of the log in the bucket.';
COMMENT ON COLUMN job_logs.raw_bytes IS 'Size of the log as GitHub sent it.';
COMMENT ON COLUMN job_logs.stored_bytes IS 'Size of the compressed object.';
COMMENT ON COLUMN job_logs.lines IS 'Number of lines; a last one without a newline counts.';
COMMENT ON COLUMN job_logs.sha256 IS 'SHA-256 of the log as GitHub sent it.';
COMMENT ON COLUMN job_logs.frame_lines IS 'For each Zstandard frame, the number of the line (from 1) that its first byte belongs to.';
COMMENT ON COLUMN job_logs.frame_offsets IS 'For each Zstandard frame, where it starts in the object, in bytes.';
COMMENT ON COLUMN job_logs.truncated IS 'True if the log was longer than jobvault was set to take, and the object holds its beginning only.';
COMMENT ON COLUMN job_logs.archived_at IS 'When the object was complete in the bucket.';
COMMENT ON COLUMN job_logs.settled_at IS 'When the state became final for now; null while pending or denied.';

-- +goose Down

DROP TABLE job_logs, deliveries, job_labels, labels, steps, jobs, workflow_runs, repositories;
