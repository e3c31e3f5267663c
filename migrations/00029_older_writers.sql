-- A jobvault of before shorter_logs may go on beside this schema for as long as an upgrade
-- takes. It would list a longer log without those whose place it took, write a record of its
-- removal without them, and call that finished while log-2.zst or its filters are there
-- still. What it notes of such a job is not taken: a jobvault that says in its session that
-- it knows shorter logs finds it undone, and does it. A session says so by the setting
-- jobvault.shorter_logs.

-- Each statement may be repeated, and locks one table for a moment.
-- +goose NO TRANSACTION

-- +goose Up

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION is_older_than_shorter_logs(job bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce(current_setting('jobvault.shorter_logs', true), '') <> 'known'
       AND EXISTS (SELECT FROM shorter_logs WHERE job_id = job)
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION is_older_than_shorter_logs IS 'Whether the session is that of a jobvault that does not know what the job''s log took the place of.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION unlist_older() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF is_older_than_shorter_logs(NEW.job_id) THEN
        NEW.manifest_date := NULL;
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
COMMENT ON FUNCTION unlist_older IS 'Has the next manifest of a newer jobvault list a job that an older one lists without its shorter logs.';

CREATE OR REPLACE TRIGGER unlist_older_logs BEFORE UPDATE OF manifest_date ON job_logs FOR EACH ROW
WHEN (NEW.manifest_date IS NOT NULL AND NEW.manifest_date IS DISTINCT FROM OLD.manifest_date)
EXECUTE FUNCTION unlist_older();

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION reopen_older() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.finished_at IS NOT NULL OR NEW.logged_in IS NOT NULL) AND is_older_than_shorter_logs(NEW.job_id) THEN
        IF TG_OP = 'INSERT' THEN
            NEW.finished_at := NULL;
            NEW.logged_in := NULL;
        ELSE -- what a newer one has noted stays
            NEW.finished_at := CASE WHEN NEW.finished_at IS NOT NULL THEN OLD.finished_at END;
            NEW.logged_in := CASE WHEN NEW.logged_in IS NOT NULL THEN OLD.logged_in END;
        END IF;
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
COMMENT ON FUNCTION reopen_older IS 'Leaves a removal that an older jobvault calls logged or finished to a newer one, if the log had taken the place of shorter ones.';

CREATE OR REPLACE TRIGGER reopen_older_removals BEFORE INSERT OR UPDATE OF finished_at, logged_in ON log_removals FOR EACH ROW
EXECUTE FUNCTION reopen_older();

-- +goose Down

DROP TRIGGER IF EXISTS reopen_older_removals ON log_removals;
DROP TRIGGER IF EXISTS unlist_older_logs ON job_logs;
DROP FUNCTION IF EXISTS reopen_older;
DROP FUNCTION IF EXISTS unlist_older;
DROP FUNCTION IF EXISTS is_older_than_shorter_logs;
