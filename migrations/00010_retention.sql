-- How long logs are kept, what keeps them longer, and what was removed.

-- +goose Up

CREATE TABLE retention_rules (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    position        integer NOT NULL CHECK (position > 0),
    repository      text,
    workflow        text,
    branch          text,
    conclusion      text,
    older_than_days integer CHECK (older_than_days > 0),
    keep_days       integer CHECK (keep_days > 0),
    created_by      text NOT NULL,
    created_at      timestamptz NOT NULL,
    -- Looked at when a statement ends: one that makes room for a rule moves others.
    CONSTRAINT retention_rules_position_key UNIQUE (position) DEFERRABLE
);

COMMENT ON TABLE retention_rules IS 'How long logs are kept. Of a job the first rule that fits decides; one that none fits is kept.';
COMMENT ON COLUMN retention_rules.id IS 'Number of the rule; never used again.';
COMMENT ON COLUMN retention_rules.position IS 'Its place among the rules, from 1.';
COMMENT ON COLUMN retention_rules.repository IS 'Patterns of OWNER/NAME, as in JOBVAULT_REPOSITORIES; null: any.';
COMMENT ON COLUMN retention_rules.workflow IS 'Patterns of the workflow''s name; null: any.';
COMMENT ON COLUMN retention_rules.branch IS 'Patterns of the branch; null: any.';
COMMENT ON COLUMN retention_rules.conclusion IS 'Patterns of the conclusion; null: any.';
COMMENT ON COLUMN retention_rules.older_than_days IS 'Fits only jobs that completed so many days ago, of 24 hours; null: of any age.';
COMMENT ON COLUMN retention_rules.keep_days IS 'How many days after the job''s completion its log is kept; null: for ever.';
COMMENT ON COLUMN retention_rules.created_by IS 'Who made the rule.';
COMMENT ON COLUMN retention_rules.created_at IS 'When.';

CREATE TABLE holds (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    repository_id bigint REFERENCES repositories (id),
    run_id        bigint REFERENCES workflow_runs (id),
    job_id        bigint REFERENCES jobs (id),
    reason        text NOT NULL,
    created_by    text NOT NULL,
    created_at    timestamptz NOT NULL,
    released_by   text,
    released_at   timestamptz,
    CONSTRAINT holds_one_thing CHECK (num_nonnulls(repository_id, run_id, job_id) = 1),
    CONSTRAINT released_by_somebody CHECK ((released_by IS NULL) = (released_at IS NULL))
);
CREATE INDEX holds_by_repository ON holds (repository_id);
CREATE INDEX holds_by_run ON holds (run_id);
CREATE INDEX holds_by_job ON holds (job_id);

COMMENT ON TABLE holds IS 'Legal holds: while one stands, no log that it covers is removed or redacted. It also covers what comes after it.';
COMMENT ON COLUMN holds.id IS 'Number of the hold.';
COMMENT ON COLUMN holds.repository_id IS 'Covers all jobs of this repository; null: it is on a run or a job.';
COMMENT ON COLUMN holds.run_id IS 'Covers all jobs of this run; null: it is on a repository or a job.';
COMMENT ON COLUMN holds.job_id IS 'Covers this job; null: it is on a repository or a run.';
COMMENT ON COLUMN holds.reason IS 'Why.';
COMMENT ON COLUMN holds.created_by IS 'Who set it.';
COMMENT ON COLUMN holds.created_at IS 'When.';
COMMENT ON COLUMN holds.released_by IS 'Who released it; null: it stands.';
COMMENT ON COLUMN holds.released_at IS 'When; null: it stands.';

CREATE TABLE log_removals (
    job_id       bigint PRIMARY KEY REFERENCES jobs (id),
    kind         text NOT NULL CHECK (kind IN ('retention', 'redaction')),
    rule         text,
    reason       text NOT NULL,
    actor        text NOT NULL,
    decided_at   timestamptz NOT NULL,
    sha256       bytea NOT NULL CHECK (length(sha256) = 32),
    raw_bytes    bigint NOT NULL,
    stored_bytes bigint NOT NULL,
    lines        bigint NOT NULL,
    truncated    boolean NOT NULL,
    object_key   text NOT NULL,
    archived_at  timestamptz NOT NULL,
    finished_at  timestamptz
);
CREATE INDEX log_removals_unfinished ON log_removals (job_id) WHERE finished_at IS NULL;

