-- More of what jobs used and said: images of containers, the runner's machine, errors that
-- were allowed to happen. Logs are read another way for it: those that were read before are
-- found by the index job_logs_unread, and read again by jobvault reindex.
--
-- Images are summed up as actions are (00009, 00017). Of an image the digest counts, as of
-- an action the commit does.

-- Each statement, and what stands between BEGIN and COMMIT, may be repeated. Tables are
-- looked through, and indexes made, beside those who write.
-- +goose NO TRANSACTION

-- +goose Up

BEGIN;

ALTER TABLE job_actions
    ADD COLUMN IF NOT EXISTS kind text NOT NULL DEFAULT 'action',
    DROP CONSTRAINT IF EXISTS job_actions_kind_check,
    ADD CONSTRAINT job_actions_kind_check CHECK (kind IN ('action', 'image', 'build', 'container')) NOT VALID;
ALTER TABLE job_environment
    ADD COLUMN IF NOT EXISTS runner_name    text,
    ADD COLUMN IF NOT EXISTS runner_group   text,
    ADD COLUMN IF NOT EXISTS machine        text,
    ADD COLUMN IF NOT EXISTS cache_mode     text,
    ADD COLUMN IF NOT EXISTS actions_locked boolean,
    ADD COLUMN IF NOT EXISTS defined_from   text,
    ADD COLUMN IF NOT EXISTS errors_cut     bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS warnings_cut   bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS notices_cut    bigint NOT NULL DEFAULT 0,
    DROP CONSTRAINT IF EXISTS job_environment_defined_from_check,
    ADD CONSTRAINT job_environment_defined_from_check CHECK (defined_from IN ('log', 'run')) NOT VALID;
ALTER TABLE job_annotations
    ADD COLUMN IF NOT EXISTS tolerated boolean NOT NULL DEFAULT false,
    ADD COLUMN IF NOT EXISTS file      text,
    ADD COLUMN IF NOT EXISTS file_line bigint;
ALTER TABLE action_callers ADD COLUMN IF NOT EXISTS image_digest text;

COMMENT ON TABLE job_actions IS 'Actions that were downloaded to run a job, reusable workflows that it came from, and container images that it used, as its log says; at most 1,000 a job.';
COMMENT ON COLUMN job_actions.kind IS 'action: an action or a reusable workflow; image: a container image that is an action; build: the image of an action, built from its Dockerfile; container: the image of the job''s container or of a service.';
COMMENT ON COLUMN job_actions.action IS 'OWNER/REPO, as written in the workflow; of an image docker://NAME, as docker shortens it. Compare with lower().';
COMMENT ON COLUMN job_actions.ref IS 'The tag, branch or commit that was asked for; of an image the tag, or its digest if it was asked for by that alone.';
COMMENT ON COLUMN job_actions.digest IS 'Digest of the image, or of an immutable action''s package, as sha256:HEX; null: the log does not say.';
COMMENT ON COLUMN job_actions.in_setup IS 'True: the runner wrote the line before the first step, and before the first line that may contain text of callers. False: a composite action downloaded it later, the workflow may take it from an input, or somebody printed a line that looks like it.';
COMMENT ON COLUMN job_environment.runner_name IS 'Name of a self-hosted runner; null: it did not say.';
COMMENT ON COLUMN job_environment.runner_group IS 'Group of a self-hosted runner; null: it did not say.';
COMMENT ON COLUMN job_environment.machine IS 'Name of a self-hosted runner''s machine; null: it did not say.';
COMMENT ON COLUMN job_environment.image IS 'Image of a hosted runner, such as ubuntu-22.04 or ubuntu:24.04; in logs of Gitea, of the container that the job ran in.';
COMMENT ON COLUMN job_environment.cache_mode IS 'How the job may use caches, such as read-write; null: the runner did not say.';
COMMENT ON COLUMN job_environment.actions_locked IS 'Whether a lockfile of the workflow pinned the versions of its actions; null: not known.';
COMMENT ON COLUMN job_environment.defined_from IS 'Where job_defined_at and workflow_ref are from: log, or run, for what GitHub says of the run; null: they are not known.';
COMMENT ON COLUMN job_environment.annotations_cut IS 'Number of annotations beyond those in job_annotations: the sum of the three columns for levels.';
COMMENT ON COLUMN job_environment.errors_cut IS 'Number of errors beyond those in job_annotations.';
COMMENT ON COLUMN job_environment.warnings_cut IS 'Number of warnings beyond those in job_annotations.';
COMMENT ON COLUMN job_environment.notices_cut IS 'Number of notices beyond those in job_annotations.';
COMMENT ON TABLE job_annotations IS 'Lines of logs that are marked as errors, warnings or notices; at most 1,000 a job of each level.';
COMMENT ON COLUMN job_annotations.message IS 'Text of the annotation as a person sees it, cut at 1,000 bytes: of an error all its lines, of others the first. It may be empty. Any step can print one.';
COMMENT ON COLUMN job_annotations.tolerated IS 'Whether it is an error of a composite action''s inner step that was allowed to fail. It is no error of the job.';
COMMENT ON COLUMN job_annotations.file IS 'File that the annotation is of; null: it does not say.';
COMMENT ON COLUMN job_annotations.file_line IS 'Line of that file, from 1; null: it does not say.';
COMMENT ON COLUMN action_callers.image_digest IS 'As job_actions.digest of an image; null: it is no image, or its log does not say.';
COMMENT ON COLUMN action_callers.digest IS 'SHA-256 of all other columns but id, which may be too long for an index.';

