-- Filters, with which logs are searched.

-- +goose Up

ALTER TABLE job_logs ADD COLUMN filter_bytes bigint;
COMMENT ON COLUMN job_logs.filter_bytes IS 'Size of the object beside the log that tells which of its frames may hold what is searched for; null: there is none, as of logs below 64 KiB.';

-- +goose Down

ALTER TABLE job_logs DROP COLUMN filter_bytes;
