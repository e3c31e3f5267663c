-- Nothing is pending for ever: of what GitHub fails or refuses to answer, the distinct days
-- are counted on which it did, and after enough of them the job is missing, with what was
-- last heard. The columns are null where nothing was asked for in vain; they need no
-- rewriting of the table.

-- +goose Up

ALTER TABLE job_logs ADD COLUMN trying_since timestamptz, ADD COLUMN failed_days integer, ADD COLUMN refused_days integer, ADD COLUMN failed_on date;

COMMENT ON COLUMN job_logs.state IS 'pending: not settled yet; archived: in the bucket; none: GitHub never had a log; expired: GitHub said 410; missing: GitHub said 404 until the deadline, or failed or refused for too many days, and what was last heard is in reason and http_status; denied: GitHub refuses us, somebody must change something before it is missing; removed: was archived, then removed.';
COMMENT ON COLUMN job_logs.trying_since IS 'Since when the job or its log is asked for in vain, or was until it was given up; null: the last answer was one, or it is archived.';
COMMENT ON COLUMN job_logs.failed_days IS 'Number of distinct days (UTC) on which GitHub or its storage failed, or answered with what is no answer; null: none. On more than seven, the job is missing.';
COMMENT ON COLUMN job_logs.refused_days IS 'Number of distinct days (UTC) on which GitHub refused or limited the request, or could not be reached; null: none. On more than JOBVAULT_DENIED_DEADLINE, the job is missing.';
COMMENT ON COLUMN job_logs.failed_on IS 'The last day that is counted in failed_days or refused_days; null: none.';

-- +goose Down

ALTER TABLE job_logs DROP COLUMN trying_since, DROP COLUMN failed_days, DROP COLUMN refused_days, DROP COLUMN failed_on;
COMMENT ON COLUMN job_logs.state IS 'pending: not settled yet; archived: in the bucket; none: GitHub never had a log; expired: GitHub said 410; missing: GitHub said 404 until the deadline; denied: GitHub refuses us; removed: was archived, then removed.';