CREATE OR REPLACE VIEW action_unrolled AS
SELECT a.job_id, a.action, a.path, a.ref, a.resolved_sha, a.version, j.repository_id, w.workflow_name, j.created_at, bool_or(a.in_setup) AS in_setup,
       CASE WHEN a.kind IN ('image', 'container') THEN a.digest END AS image_digest
FROM (SELECT job_id FROM action_pending
      UNION
      SELECT j.id FROM (SELECT DISTINCT repository_id, at FROM action_invalidated) i JOIN jobs j ON j.repository_id = i.repository_id AND j.created_at >= i.at AND j.created_at < i.at + 56 * interval '24 hours'
      UNION
      SELECT j.id FROM (SELECT DISTINCT repository_id, at FROM action_invalidated) i JOIN jobs j ON j.repository_id = i.repository_id AND i.at = '-infinity' AND j.created_at IS NULL) r
JOIN job_actions a ON a.job_id = r.job_id
JOIN jobs j ON j.id = r.job_id
JOIN workflow_runs w ON w.id = j.run_id
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 11;
COMMENT ON COLUMN action_unrolled.image_digest IS 'As job_actions.digest of an image; null: it is no image, or its log does not say.';

CREATE OR REPLACE VIEW action_uses AS
SELECT u.action, u.path, u.ref, u.resolved_sha, u.version, r.owner || '/' || r.name AS repository, u.workflow_name,
       sum(u.jobs)::bigint AS jobs, min(u.first_used_at) AS first_used_at, max(u.last_used_at) AS last_used_at, bool_or(u.in_setup) AS in_setup, r.id AS repository_id,
       u.image_digest
FROM (SELECT c.action, c.path, c.ref, c.resolved_sha, c.version, c.repository_id, c.workflow_name, s.jobs, s.first_used_at, s.last_used_at, s.in_setup, c.image_digest
      FROM (SELECT caller_id, sum(jobs) AS jobs, min(first_used_at) AS first_used_at, max(last_used_at) AS last_used_at, bool_or(in_setup) AS in_setup
            FROM action_sums s
            WHERE days = 56 AND NOT EXISTS (SELECT FROM action_invalidated x WHERE x.repository_id = s.repository_id AND x.at = s.at)
            GROUP BY caller_id) s
      JOIN action_callers c ON c.id = s.caller_id
      UNION ALL
      SELECT action, path, ref, resolved_sha, version, repository_id, workflow_name, 1, created_at, created_at, in_setup, image_digest FROM action_unrolled) u
