-- What the manifests list beside logs and job.json: settled.json and redacted copies.

-- Each statement may be repeated: jobs are marked batch by batch, which is not undone
-- when it is stopped in the middle.
-- +goose NO TRANSACTION

-- +goose Up

-- Rows of before have null, which says that nobody has looked.
ALTER TABLE job_logs ADD COLUMN IF NOT EXISTS settled_sha256 bytea, ADD COLUMN IF NOT EXISTS settled_bytes bigint;
ALTER TABLE job_logs ALTER COLUMN settled_bytes SET DEFAULT 0;
COMMENT ON COLUMN job_logs.settled_sha256 IS 'SHA-256 of settled.json in the bucket; null: there is none, or it is not noted.';
COMMENT ON COLUMN job_logs.settled_bytes IS 'Size of settled.json; 0: there is none; null: it is not noted, the next manifest that lists the job looks.';

CREATE OR REPLACE TRIGGER unlist_changed_logs BEFORE UPDATE ON job_logs FOR EACH ROW
WHEN (OLD.manifest_date IS NOT NULL AND NEW.manifest_date IS NOT DISTINCT FROM OLD.manifest_date
      AND ((OLD.state, OLD.settled_at, OLD.object_key, OLD.raw_bytes, OLD.stored_bytes, OLD.lines, OLD.sha256, OLD.stored_sha256, OLD.settled_sha256)
           IS DISTINCT FROM (NEW.state, NEW.settled_at, NEW.object_key, NEW.raw_bytes, NEW.stored_bytes, NEW.lines, NEW.sha256, NEW.stored_sha256, NEW.settled_sha256)
           OR OLD.details_sha256 <> NEW.details_sha256))
EXECUTE FUNCTION unlist_log();

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION unlist_redacted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE job_logs SET manifest_date = NULL WHERE job_id = NEW.job_id AND manifest_date IS NOT NULL;
    RETURN NULL;
END $$;
-- +goose StatementEnd
COMMENT ON FUNCTION unlist_redacted IS 'Has the next manifest list a job whose redacted copies have changed.';

CREATE OR REPLACE TRIGGER unlist_redacted_logs AFTER INSERT OR UPDATE ON log_redactions FOR EACH ROW EXECUTE FUNCTION unlist_redacted();

-- What was listed without its settled.json and redacted copies is listed once more.
-- +goose StatementBegin
DO $$
DECLARE
    last bigint := 0;
BEGIN
    LOOP
        WITH marked AS (
            UPDATE job_logs SET manifest_date = NULL
            WHERE job_id IN (
                SELECT job_id FROM job_logs
                WHERE job_id > last AND state IN ('none', 'expired', 'missing', 'removed') AND manifest_date IS NOT NULL AND settled_bytes IS NULL
                ORDER BY job_id LIMIT 10000)
            RETURNING job_id)
        SELECT max(job_id) INTO last FROM marked;
        COMMIT;
        EXIT WHEN last IS NULL;
    END LOOP;
END $$;
-- +goose StatementEnd

-- +goose Down

DROP TRIGGER IF EXISTS unlist_redacted_logs ON log_redactions;
DROP FUNCTION IF EXISTS unlist_redacted;
CREATE OR REPLACE TRIGGER unlist_changed_logs BEFORE UPDATE ON job_logs FOR EACH ROW
WHEN (OLD.manifest_date IS NOT NULL AND NEW.manifest_date IS NOT DISTINCT FROM OLD.manifest_date
      AND ((OLD.state, OLD.settled_at, OLD.object_key, OLD.raw_bytes, OLD.stored_bytes, OLD.lines, OLD.sha256, OLD.stored_sha256)
           IS DISTINCT FROM (NEW.state, NEW.settled_at, NEW.object_key, NEW.raw_bytes, NEW.stored_bytes, NEW.lines, NEW.sha256, NEW.stored_sha256)
           OR OLD.details_sha256 <> NEW.details_sha256))
EXECUTE FUNCTION unlist_log();
ALTER TABLE job_logs DROP COLUMN IF EXISTS settled_sha256, DROP COLUMN IF EXISTS settled_bytes;
