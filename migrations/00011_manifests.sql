-- Daily manifests: which settlement is listed in which, and what was written.

-- +goose Up

CREATE TABLE manifests (
    date          date PRIMARY KEY,
    previous      date,
    sha256        bytea NOT NULL CHECK (length(sha256) = 32),
    stored_sha256 bytea NOT NULL CHECK (length(stored_sha256) = 32),
    jobs          bigint NOT NULL,
    stored_bytes  bigint NOT NULL,
    written_at    timestamptz NOT NULL
);

COMMENT ON TABLE manifests IS 'Daily manifests that were written into the bucket and whose jobs are marked. The last one must be there for the next to be written.';
COMMENT ON COLUMN manifests.date IS 'The day, UTC: it lists what was settled before its end and in no manifest yet.';
COMMENT ON COLUMN manifests.previous IS 'The manifest before it, whose digest it has; null: it is the first.';
COMMENT ON COLUMN manifests.sha256 IS 'SHA-256 of the manifest, uncompressed.';
COMMENT ON COLUMN manifests.stored_sha256 IS 'SHA-256 of the object as it is stored.';
COMMENT ON COLUMN manifests.jobs IS 'How many jobs it lists.';
COMMENT ON COLUMN manifests.stored_bytes IS 'Size of the object.';
COMMENT ON COLUMN manifests.written_at IS 'When its jobs were marked.';

ALTER TABLE job_logs ADD COLUMN manifest_date date, ADD COLUMN details_sha256 bytea, ADD COLUMN details_bytes bigint;
COMMENT ON COLUMN job_logs.manifest_date IS 'The manifest that lists what this row says; null: none does yet.';
COMMENT ON COLUMN job_logs.details_sha256 IS 'SHA-256 of job.json in the bucket; null: it was not noted, or there is none.';
COMMENT ON COLUMN job_logs.details_bytes IS 'Size of job.json.';
CREATE INDEX job_logs_unlisted ON job_logs (job_id) WHERE settled_at IS NOT NULL AND manifest_date IS NULL;

-- Here and not in the statements that change the ledger, so that none can forget it.
-- +goose StatementBegin
CREATE FUNCTION unlist_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.manifest_date := NULL;
    RETURN NEW;
END $$;
-- +goose StatementEnd
COMMENT ON FUNCTION unlist_log IS 'Has the next manifest list a job whose listed line says something else by now.';

CREATE TRIGGER unlist_changed_logs BEFORE UPDATE ON job_logs FOR EACH ROW
WHEN (OLD.manifest_date IS NOT NULL AND NEW.manifest_date IS NOT DISTINCT FROM OLD.manifest_date
      AND ((OLD.state, OLD.settled_at, OLD.object_key, OLD.raw_bytes, OLD.stored_bytes, OLD.lines, OLD.sha256, OLD.stored_sha256)
           IS DISTINCT FROM (NEW.state, NEW.settled_at, NEW.object_key, NEW.raw_bytes, NEW.stored_bytes, NEW.lines, NEW.sha256, NEW.stored_sha256)
           OR OLD.details_sha256 <> NEW.details_sha256))
EXECUTE FUNCTION unlist_log();

COMMENT ON COLUMN reads.what IS 'What of it: whole, bytes A-B, lines A-B, step N, search, or export.';

-- +goose Down

DROP TRIGGER unlist_changed_logs ON job_logs;
DROP FUNCTION unlist_log;
ALTER TABLE job_logs DROP COLUMN manifest_date, DROP COLUMN details_sha256, DROP COLUMN details_bytes;
DROP TABLE manifests;