JOIN repositories r ON r.id = u.repository_id
GROUP BY r.id, u.workflow_name, u.resolved_sha, u.action, u.ref, u.path, u.version, u.image_digest;
COMMENT ON VIEW action_uses IS 'Which repositories and workflows used an action or a container image, under which ref, and at which commit or digest. Filter by lower(action).';
COMMENT ON COLUMN action_uses.action IS 'OWNER/REPO; of an image docker://NAME.';
COMMENT ON COLUMN action_uses.image_digest IS 'Digest of the image, as sha256:HEX; null: it is no image, or the log does not say.';

CREATE OR REPLACE VIEW failure_signatures AS
SELECT (j.created_at AT TIME ZONE 'UTC')::date AS day, r.owner || '/' || r.name AS repository,
       regexp_replace(regexp_replace(a.message, '\m(0x)?[0-9a-fA-F]{7,}\M', '#', 'g'), '[0-9]+', '#', 'g') AS signature,
       count(*) AS times, count(DISTINCT a.job_id) AS jobs, max(a.job_id) AS last_job_id, (array_agg(a.message ORDER BY a.job_id DESC))[1] AS example, r.id AS repository_id
FROM job_annotations a JOIN jobs j ON j.id = a.job_id JOIN repositories r ON r.id = j.repository_id
WHERE a.level = 'error' AND NOT a.tolerated AND btrim(a.message) <> ''
GROUP BY 1, r.id, 3;
COMMENT ON VIEW failure_signatures IS 'Errors in logs, grouped by message with numbers and hashes replaced, and counted by day. Without those that have no text, and those of inner steps that were allowed to fail.';

CREATE OR REPLACE VIEW annotation_facts AS
SELECT j.id AS job_id, a.log_line, a.level, a.message, a.step_number, j.name AS job_name, r.owner || '/' || r.name AS repository, w.workflow_name, w.head_branch,
       (j.created_at AT TIME ZONE 'UTC')::date AS day, a.tolerated, a.file, a.file_line
FROM jobs j
JOIN repositories r ON r.id = j.repository_id
JOIN workflow_runs w ON w.id = j.run_id,
     LATERAL (SELECT log_line, level, message, step_number, tolerated, file, file_line FROM job_annotations WHERE job_annotations.job_id = j.id OFFSET 0) a;
COMMENT ON COLUMN annotation_facts.tolerated IS 'As in job_annotations: true of an error that is none of the job.';
COMMENT ON COLUMN annotation_facts.file IS 'As in job_annotations.';
COMMENT ON COLUMN annotation_facts.file_line IS 'As in job_annotations.';

CREATE OR REPLACE VIEW environment_facts AS
SELECT j.id AS job_id, j.repository_id, r.owner || '/' || r.name AS repository, j.run_id, w.workflow_name, j.name,
       (j.created_at AT TIME ZONE 'UTC')::date AS day, j.created_at,
       e.runner_version, coalesce(e.runner_name, j.runner_name) AS runner_name, coalesce(e.runner_group, j.runner_group_name) AS runner_group, e.machine,
       e.os, e.image, e.image_version, e.secret_source, e.cache_mode, e.actions_locked,
       e.job_defined_at, e.workflow_ref, e.defined_from
