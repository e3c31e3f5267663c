-- What jobs used, as their logs tell: actions, environment, permissions,
-- annotations.

-- +goose Up

CREATE TABLE job_actions (
    job_id       bigint NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    seq          integer NOT NULL,
    action       text NOT NULL,
    path         text,
    ref          text NOT NULL,
    resolved_sha text,
    version      text,
    digest       text,
    log_line     bigint NOT NULL,
    in_setup     boolean NOT NULL,
    PRIMARY KEY (job_id, seq)
);
CREATE INDEX job_actions_by_action ON job_actions (lower(action), job_id DESC);
CREATE INDEX job_actions_by_sha ON job_actions (resolved_sha) WHERE resolved_sha IS NOT NULL;

COMMENT ON TABLE job_actions IS 'Actions that were downloaded to run a job, and reusable workflows that it is of, as its log tells; at most 1,000 a job.';
COMMENT ON COLUMN job_actions.job_id IS 'The job.';
COMMENT ON COLUMN job_actions.seq IS 'Place among those of the job, from 0.';
COMMENT ON COLUMN job_actions.action IS 'OWNER/REPO, as written in the workflow; compare with lower().';
COMMENT ON COLUMN job_actions.path IS 'Path within the repository; of a reusable workflow, its file. Null: its top.';
COMMENT ON COLUMN job_actions.ref IS 'What it was asked for as: a tag, branch or commit.';
COMMENT ON COLUMN job_actions.resolved_sha IS 'The commit that was run; null where the log does not say.';
COMMENT ON COLUMN job_actions.version IS 'Of an immutable action''s package: its version.';
COMMENT ON COLUMN job_actions.digest IS 'Of that package: its digest.';
COMMENT ON COLUMN job_actions.log_line IS 'The line of the log that says so, from 1.';
COMMENT ON COLUMN job_actions.in_setup IS 'True: the line stands before the first step, where only the runner writes. False: a composite action downloaded it, or a step printed a line that looks like it.';

CREATE TABLE job_environment (
    job_id          bigint PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    runner_version  text,
    image           text,
    image_version   text,
    os              text,
    secret_source   text,
    job_defined_at  text,
    workflow_ref    text,
    actions_cut     bigint NOT NULL DEFAULT 0,
    annotations_cut bigint NOT NULL DEFAULT 0
);

COMMENT ON TABLE job_environment IS 'What the runner said of itself and of the job before the first step.';
COMMENT ON COLUMN job_environment.job_id IS 'The job.';
COMMENT ON COLUMN job_environment.runner_version IS 'Version of the runner.';
COMMENT ON COLUMN job_environment.image IS 'Image of a hosted runner, such as ubuntu-22.04.';
COMMENT ON COLUMN job_environment.image_version IS 'Version of that image.';
COMMENT ON COLUMN job_environment.os IS 'Operating system of a hosted runner.';
COMMENT ON COLUMN job_environment.secret_source IS 'Where its secrets came from: Actions, Dependabot, None.';
COMMENT ON COLUMN job_environment.job_defined_at IS 'OWNER/REPO/PATH@REF of the file that defines the job.';
COMMENT ON COLUMN job_environment.workflow_ref IS 'OWNER/REPO/PATH@REF of the workflow that was started: another file where a reusable workflow defines the job.';
COMMENT ON COLUMN job_environment.actions_cut IS 'How many more lines told of actions than job_actions has.';
COMMENT ON COLUMN job_environment.annotations_cut IS 'How many more annotations there were than job_annotations has.';

CREATE TABLE job_permissions (
    job_id bigint NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    scope  text NOT NULL,
    level  text NOT NULL,
    PRIMARY KEY (job_id, scope)
);

COMMENT ON TABLE job_permissions IS 'Permissions of the job''s GITHUB_TOKEN.';
COMMENT ON COLUMN job_permissions.job_id IS 'The job.';
COMMENT ON COLUMN job_permissions.scope IS 'Such as Contents.';
COMMENT ON COLUMN job_permissions.level IS 'read or write.';

CREATE TABLE job_annotations (
    job_id   bigint NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    log_line bigint NOT NULL,
    level    text NOT NULL,
    message  text NOT NULL,
    PRIMARY KEY (job_id, log_line)
);

COMMENT ON TABLE job_annotations IS 'Lines of the log that are marked as errors, warnings or notices; at most 1,000 a job.';
COMMENT ON COLUMN job_annotations.job_id IS 'The job.';
COMMENT ON COLUMN job_annotations.log_line IS 'The line of the log, from 1.';
COMMENT ON COLUMN job_annotations.level IS 'error, warning or notice.';
COMMENT ON COLUMN job_annotations.message IS 'Its text, without colours, at most 1,000 bytes of it.';

ALTER TABLE job_logs ADD COLUMN usage_version integer;
CREATE INDEX job_logs_unread ON job_logs (job_id) WHERE state = 'archived' AND usage_version IS NULL;
COMMENT ON COLUMN job_logs.usage_version IS 'By which way of reading the log the rows of job_actions, job_environment, job_permissions and job_annotations were made; null: it was not read for them.';

CREATE VIEW action_uses AS
SELECT a.action, a.path, a.ref, a.resolved_sha, a.version, r.owner || '/' || r.name AS repository, w.workflow_name,
       count(DISTINCT a.job_id) AS jobs, min(j.created_at) AS first_used_at, max(j.created_at) AS last_used_at, bool_or(a.in_setup) AS in_setup
FROM job_actions a
JOIN jobs j ON j.id = a.job_id
JOIN workflow_runs w ON w.id = j.run_id
JOIN repositories r ON r.id = j.repository_id
GROUP BY a.action, a.path, a.ref, a.resolved_sha, a.version, r.owner, r.name, w.workflow_name;

COMMENT ON VIEW action_uses IS 'Which repositories and workflows used an action, under which ref, and at which commit. Filter by lower(action).';
COMMENT ON COLUMN action_uses.action IS 'OWNER/REPO.';
COMMENT ON COLUMN action_uses.path IS 'Path within the repository; null: its top.';
COMMENT ON COLUMN action_uses.ref IS 'What it was asked for as.';
COMMENT ON COLUMN action_uses.resolved_sha IS 'The commit that was run.';
COMMENT ON COLUMN action_uses.version IS 'Of an immutable action''s package: its version.';
COMMENT ON COLUMN action_uses.repository IS 'OWNER/NAME of the repository whose jobs used it.';
COMMENT ON COLUMN action_uses.workflow_name IS 'Their workflow.';
COMMENT ON COLUMN action_uses.jobs IS 'How many jobs.';
COMMENT ON COLUMN action_uses.first_used_at IS 'When the first of them was created.';
COMMENT ON COLUMN action_uses.last_used_at IS 'When the last of them was.';
COMMENT ON COLUMN action_uses.in_setup IS 'Whether at least one of them said so before its first step, where no step can have forged it.';

-- +goose Down

DROP VIEW action_uses;
ALTER TABLE job_logs DROP COLUMN usage_version;
DROP TABLE job_annotations, job_permissions, job_environment, job_actions;