COMMENT ON TABLE log_removals IS 'Logs that were archived and are removed: what they were, who removed them, and why.';
COMMENT ON COLUMN log_removals.job_id IS 'The job.';
COMMENT ON COLUMN log_removals.kind IS 'retention: a rule said so; redaction: somebody did.';
COMMENT ON COLUMN log_removals.rule IS 'The rule as it was then; null for a redaction.';
COMMENT ON COLUMN log_removals.reason IS 'Why, in words.';
COMMENT ON COLUMN log_removals.actor IS 'Who removed it.';
COMMENT ON COLUMN log_removals.decided_at IS 'Since when the ledger says removed.';
COMMENT ON COLUMN log_removals.sha256 IS 'SHA-256 of the log as GitHub sent it.';
COMMENT ON COLUMN log_removals.raw_bytes IS 'Size of the log as GitHub sent it.';
COMMENT ON COLUMN log_removals.stored_bytes IS 'Size of the object that it was.';
COMMENT ON COLUMN log_removals.lines IS 'Its lines.';
COMMENT ON COLUMN log_removals.truncated IS 'True if it held the beginning of a longer log.';
COMMENT ON COLUMN log_removals.object_key IS 'Key of the object that it was.';
COMMENT ON COLUMN log_removals.archived_at IS 'When it had been archived.';
COMMENT ON COLUMN log_removals.finished_at IS 'When the bucket had nothing of it any more, nor of copies that are removed; null: the next retention apply sees to that.';

CREATE TABLE log_redactions (
    job_id         bigint NOT NULL REFERENCES jobs (id),
    number         integer NOT NULL CHECK (number > 0),
    object_key     text NOT NULL,
    raw_bytes      bigint NOT NULL,
    stored_bytes   bigint NOT NULL,
    lines          bigint NOT NULL,
    sha256         bytea NOT NULL CHECK (length(sha256) = 32),
    stored_sha256  bytea NOT NULL CHECK (length(stored_sha256) = 32),
    frame_lines    bigint[],
    frame_offsets  bigint[],
    redacted_lines bigint NOT NULL,
    matches        bigint NOT NULL,
    actor          text NOT NULL,
    reason         text NOT NULL,
    at             timestamptz NOT NULL,
    removed_at     timestamptz,
    removed_by     text,
    removed_reason text,
    PRIMARY KEY (job_id, number),
    CONSTRAINT removed_by_somebody CHECK (num_nonnulls(removed_at, removed_by, removed_reason) IN (0, 3))
);
CREATE UNIQUE INDEX log_redactions_present ON log_redactions (job_id) WHERE removed_at IS NULL;

COMMENT ON TABLE log_redactions IS 'Copies of removed logs without some of their text. At most one of a job is there; the others were removed.';
COMMENT ON COLUMN log_redactions.job_id IS 'The job.';
COMMENT ON COLUMN log_redactions.number IS 'Number of the copy, rising.';
COMMENT ON COLUMN log_redactions.object_key IS 'Key of the copy in the bucket.';
COMMENT ON COLUMN log_redactions.raw_bytes IS 'Size of the copy''s text.';
COMMENT ON COLUMN log_redactions.stored_bytes IS 'Size of the compressed object.';
COMMENT ON COLUMN log_redactions.lines IS 'Number of lines: as many as the log had.';
COMMENT ON COLUMN log_redactions.sha256 IS 'SHA-256 of the copy''s text.';
COMMENT ON COLUMN log_redactions.stored_sha256 IS 'SHA-256 of the object as it is stored.';
COMMENT ON COLUMN log_redactions.frame_lines IS 'As in job_logs; null once it is removed.';
COMMENT ON COLUMN log_redactions.frame_offsets IS 'As in job_logs; null once it is removed.';
COMMENT ON COLUMN log_redactions.redacted_lines IS 'In how many lines text was taken out.';
COMMENT ON COLUMN log_redactions.matches IS 'How many pieces of text were taken out. What they were is nowhere.';
COMMENT ON COLUMN log_redactions.actor IS 'Who redacted it.';
COMMENT ON COLUMN log_redactions.reason IS 'Why.';
COMMENT ON COLUMN log_redactions.at IS 'When.';
COMMENT ON COLUMN log_redactions.removed_at IS 'When this copy was removed, for one in favour of the next; null: it is there.';
COMMENT ON COLUMN log_redactions.removed_by IS 'Who removed it.';
COMMENT ON COLUMN log_redactions.removed_reason IS 'Why.';

-- +goose Down

DROP TABLE log_redactions, log_removals, holds, retention_rules;
