-- What the read path needs: who may read, who did, and by which names.

-- +goose Up

CREATE TABLE repository_names (
    owner         text NOT NULL,
    name          text NOT NULL,
    repository_id bigint NOT NULL REFERENCES repositories (id),
    until         timestamptz NOT NULL,
    PRIMARY KEY (repository_id, owner, name)
);
CREATE INDEX repository_names_by_name ON repository_names (lower(owner), lower(name), until DESC);

COMMENT ON TABLE repository_names IS 'Names that repositories had before the one in repositories.';
COMMENT ON COLUMN repository_names.owner IS 'Its owner then.';
COMMENT ON COLUMN repository_names.name IS 'Its name then.';
COMMENT ON COLUMN repository_names.repository_id IS 'The repository.';
COMMENT ON COLUMN repository_names.until IS 'When it was first seen under another name.';

-- Whoever writes the name: none is forgotten.
-- +goose StatementBegin
CREATE FUNCTION keep_repository_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO repository_names (owner, name, repository_id, until) VALUES (OLD.owner, OLD.name, OLD.id, now())
    ON CONFLICT (repository_id, owner, name) DO UPDATE SET until = excluded.until;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER keep_repository_name AFTER UPDATE ON repositories FOR EACH ROW
    WHEN ((OLD.owner, OLD.name) IS DISTINCT FROM (NEW.owner, NEW.name)) EXECUTE FUNCTION keep_repository_name();

CREATE TABLE read_tokens (
    name         text PRIMARY KEY,
    digest       bytea NOT NULL UNIQUE,
    repositories text[] NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz,
    revoked_at   timestamptz
);

COMMENT ON TABLE read_tokens IS 'Tokens that may read, made by jobvault token.';
COMMENT ON COLUMN read_tokens.name IS 'What it is called, in the list and in reads.';
COMMENT ON COLUMN read_tokens.digest IS 'SHA-256 of the token, which is nowhere else.';
COMMENT ON COLUMN read_tokens.repositories IS 'What it may read: OWNER/NAME or OWNER/*, compared with a repository''s present name without regard to case.';
COMMENT ON COLUMN read_tokens.created_at IS 'When it was made.';
COMMENT ON COLUMN read_tokens.expires_at IS 'When it ends; null: never.';
COMMENT ON COLUMN read_tokens.revoked_at IS 'Since when it is worth nothing; null: it is good.';

CREATE TABLE sessions (
    digest     bytea PRIMARY KEY,
    sealed     bytea NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_by_end ON sessions (expires_at);

COMMENT ON TABLE sessions IS 'Who is signed in to the pages.';
COMMENT ON COLUMN sessions.digest IS 'SHA-256 of the cookie.';
COMMENT ON COLUMN sessions.sealed IS 'The token that was signed in with, encrypted with a key that is made of the cookie: it cannot be read from here alone.';
COMMENT ON COLUMN sessions.created_at IS 'When it began.';
COMMENT ON COLUMN sessions.expires_at IS 'When it ends.';

CREATE TABLE keys (
    purpose    text PRIMARY KEY,
    key        bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE keys IS 'Random keys that all replicas share.';
COMMENT ON COLUMN keys.purpose IS 'What it is for.';
COMMENT ON COLUMN keys.key IS '32 random bytes.';
COMMENT ON COLUMN keys.created_at IS 'When it was made.';

CREATE TABLE reads (
    at      timestamptz NOT NULL,
    subject text NOT NULL,
    job_id  bigint NOT NULL,
    what    text NOT NULL
);
CREATE INDEX reads_by_job ON reads (job_id, at);
CREATE INDEX reads_by_subject ON reads (subject, at);
CREATE INDEX reads_by_time ON reads USING brin (at);

COMMENT ON TABLE reads IS 'Every reading of a log, written before its first byte was sent.';
COMMENT ON COLUMN reads.at IS 'When.';
COMMENT ON COLUMN reads.subject IS 'Who: github LOGIN, token NAME, local USER, or loopback.';
COMMENT ON COLUMN reads.job_id IS 'Whose log.';
COMMENT ON COLUMN reads.what IS 'What of it: whole, bytes A-B, lines A-B, step N, or search.';

-- +goose Down

DROP TABLE reads, keys, sessions, read_tokens;
DROP TRIGGER keep_repository_name ON repositories;
DROP FUNCTION keep_repository_name;
DROP TABLE repository_names;
