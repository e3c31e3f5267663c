-- Each step's lines in the log come with a word that says how they are known, and an
-- annotation with the step that has its line, where that is certain.

-- Each statement may be repeated: steps are gone through batch by batch, which is not
-- undone when it is stopped in the middle.
-- +goose NO TRANSACTION

-- +goose Up

-- Lines that earlier versions found are estimates. A default that is there for a moment
-- says so of all rows without one of them being written, however many there are. From then
-- on a trigger says so of those that a jobvault of before writes, which goes on beside this
-- schema while others are replaced: it knows no words.
-- +goose StatementBegin
DO $$
BEGIN
    ALTER TABLE steps ADD COLUMN IF NOT EXISTS log_lines text DEFAULT 'estimated';
    ALTER TABLE steps ALTER COLUMN log_lines DROP DEFAULT;
    CREATE OR REPLACE FUNCTION estimate_lines() RETURNS trigger LANGUAGE plpgsql AS $body$
    BEGIN
        NEW.log_lines := CASE WHEN NEW.log_first_line IS NOT NULL THEN 'estimated' END;
        RETURN NEW;
    END $body$;
    CREATE OR REPLACE TRIGGER estimate_lines BEFORE INSERT OR UPDATE ON steps
        FOR EACH ROW WHEN ((NEW.log_first_line IS NULL) <> (NEW.log_lines IS NULL)) EXECUTE FUNCTION estimate_lines();
END $$;
-- +goose StatementEnd

-- Steps without lines have no word either. They are the fewer: skipped ones, and those of
-- jobs without a log. No lock is held for longer than a batch takes.
-- +goose StatementBegin
DO $$
DECLARE
    last bigint := 0;
BEGIN
    LOOP
        WITH cleared AS (
            UPDATE steps s SET log_lines = NULL
            FROM (SELECT job_id, number FROM steps
                  WHERE job_id >= last AND log_first_line IS NULL AND log_lines IS NOT NULL
                  ORDER BY job_id, number LIMIT 10000 FOR UPDATE) b
            WHERE s.job_id = b.job_id AND s.number = b.number
            RETURNING s.job_id)
        SELECT max(job_id) INTO last FROM cleared;
        COMMIT;
        EXIT WHEN last IS NULL;
    END LOOP;
END $$;
-- +goose StatementEnd

-- Validating reads the table beside those who write it; only NOT VALID needs it for itself,
-- for a moment.
ALTER TABLE steps DROP CONSTRAINT IF EXISTS lines_are_known_somehow;
ALTER TABLE steps ADD CONSTRAINT lines_are_known_somehow
    CHECK ((log_lines IS NULL) = (log_first_line IS NULL) AND log_lines IN ('exact', 'estimated', 'shared')) NOT VALID;
ALTER TABLE steps VALIDATE CONSTRAINT lines_are_known_somehow;

COMMENT ON COLUMN steps.log_first_line IS 'First line of the step in the job''s log, from 1; log_lines says how that is known. Null: the step has no lines, or they are not known.';
COMMENT ON COLUMN steps.log_last_line IS 'Last line of the step in the job''s log, inclusive.';
COMMENT ON COLUMN steps.log_lines IS 'How the step''s lines are known. exact: the log itself names the step. estimated: by times and by what the runner prints when a step begins. shared: other steps have the same lines, because they ran at the same time or cannot be told apart. Null: there are no lines.';

ALTER TABLE job_annotations ADD COLUMN IF NOT EXISTS step_number bigint;
COMMENT ON COLUMN job_annotations.step_number IS 'Number of the step that printed the line, if that is certain: if steps.log_lines is exact. Null: it is not certain.';

CREATE OR REPLACE VIEW step_facts AS
SELECT j.id AS job_id, s.number, s.name, s.conclusion, s.started_at, s.completed_at,
       CASE WHEN s.conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(s.started_at, s.completed_at) END AS duration_seconds,
       s.log_first_line, s.log_last_line, j.name AS job_name, r.owner || '/' || r.name AS repository, w.workflow_name, w.head_branch,
       (j.created_at AT TIME ZONE 'UTC')::date AS day, s.log_lines
FROM jobs j
JOIN repositories r ON r.id = j.repository_id
JOIN workflow_runs w ON w.id = j.run_id,
     LATERAL (SELECT * FROM steps WHERE steps.job_id = j.id OFFSET 0) s;
COMMENT ON COLUMN step_facts.log_first_line IS 'First line of the step in the log, from 1; see log_lines.';
COMMENT ON COLUMN step_facts.log_last_line IS 'Last line of the step in the log, inclusive; see log_lines.';
COMMENT ON COLUMN step_facts.log_lines IS 'How these lines are known: exact, estimated, or shared with other steps; null: there are none.';

CREATE OR REPLACE VIEW annotation_facts AS
SELECT j.id AS job_id, a.log_line, a.level, a.message, a.step_number, j.name AS job_name, r.owner || '/' || r.name AS repository, w.workflow_name, w.head_branch,
       (j.created_at AT TIME ZONE 'UTC')::date AS day
