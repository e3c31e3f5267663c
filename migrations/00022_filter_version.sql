-- The filters of logs are made of what people see of a line, and of its bytes. Those of
-- before are of bytes alone: jobvault reindex makes them again.

-- +goose Up

ALTER TABLE job_logs ADD COLUMN filter_version integer;
COMMENT ON COLUMN job_logs.filter_version IS 'Version of log.filter, the object that says which frames may contain a search term: 2 knows the text that people see; null: there is none, or it is of version 1, which knows the bytes alone, and jobvault reindex makes it again.';

-- +goose Down

ALTER TABLE job_logs DROP COLUMN filter_version;
