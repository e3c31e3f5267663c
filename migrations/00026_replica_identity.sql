-- What is updated or deleted must be found on a subscriber of a publication: by a primary
-- key, or, in tables that have none, by the whole row. Without either, Postgres refuses the
-- update here. Only unlogged tables are not published.

-- Both tables are locked for a moment, and not looked through.

-- +goose Up

ALTER TABLE reads REPLICA IDENTITY FULL;
ALTER TABLE action_invalidated REPLICA IDENTITY FULL;

-- +goose Down

ALTER TABLE action_invalidated REPLICA IDENTITY DEFAULT;
ALTER TABLE reads REPLICA IDENTITY DEFAULT;
