-- Logs are read another way for what their jobs used: nothing that a caller of a reusable
-- workflow words is taken for the runner's. Those that were read the old way are found by
-- this index, and read again by jobvault reindex.

-- +goose Up

DROP INDEX job_logs_unread;
CREATE INDEX job_logs_unread ON job_logs (job_id) WHERE state = 'archived' AND usage_version IS DISTINCT FROM 2;
COMMENT ON COLUMN job_actions.in_setup IS 'True: the runner said so while it set the job up, before the first line that may hold words of callers or names. False: a composite action downloaded it, or somebody worded a line that looks like it.';
COMMENT ON COLUMN job_annotations.message IS 'Its text, without colours, at most 1,000 bytes of it; worded by whoever printed it.';
COMMENT ON TABLE job_environment IS 'What the runner said of itself and of the job while it set the job up; null what it did not say, or what is not known to be its words.';
COMMENT ON COLUMN action_uses.in_setup IS 'Whether at least one of them said so in its set-up, where no step and no caller can have forged it.';
COMMENT ON COLUMN action_sums.in_setup IS 'Whether one of them said so in its set-up.';
COMMENT ON COLUMN action_rest.in_setup IS 'Whether it said so in its set-up.';

-- +goose Down

DROP INDEX job_logs_unread;
CREATE INDEX job_logs_unread ON job_logs (job_id) WHERE state = 'archived' AND usage_version IS DISTINCT FROM 1;
COMMENT ON COLUMN job_actions.in_setup IS 'True: the line stands before the first step, where only the runner writes. False: a composite action downloaded it, or a step printed a line that looks like it.';
COMMENT ON COLUMN job_annotations.message IS 'Its text, without colours, at most 1,000 bytes of it.';
COMMENT ON TABLE job_environment IS 'What the runner said of itself and of the job before the first step.';
COMMENT ON COLUMN action_uses.in_setup IS 'Whether at least one of them said so before its first step, where no step can have forged it.';
COMMENT ON COLUMN action_sums.in_setup IS 'Whether one of them said so before its first step.';
COMMENT ON COLUMN action_rest.in_setup IS 'Whether it said so before its first step.';
