-- Lists of an attempt's jobs are asked for on condition that they have changed: an answer
-- that they have not costs nothing of GitHub's limit.

-- +goose Up

CREATE TABLE attempt_lists (
    run_id        bigint NOT NULL,
    run_attempt   bigint NOT NULL,
    etag          text NOT NULL,
    jobs          integer NOT NULL,
    all_completed boolean NOT NULL,
    listed_at     timestamptz NOT NULL,
    PRIMARY KEY (run_id, run_attempt)
);
CREATE INDEX attempt_lists_by_age ON attempt_lists (listed_at);

COMMENT ON TABLE attempt_lists IS 'What an archive worker or a sweep last read of the list of an attempt''s jobs, all of which was written, if the list had one page and the attempt is not known to be complete. Rows go when it is, or after 36 days. No foreign key: it is about a list, and not about jobs.';
COMMENT ON COLUMN attempt_lists.run_id IS 'The workflow run.';
COMMENT ON COLUMN attempt_lists.run_attempt IS 'Number of the attempt, from 1.';
COMMENT ON COLUMN attempt_lists.etag IS 'ETag of the list: as long as GitHub says that it is the same, so is the list.';
COMMENT ON COLUMN attempt_lists.jobs IS 'Number of jobs in the list.';
COMMENT ON COLUMN attempt_lists.all_completed IS 'Whether all of these had completed. The run may have had more jobs to come.';
COMMENT ON COLUMN attempt_lists.listed_at IS 'When the list was read.';

-- +goose Down

DROP TABLE attempt_lists;
