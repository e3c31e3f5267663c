-- The log of removals: what is in the bucket of it, and removals that are tried again.

-- +goose Up

CREATE TABLE removal_log (
    number     bigint PRIMARY KEY CHECK (number > 0),
    sha256     bytea NOT NULL CHECK (length(sha256) = 32),
    lines      bigint NOT NULL,
    written_at timestamptz NOT NULL
);

COMMENT ON TABLE removal_log IS 'Records of the log of removals in the bucket that this database knows, and of which it has done everything. One that it does not know was written after the dump from which it was restored.';
COMMENT ON COLUMN removal_log.number IS 'Number of the record, from 1, without a gap.';
COMMENT ON COLUMN removal_log.sha256 IS 'SHA-256 of the object.';
COMMENT ON COLUMN removal_log.lines IS 'How many jobs it tells of.';
COMMENT ON COLUMN removal_log.written_at IS 'When it was written.';

ALTER TABLE log_removals
    ADD COLUMN logged_in bigint,
    ADD COLUMN attempts integer NOT NULL DEFAULT 0,
    ADD COLUMN retry_at timestamptz,
    ADD COLUMN error text;
CREATE INDEX log_removals_unlogged ON log_removals (job_id) WHERE logged_in IS NULL;

COMMENT ON COLUMN log_removals.logged_in IS 'Record of the log of removals that tells all that this row and those of its copies do; null: none does yet, and nothing may go from the bucket.';
COMMENT ON COLUMN log_removals.attempts IS 'How often it could not be finished, in a row.';
COMMENT ON COLUMN log_removals.retry_at IS 'When a serving jobvault tries again to finish it; null: at once, or it is finished. retention apply does not wait.';
COMMENT ON COLUMN log_removals.error IS 'Why it could not be finished: what the bucket has still, and what it said; null: nothing was in the way.';

-- +goose Down

ALTER TABLE log_removals DROP COLUMN logged_in, DROP COLUMN attempts, DROP COLUMN retry_at, DROP COLUMN error;
DROP TABLE removal_log;