FROM jobs j
JOIN repositories r ON r.id = j.repository_id
JOIN workflow_runs w ON w.id = j.run_id
LEFT JOIN job_environment e ON e.job_id = j.id;
COMMENT ON VIEW environment_facts IS 'What each job ran on, in one row. A column is null where it is not known.';
COMMENT ON COLUMN environment_facts.job_id IS 'GitHub''s id of the job.';
COMMENT ON COLUMN environment_facts.repository_id IS 'GitHub''s id of the repository.';
COMMENT ON COLUMN environment_facts.repository IS 'OWNER/NAME, its present name.';
COMMENT ON COLUMN environment_facts.run_id IS 'Workflow run of the job.';
COMMENT ON COLUMN environment_facts.workflow_name IS 'Workflow of the job.';
COMMENT ON COLUMN environment_facts.name IS 'Display name of the job.';
COMMENT ON COLUMN environment_facts.day IS 'Day of the job''s creation, UTC. Filtering by it is fast.';
COMMENT ON COLUMN environment_facts.created_at IS 'When the job was created.';
COMMENT ON COLUMN environment_facts.runner_version IS 'As in job_environment.';
COMMENT ON COLUMN environment_facts.runner_name IS 'As in job_environment; where the log does not say, as in jobs.';
COMMENT ON COLUMN environment_facts.runner_group IS 'As in job_environment; where the log does not say, runner_group_name as in jobs.';
COMMENT ON COLUMN environment_facts.machine IS 'As in job_environment.';
COMMENT ON COLUMN environment_facts.os IS 'As in job_environment.';
COMMENT ON COLUMN environment_facts.image IS 'As in job_environment.';
COMMENT ON COLUMN environment_facts.image_version IS 'As in job_environment.';
COMMENT ON COLUMN environment_facts.secret_source IS 'As in job_environment.';
COMMENT ON COLUMN environment_facts.cache_mode IS 'As in job_environment.';
COMMENT ON COLUMN environment_facts.actions_locked IS 'As in job_environment.';
COMMENT ON COLUMN environment_facts.job_defined_at IS 'As in job_environment.';
COMMENT ON COLUMN environment_facts.workflow_ref IS 'As in job_environment.';
COMMENT ON COLUMN environment_facts.defined_from IS 'As in job_environment.';

-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'jobvault_reader') THEN
        GRANT SELECT ON environment_facts TO jobvault_reader;
    END IF;
END $$;
-- +goose StatementEnd

COMMIT;

ALTER TABLE job_actions VALIDATE CONSTRAINT job_actions_kind_check;
ALTER TABLE job_environment VALIDATE CONSTRAINT job_environment_defined_from_check;

-- One that was left half made is made again.
DROP INDEX CONCURRENTLY IF EXISTS job_actions_by_digest;
CREATE INDEX CONCURRENTLY job_actions_by_digest ON job_actions (digest) WHERE digest IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS job_environment_cut;
CREATE INDEX CONCURRENTLY job_environment_cut ON job_environment (job_id) WHERE actions_cut > 0;
DROP INDEX CONCURRENTLY IF EXISTS job_logs_removed_unread;
CREATE INDEX CONCURRENTLY job_logs_removed_unread ON job_logs (job_id) WHERE state = 'removed' AND usage_version IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS job_logs_unread_3;
CREATE INDEX CONCURRENTLY job_logs_unread_3 ON job_logs (job_id) WHERE state = 'archived' AND usage_version IS DISTINCT FROM 3;
DROP INDEX CONCURRENTLY IF EXISTS job_logs_unread;
ALTER INDEX job_logs_unread_3 RENAME TO job_logs_unread;

-- +goose Down

BEGIN;
DROP INDEX job_logs_removed_unread;
DROP INDEX job_logs_unread;
CREATE INDEX job_logs_unread ON job_logs (job_id) WHERE state = 'archived' AND usage_version IS DISTINCT FROM 2;

DROP VIEW environment_facts;
CREATE OR REPLACE VIEW failure_signatures AS
SELECT (j.created_at AT TIME ZONE 'UTC')::date AS day, r.owner || '/' || r.name AS repository,
       regexp_replace(regexp_replace(a.message, '\m(0x)?[0-9a-fA-F]{7,}\M', '#', 'g'), '[0-9]+', '#', 'g') AS signature,
       count(*) AS times, count(DISTINCT a.job_id) AS jobs, max(a.job_id) AS last_job_id, (array_agg(a.message ORDER BY a.job_id DESC))[1] AS example, r.id AS repository_id
FROM job_annotations a JOIN jobs j ON j.id = a.job_id JOIN repositories r ON r.id = j.repository_id
WHERE a.level = 'error'
GROUP BY 1, r.id, 3;

