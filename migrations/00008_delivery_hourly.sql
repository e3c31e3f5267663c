-- What came in, for those who may read views only: no payload, and no job.

-- +goose Up

CREATE VIEW delivery_hourly AS
SELECT date_trunc('hour', received_at, 'UTC') AS hour, coalesce(action, '') AS action, state, count(*) AS deliveries
FROM deliveries
GROUP BY 1, 2, 3;

COMMENT ON VIEW delivery_hourly IS 'Webhook deliveries by the hour.';
COMMENT ON COLUMN delivery_hourly.hour IS 'Begin of the hour.';
COMMENT ON COLUMN delivery_hourly.action IS 'queued, waiting, in_progress, completed; empty for what has none.';
COMMENT ON COLUMN delivery_hourly.state IS 'received, done or quarantined.';
COMMENT ON COLUMN delivery_hourly.deliveries IS 'How many.';

-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'jobvault_reader') THEN
        GRANT SELECT ON delivery_hourly TO jobvault_reader;
    END IF;
END $$;
-- +goose StatementEnd

-- +goose Down

DROP VIEW delivery_hourly;