FROM jobs j
JOIN repositories r ON r.id = j.repository_id
JOIN workflow_runs w ON w.id = j.run_id,
     LATERAL (SELECT log_line, level, message, step_number FROM job_annotations WHERE job_annotations.job_id = j.id OFFSET 0) a; -- those of a few days are not looked for in all of them
COMMENT ON VIEW annotation_facts IS 'An error, warning or notice in one row, with its job, run and repository.';
COMMENT ON COLUMN annotation_facts.job_id IS 'The job in whose log it is.';
COMMENT ON COLUMN annotation_facts.log_line IS 'Number of its line in the log, from 1.';
COMMENT ON COLUMN annotation_facts.level IS 'error, warning or notice.';
COMMENT ON COLUMN annotation_facts.message IS 'Its text, as in job_annotations.';
COMMENT ON COLUMN annotation_facts.step_number IS 'Number of the step that printed it, if that is certain. Null: it is not; lines join it to steps by estimate.';
COMMENT ON COLUMN annotation_facts.job_name IS 'Name of the job.';
COMMENT ON COLUMN annotation_facts.repository IS 'OWNER/NAME, its present name.';
COMMENT ON COLUMN annotation_facts.workflow_name IS 'Workflow of the job.';
COMMENT ON COLUMN annotation_facts.head_branch IS 'Branch or tag that the run was started for.';
COMMENT ON COLUMN annotation_facts.day IS 'Day on which the job was created, UTC. Filtering by it is fast.';

-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'jobvault_reader') THEN
        GRANT SELECT ON annotation_facts TO jobvault_reader;
    END IF;
END $$;
-- +goose StatementEnd

-- +goose Down

DROP VIEW IF EXISTS annotation_facts;
DROP VIEW IF EXISTS step_facts;
ALTER TABLE job_annotations DROP COLUMN IF EXISTS step_number;
DROP TRIGGER IF EXISTS estimate_lines ON steps;
DROP FUNCTION IF EXISTS estimate_lines;
ALTER TABLE steps DROP CONSTRAINT IF EXISTS lines_are_known_somehow, DROP COLUMN IF EXISTS log_lines;
CREATE VIEW step_facts AS
SELECT j.id AS job_id, s.number, s.name, s.conclusion, s.started_at, s.completed_at,
       CASE WHEN s.conclusion IS DISTINCT FROM 'skipped' THEN seconds_between(s.started_at, s.completed_at) END AS duration_seconds,
       s.log_first_line, s.log_last_line, j.name AS job_name, r.owner || '/' || r.name AS repository, w.workflow_name, w.head_branch,
       (j.created_at AT TIME ZONE 'UTC')::date AS day
FROM jobs j
JOIN repositories r ON r.id = j.repository_id
JOIN workflow_runs w ON w.id = j.run_id,
     LATERAL (SELECT * FROM steps WHERE steps.job_id = j.id OFFSET 0) s;
COMMENT ON VIEW step_facts IS 'A step in one row, with its job, run and repository.';
COMMENT ON COLUMN step_facts.job_id IS 'The job of the step.';
COMMENT ON COLUMN step_facts.number IS 'GitHub''s number of the step.';
COMMENT ON COLUMN step_facts.name IS 'Display name.';
COMMENT ON COLUMN step_facts.conclusion IS 'As in steps.';
COMMENT ON COLUMN step_facts.started_at IS 'When the step started, to the second.';
COMMENT ON COLUMN step_facts.completed_at IS 'When the step completed, to the second.';
COMMENT ON COLUMN step_facts.duration_seconds IS 'Seconds from started_at to completed_at; null: the step was skipped or has not completed.';
COMMENT ON COLUMN step_facts.log_first_line IS 'First line of the step in the log, from 1; an estimate.';
COMMENT ON COLUMN step_facts.log_last_line IS 'Last line of the step in the log, inclusive; an estimate.';
COMMENT ON COLUMN step_facts.job_name IS 'Name of the job.';
COMMENT ON COLUMN step_facts.repository IS 'OWNER/NAME, its present name.';
COMMENT ON COLUMN step_facts.workflow_name IS 'Workflow of the job.';
COMMENT ON COLUMN step_facts.head_branch IS 'Branch or tag that the run was started for.';
COMMENT ON COLUMN step_facts.day IS 'Day on which the job was created, UTC. Filtering by it is fast.';
-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'jobvault_reader') THEN
        GRANT SELECT ON step_facts TO jobvault_reader;
    END IF;
END $$;
-- +goose StatementEnd
COMMENT ON COLUMN steps.log_first_line IS 'First line of the step in the job''s log, from 1. An estimate: logs do not mark steps. Null: not known.';
COMMENT ON COLUMN steps.log_last_line IS 'Last line of the step in the job''s log, inclusive. An estimate, as log_first_line.';