-- A view cannot lose a column; it is made anew.
DROP VIEW action_uses, action_rest, action_unrolled;
CREATE VIEW action_unrolled AS
SELECT a.job_id, a.action, a.path, a.ref, a.resolved_sha, a.version, j.repository_id, w.workflow_name, j.created_at, bool_or(a.in_setup) AS in_setup
FROM (SELECT job_id FROM action_pending
      UNION
      SELECT j.id FROM action_invalidated i JOIN jobs j ON j.repository_id = i.repository_id AND j.created_at >= i.at AND j.created_at < i.at + 56 * interval '24 hours'
      UNION
      SELECT j.id FROM action_invalidated i JOIN jobs j ON j.repository_id = i.repository_id AND i.at = '-infinity' AND j.created_at IS NULL) r
JOIN job_actions a ON a.job_id = r.job_id
JOIN jobs j ON j.id = r.job_id
JOIN workflow_runs w ON w.id = j.run_id
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;
CREATE VIEW action_rest AS SELECT * FROM action_unrolled;
CREATE VIEW action_uses AS
SELECT u.action, u.path, u.ref, u.resolved_sha, u.version, r.owner || '/' || r.name AS repository, u.workflow_name,
       sum(u.jobs)::bigint AS jobs, min(u.first_used_at) AS first_used_at, max(u.last_used_at) AS last_used_at, bool_or(u.in_setup) AS in_setup, r.id AS repository_id
FROM (SELECT c.action, c.path, c.ref, c.resolved_sha, c.version, c.repository_id, c.workflow_name, s.jobs, s.first_used_at, s.last_used_at, s.in_setup
      FROM (SELECT caller_id, sum(jobs) AS jobs, min(first_used_at) AS first_used_at, max(last_used_at) AS last_used_at, bool_or(in_setup) AS in_setup
            FROM action_sums s
            WHERE days = 56 AND NOT EXISTS (SELECT FROM action_invalidated x WHERE x.repository_id = s.repository_id AND x.at = s.at)
            GROUP BY caller_id) s
      JOIN action_callers c ON c.id = s.caller_id
      UNION ALL
      SELECT action, path, ref, resolved_sha, version, repository_id, workflow_name, 1, created_at, created_at, in_setup FROM action_unrolled) u
JOIN repositories r ON r.id = u.repository_id
GROUP BY r.id, u.workflow_name, u.resolved_sha, u.action, u.ref, u.path, u.version;

COMMENT ON VIEW action_unrolled IS 'Uses of actions that are not counted in action_sums, or counted there by rows that are out of date. One row for each job and use.';
COMMENT ON COLUMN action_unrolled.action IS 'As in job_actions.';
COMMENT ON COLUMN action_unrolled.created_at IS 'When the job was created; null: not known.';
COMMENT ON COLUMN action_unrolled.in_setup IS 'As in job_actions; true if it is in one of several rows of the job.';
COMMENT ON COLUMN action_unrolled.job_id IS 'The job.';
COMMENT ON COLUMN action_unrolled.path IS 'As in job_actions.';
COMMENT ON COLUMN action_unrolled.ref IS 'As in job_actions.';
COMMENT ON COLUMN action_unrolled.repository_id IS 'Repository of the job.';
COMMENT ON COLUMN action_unrolled.resolved_sha IS 'As in job_actions.';
COMMENT ON COLUMN action_unrolled.version IS 'As in job_actions.';
COMMENT ON COLUMN action_unrolled.workflow_name IS 'Workflow of the job.';
COMMENT ON VIEW action_rest IS 'Earlier name of action_unrolled.';
COMMENT ON COLUMN action_rest.action IS 'As in action_unrolled.';
COMMENT ON COLUMN action_rest.created_at IS 'As in action_unrolled.';
COMMENT ON COLUMN action_rest.in_setup IS 'As in action_unrolled.';
COMMENT ON COLUMN action_rest.job_id IS 'As in action_unrolled.';
COMMENT ON COLUMN action_rest.path IS 'As in action_unrolled.';
COMMENT ON COLUMN action_rest.ref IS 'As in action_unrolled.';
COMMENT ON COLUMN action_rest.repository_id IS 'As in action_unrolled.';
COMMENT ON COLUMN action_rest.resolved_sha IS 'As in action_unrolled.';
COMMENT ON COLUMN action_rest.version IS 'As in action_unrolled.';
COMMENT ON COLUMN action_rest.workflow_name IS 'As in action_unrolled.';
COMMENT ON VIEW action_uses IS 'Which repositories and workflows used an action, under which ref, and at which commit. Filter by lower(action).';
COMMENT ON COLUMN action_uses.action IS 'OWNER/REPO.';
COMMENT ON COLUMN action_uses.first_used_at IS 'When the first of these jobs was created; null: not known of any.';
COMMENT ON COLUMN action_uses.in_setup IS 'Whether at least one of these jobs has it from the runner''s own words, see job_actions.in_setup.';
COMMENT ON COLUMN action_uses.jobs IS 'Number of jobs.';
COMMENT ON COLUMN action_uses.last_used_at IS 'When the last of these jobs was created; null: not known of any.';
COMMENT ON COLUMN action_uses.path IS 'Path within the repository; null: its top.';
COMMENT ON COLUMN action_uses.ref IS 'The tag, branch or commit that the workflow asked for.';
COMMENT ON COLUMN action_uses.repository IS 'OWNER/NAME of the repository whose jobs used it.';
COMMENT ON COLUMN action_uses.repository_id IS 'GitHub''s id of the repository. Repositories that have had the same name are counted apart.';
COMMENT ON COLUMN action_uses.resolved_sha IS 'The commit that was run; null: the log does not say.';
COMMENT ON COLUMN action_uses.version IS 'Version of an immutable action''s package; null: it is no such package.';
COMMENT ON COLUMN action_uses.workflow_name IS 'Workflow of these jobs.';

