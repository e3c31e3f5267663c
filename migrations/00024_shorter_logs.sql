-- A log that was archived while its job was still ending gives its place to a longer one
-- that begins with it. What it was stays on record, and when GitHub is to be asked again.

-- +goose Up

CREATE TABLE shorter_logs (
    job_id        bigint NOT NULL REFERENCES jobs (id),
    number        integer NOT NULL CHECK (number > 0),
    object_key    text NOT NULL,
    raw_bytes     bigint NOT NULL,
    stored_bytes  bigint NOT NULL,
    lines         bigint NOT NULL,
    sha256        bytea NOT NULL CHECK (length(sha256) = 32),
    stored_sha256 bytea CHECK (length(stored_sha256) = 32),
    archived_at   timestamptz NOT NULL,
    PRIMARY KEY (job_id, number)
);

COMMENT ON TABLE shorter_logs IS 'Logs that were archived and whose place a longer one has taken, which begins with them, byte for byte: that is in job_logs. Rows stay when the log is removed.';
COMMENT ON COLUMN shorter_logs.job_id IS 'The job.';
COMMENT ON COLUMN shorter_logs.number IS 'Number of the log, from 1: the one that was archived first.';
COMMENT ON COLUMN shorter_logs.object_key IS 'Key of its object, which stays in the bucket until the log is removed.';
COMMENT ON COLUMN shorter_logs.raw_bytes IS 'Its size as GitHub sent it.';
COMMENT ON COLUMN shorter_logs.stored_bytes IS 'Size of its object.';
COMMENT ON COLUMN shorter_logs.lines IS 'Its lines.';
COMMENT ON COLUMN shorter_logs.sha256 IS 'SHA-256 of it as GitHub sent it: that of the first raw_bytes bytes of the job''s log.';
COMMENT ON COLUMN shorter_logs.stored_sha256 IS 'SHA-256 of its object; null: it is not noted.';
COMMENT ON COLUMN shorter_logs.archived_at IS 'When it was archived. The next one, or the job''s log, took its place when that was archived.';

CREATE TABLE log_rechecks (
    job_id   bigint PRIMARY KEY REFERENCES jobs (id),
    due_at   timestamptz,
    tries    integer NOT NULL DEFAULT 0,
    asked    integer NOT NULL DEFAULT 0,
    asked_at timestamptz,
    outcome  text
);
CREATE INDEX log_rechecks_due ON log_rechecks (due_at) WHERE due_at IS NOT NULL;

COMMENT ON TABLE log_rechecks IS 'Archived logs that may have been archived before their end, and are asked for once more: of jobs that were cancelled or timed out, of servers that are not GitHub, and where a job was reported as completed again.';
COMMENT ON COLUMN log_rechecks.job_id IS 'The job.';
COMMENT ON COLUMN log_rechecks.due_at IS 'When its log is to be asked for again; null: it was.';
COMMENT ON COLUMN log_rechecks.tries IS 'How often that was begun since it became due, but for limits and trouble of our own; it is given up after a few.';
COMMENT ON COLUMN log_rechecks.asked IS 'How often the log was asked for again and an answer came; three times at most.';
COMMENT ON COLUMN log_rechecks.asked_at IS 'When it was last, before the answer; null: never.';
COMMENT ON COLUMN log_rechecks.outcome IS 'What came of it last, in words.';

-- +goose Down

DROP TABLE log_rechecks;
DROP TABLE shorter_logs;