-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'jobvault_reader') THEN
        GRANT SELECT ON action_uses TO jobvault_reader;
    END IF;
END $$;
-- +goose StatementEnd

-- Whatever was read for the columns that go must be read again, should they come back.
UPDATE job_logs SET usage_version = NULL WHERE usage_version = 3;

-- An older jobvault knows no images. What was summed up of them is dropped with the sums of
-- their time.
DELETE FROM job_actions WHERE kind <> 'action';
ALTER TABLE action_callers DROP COLUMN image_digest;

DROP VIEW annotation_facts;
ALTER TABLE job_annotations DROP COLUMN tolerated, DROP COLUMN file, DROP COLUMN file_line;
CREATE VIEW annotation_facts AS
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

DROP INDEX job_environment_cut;
ALTER TABLE job_environment DROP COLUMN runner_name, DROP COLUMN runner_group, DROP COLUMN machine, DROP COLUMN cache_mode, DROP COLUMN actions_locked,
    DROP COLUMN defined_from, DROP COLUMN errors_cut, DROP COLUMN warnings_cut, DROP COLUMN notices_cut;
DROP INDEX job_actions_by_digest;
ALTER TABLE job_actions DROP COLUMN kind;
COMMENT ON TABLE job_actions IS 'Actions that were downloaded to run a job, and reusable workflows that it came from, as its log says; at most 1,000 a job.';
COMMENT ON COLUMN job_actions.action IS 'OWNER/REPO, as written in the workflow; compare with lower().';
COMMENT ON COLUMN job_actions.ref IS 'The tag, branch or commit that was asked for.';
COMMENT ON COLUMN job_actions.digest IS 'Digest of that package; null: it is no such package.';
COMMENT ON COLUMN job_actions.in_setup IS 'True: the runner wrote the line while it set up the job, before the first line that may contain text of callers. False: a composite action downloaded it later, or somebody printed a line that looks like it.';
COMMENT ON COLUMN job_environment.annotations_cut IS 'Number of annotations beyond those in job_annotations.';
COMMENT ON TABLE job_annotations IS 'Lines of logs that are marked as errors, warnings or notices; at most 1,000 a job.';
COMMENT ON COLUMN job_annotations.message IS 'Text of the line without colours, cut at 1,000 bytes. Any step can print one.';
COMMENT ON COLUMN action_callers.digest IS 'SHA-256 of all the columns that follow, which may be too long for an index.';
COMMENT ON VIEW failure_signatures IS 'Errors in logs, grouped by message with numbers and hashes replaced, and counted by day.';

COMMIT;
