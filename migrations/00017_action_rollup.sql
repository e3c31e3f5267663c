-- The sums of actions (00009) are brought up to date by a periodic job of the workers,
-- store.RollUpActions, and not any more by whoever inserts. The triggers only note, in
-- action_pending and action_invalidated, and so wait for nobody; the statements that roll
-- up, with their batch, their lock and their wait, stand in store/action_rollup.go.
-- At every instant what is pending or invalidated is read from the rows themselves, by
-- action_unrolled, and everything else from the sums: together they say what the rows say.
--
-- 00009 changed some things that have nothing to do with sums. They stay as they are: the
-- views step_facts and run_facts are defined there, the index job_logs_unread in 00014,
-- and the view action_uses, which reads the sums, in 00013.

-- +goose Up

ALTER TABLE action_unsummed RENAME TO action_pending;
ALTER TABLE action_pending RENAME COLUMN n TO seq;
ALTER INDEX action_unsummed_pkey RENAME TO action_pending_pkey;
ALTER SEQUENCE action_unsummed_n_seq RENAME TO action_pending_seq_seq;
ALTER TABLE action_stale RENAME TO action_invalidated;
ALTER VIEW action_rest RENAME TO action_unrolled;
ALTER FUNCTION days_of RENAME TO day_bucket;
DROP FUNCTION sum_actions;

-- +goose StatementBegin
CREATE FUNCTION action_period(at timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT day_bucket(at, 56)
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION action_period IS 'Start of the 56 days, the longest span of action_sums, that a time is in; -infinity of a null.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION note_new_actions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO action_pending (job_id) SELECT DISTINCT job_id FROM new_actions;
    -- A job that had some before may be in the sums with these.
    INSERT INTO action_invalidated (repository_id, at)
    SELECT DISTINCT j.repository_id, action_period(j.created_at)
    FROM (SELECT job_id, count(*) AS rows FROM new_actions GROUP BY job_id) n JOIN jobs j ON j.id = n.job_id
    WHERE n.rows < (SELECT count(*) FROM job_actions a WHERE a.job_id = n.job_id);
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION note_changed_actions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO action_invalidated (repository_id, at)
    SELECT DISTINCT j.repository_id, action_period(j.created_at) FROM old_actions o JOIN jobs j ON j.id = o.job_id;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION note_changed_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO action_invalidated (repository_id, at)
    SELECT c.repository_id, action_period(c.created_at)
    FROM new_jobs n JOIN old_jobs o ON o.id = n.id,
         LATERAL (VALUES (o.repository_id, o.created_at), (n.repository_id, n.created_at)) c(repository_id, created_at)
    WHERE (n.created_at, n.repository_id, n.run_id) IS DISTINCT FROM (o.created_at, o.repository_id, o.run_id);
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- Their rows in job_actions are deleted with them.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION note_deleted_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO action_invalidated (repository_id, at) SELECT DISTINCT repository_id, action_period(created_at) FROM old_jobs;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION note_changed_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO action_invalidated (repository_id, at)
    SELECT DISTINCT j.repository_id, action_period(j.created_at)
    FROM new_runs n JOIN old_runs o ON o.id = n.id JOIN jobs j ON j.run_id = n.id
    WHERE n.workflow_name IS DISTINCT FROM o.workflow_name;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- Joined, and not looked up job by job as before: where much is pending Postgres may read
-- the rows of the action that is asked for instead of those of all pending jobs.
CREATE OR REPLACE VIEW action_unrolled AS
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

-- The names of before go on working, for users' SQL and for a jobvault of before that runs
-- beside one of now.
CREATE VIEW action_unsummed AS SELECT seq AS n, job_id FROM action_pending;
CREATE VIEW action_stale AS SELECT repository_id, at, noted_at FROM action_invalidated;
CREATE VIEW action_rest AS SELECT * FROM action_unrolled;
-- +goose StatementBegin
CREATE FUNCTION days_of(at timestamptz, days integer) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT day_bucket(at, days)
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION days_of IS 'Earlier name of day_bucket.';
COMMENT ON VIEW action_unsummed IS 'Earlier name of action_pending.';
COMMENT ON COLUMN action_unsummed.n IS 'Its seq.';
COMMENT ON COLUMN action_unsummed.job_id IS 'The job. It may be noted twice.';
COMMENT ON VIEW action_stale IS 'Earlier name of action_invalidated.';
COMMENT ON COLUMN action_stale.repository_id IS 'Repository of the jobs.';
COMMENT ON COLUMN action_stale.at IS 'Start of the 56 days; -infinity: jobs whose created_at is not known.';
COMMENT ON COLUMN action_stale.noted_at IS 'When the change was made.';
COMMENT ON VIEW action_rest IS 'Earlier name of action_unrolled.';
COMMENT ON COLUMN action_rest.job_id IS 'As in action_unrolled.';
COMMENT ON COLUMN action_rest.action IS 'As in action_unrolled.';
COMMENT ON COLUMN action_rest.path IS 'As in action_unrolled.';
COMMENT ON COLUMN action_rest.ref IS 'As in action_unrolled.';
COMMENT ON COLUMN action_rest.resolved_sha IS 'As in action_unrolled.';
COMMENT ON COLUMN action_rest.version IS 'As in action_unrolled.';
COMMENT ON COLUMN action_rest.repository_id IS 'As in action_unrolled.';
COMMENT ON COLUMN action_rest.workflow_name IS 'As in action_unrolled.';
COMMENT ON COLUMN action_rest.created_at IS 'As in action_unrolled.';
COMMENT ON COLUMN action_rest.in_setup IS 'As in action_unrolled.';

-- What the columns mean, for psql's \d+: units, and what null says.

COMMENT ON TABLE action_callers IS 'Each combination of a workflow with an action that its jobs used. Rows are only added.';
COMMENT ON COLUMN action_callers.id IS 'jobvault''s own number of the row.';
COMMENT ON COLUMN action_callers.digest IS 'SHA-256 of all the columns that follow, which may be too long for an index.';
COMMENT ON COLUMN action_callers.repository_id IS 'Repository that the jobs ran for.';
COMMENT ON COLUMN action_callers.workflow_name IS 'Workflow that the jobs belong to.';

COMMENT ON TABLE action_invalidated IS 'Repositories and periods of 56 days whose rows in action_sums are out of date, because a job that they count has changed. They are not read, and made anew once the period was left alone for a minute.';
COMMENT ON COLUMN action_invalidated.repository_id IS 'Repository of the jobs.';
COMMENT ON COLUMN action_invalidated.at IS 'Start of the 56 days; -infinity: jobs whose created_at is not known.';
COMMENT ON COLUMN action_invalidated.noted_at IS 'When the change was made.';

COMMENT ON TABLE action_pending IS 'Jobs that use actions and are not in action_sums yet. The roll-up takes them within seconds while a worker runs.';
COMMENT ON COLUMN action_pending.seq IS 'Order in which jobs were noted, rising, with gaps.';
COMMENT ON COLUMN action_pending.job_id IS 'The job. It may be noted twice.';

COMMENT ON TABLE action_sums IS 'How many jobs used an action, by day, week and eight weeks. Jobs in action_pending are not counted; rows of a period in action_invalidated are out of date. Read action_uses instead.';
COMMENT ON COLUMN action_sums.days IS 'Length of the span in days: 1, 7 (weeks start on Mondays) or 56. All days are UTC.';
COMMENT ON COLUMN action_sums.at IS 'Start of the span; -infinity: jobs whose created_at is not known.';
COMMENT ON COLUMN action_sums.caller_id IS 'Row of action_callers: which workflow used which action.';
COMMENT ON COLUMN action_sums.jobs IS 'Number of jobs.';
COMMENT ON COLUMN action_sums.first_job IS 'Smallest job id.';
COMMENT ON COLUMN action_sums.last_job IS 'Largest job id.';
COMMENT ON COLUMN action_sums.first_used_at IS 'When the first of the jobs was created; null: not known of any.';
COMMENT ON COLUMN action_sums.last_used_at IS 'When the last of the jobs was created; null: not known of any.';
COMMENT ON COLUMN action_sums.in_setup IS 'Whether at least one of the jobs has it with job_actions.in_setup.';

COMMENT ON VIEW action_unrolled IS 'Uses of actions that are not counted in action_sums, or counted there by rows that are out of date. One row for each job and use.';
COMMENT ON COLUMN action_unrolled.workflow_name IS 'Workflow of the job.';
COMMENT ON COLUMN action_unrolled.created_at IS 'When the job was created; null: not known.';
COMMENT ON COLUMN action_unrolled.in_setup IS 'As in job_actions; true if it is in one of several rows of the job.';

COMMENT ON COLUMN action_uses.ref IS 'The tag, branch or commit that the workflow asked for.';
COMMENT ON COLUMN action_uses.resolved_sha IS 'The commit that was run; null: the log does not say.';
COMMENT ON COLUMN action_uses.version IS 'Version of an immutable action''s package; null: it is no such package.';
COMMENT ON COLUMN action_uses.workflow_name IS 'Workflow of these jobs.';
COMMENT ON COLUMN action_uses.jobs IS 'Number of jobs.';
COMMENT ON COLUMN action_uses.first_used_at IS 'When the first of these jobs was created; null: not known of any.';
COMMENT ON COLUMN action_uses.last_used_at IS 'When the last of these jobs was created; null: not known of any.';
COMMENT ON COLUMN action_uses.in_setup IS 'Whether at least one of these jobs has it from the runner''s own words, see job_actions.in_setup.';
COMMENT ON COLUMN action_uses.repository_id IS 'GitHub''s id of the repository. Repositories that have had the same name are counted apart.';

COMMENT ON VIEW coverage IS 'Number of jobs in each state of the ledger, for each repository and day (UTC, by the job''s creation).';
COMMENT ON COLUMN coverage.jobs IS 'Known jobs: the sum of the columns that follow.';
COMMENT ON COLUMN coverage.archived IS 'Jobs whose log is in the bucket.';
COMMENT ON COLUMN coverage.none IS 'Jobs that GitHub never had a log for.';
COMMENT ON COLUMN coverage.expired IS 'Jobs whose log GitHub has deleted before it was archived.';
COMMENT ON COLUMN coverage.missing IS 'Jobs whose log GitHub answered 404 for until the deadline.';
COMMENT ON COLUMN coverage.denied IS 'Jobs whose log GitHub refuses to give: a setting must change.';
COMMENT ON COLUMN coverage.removed IS 'Jobs whose log was archived and is removed.';
COMMENT ON COLUMN coverage.pending IS 'Jobs that are not settled yet.';
COMMENT ON COLUMN coverage.repository_id IS 'GitHub''s id of the repository. Repositories that have had the same name are counted apart.';

COMMENT ON TABLE deliveries IS 'Webhook deliveries that were accepted. No foreign keys: a delivery is committed before the rows that are made of it.';
COMMENT ON COLUMN deliveries.received_at IS 'When the delivery was committed.';
COMMENT ON COLUMN deliveries.repository_id IS 'The repository that the payload names; null: none.';
COMMENT ON COLUMN deliveries.job_id IS 'The job that the payload names; null: none.';
COMMENT ON COLUMN deliveries.state IS 'received: waits for the delivery worker; done: its rows are written; quarantined: cannot be understood, see error.';
COMMENT ON COLUMN deliveries.error IS 'Why the delivery is quarantined; null: it is not.';

COMMENT ON VIEW delivery_hourly IS 'Number of webhook deliveries by hour.';
COMMENT ON COLUMN delivery_hourly.hour IS 'Start of the hour.';
COMMENT ON COLUMN delivery_hourly.action IS 'queued, waiting, in_progress or completed; empty: the delivery has no action.';
COMMENT ON COLUMN delivery_hourly.deliveries IS 'Number of deliveries.';

COMMENT ON VIEW failure_signatures IS 'Errors in logs, grouped by message with numbers and hashes replaced, and counted by day.';
COMMENT ON COLUMN failure_signatures.day IS 'Day of the jobs'' creation, UTC. Filtering by it is fast.';
COMMENT ON COLUMN failure_signatures.repository IS 'OWNER/NAME, its present name.';
COMMENT ON COLUMN failure_signatures.times IS 'Number of lines with this message.';
COMMENT ON COLUMN failure_signatures.jobs IS 'Number of jobs with this message.';
COMMENT ON COLUMN failure_signatures.last_job_id IS 'The last of these jobs.';
COMMENT ON COLUMN failure_signatures.example IS 'The message of that job, unchanged.';
COMMENT ON COLUMN failure_signatures.repository_id IS 'GitHub''s id of the repository. Repositories that have had the same name are counted apart.';

COMMENT ON VIEW flaky_jobs IS 'Jobs that failed and later passed on the same commit.';
COMMENT ON COLUMN flaky_jobs.day IS 'Day on which the failed jobs were created, UTC. Filtering by it is fast.';
COMMENT ON COLUMN flaky_jobs.repository IS 'OWNER/NAME, its present name.';
COMMENT ON COLUMN flaky_jobs.workflow_name IS 'Workflow of the jobs.';
COMMENT ON COLUMN flaky_jobs.failures IS 'Number of failed jobs.';
COMMENT ON COLUMN flaky_jobs.passed_job_id IS 'The first job that passed afterwards.';
COMMENT ON COLUMN flaky_jobs.passed_at IS 'When that job completed.';
COMMENT ON COLUMN flaky_jobs.repository_id IS 'GitHub''s id of the repository. Repositories that have had the same name are counted apart.';

COMMENT ON TABLE holds IS 'Legal holds. While a hold stands, no log that it covers is removed or redacted, logs of later jobs included.';
COMMENT ON COLUMN holds.repository_id IS 'The repository all of whose jobs are covered; null: the hold is on a run or a job.';
COMMENT ON COLUMN holds.run_id IS 'The run all of whose jobs are covered; null: the hold is on a repository or a job.';
COMMENT ON COLUMN holds.job_id IS 'The one job that is covered; null: the hold is on a repository or a run.';
COMMENT ON COLUMN holds.reason IS 'Why the hold was set.';
COMMENT ON COLUMN holds.created_by IS 'Who set the hold.';
COMMENT ON COLUMN holds.created_at IS 'When the hold was set.';
COMMENT ON COLUMN holds.released_by IS 'Who released the hold; null: it stands.';
COMMENT ON COLUMN holds.released_at IS 'When the hold was released; null: it stands.';

COMMENT ON TABLE hooks IS 'Webhooks whose failed deliveries jobvault asks GitHub to send again.';
COMMENT ON COLUMN hooks.resolved_to IS 'Every delivery before this time was received, is in lost_deliveries, or is too old for GitHub to send again.';
COMMENT ON COLUMN hooks.succeeded_at IS 'When the hook''s list of deliveries was last read to its end; null: never.';

COMMENT ON TABLE job_actions IS 'Actions that were downloaded to run a job, and reusable workflows that it came from, as its log says; at most 1,000 a job.';
COMMENT ON COLUMN job_actions.seq IS 'Place among the job''s actions, from 0.';
COMMENT ON COLUMN job_actions.path IS 'Path within the repository; for a reusable workflow, its file. Null: the repository''s root.';
COMMENT ON COLUMN job_actions.ref IS 'The tag, branch or commit that was asked for.';
COMMENT ON COLUMN job_actions.resolved_sha IS 'The commit that was run; null: the log does not say.';
COMMENT ON COLUMN job_actions.version IS 'Version of an immutable action''s package; null: it is no such package.';
COMMENT ON COLUMN job_actions.digest IS 'Digest of that package; null: it is no such package.';
COMMENT ON COLUMN job_actions.log_line IS 'Number of the line of the log that says so, from 1.';
COMMENT ON COLUMN job_actions.in_setup IS 'True: the runner wrote the line while it set up the job, before the first line that may contain text of callers. False: a composite action downloaded it later, or somebody printed a line that looks like it.';

COMMENT ON TABLE job_annotations IS 'Lines of logs that are marked as errors, warnings or notices; at most 1,000 a job.';
COMMENT ON COLUMN job_annotations.log_line IS 'Number of the line of the log, from 1.';
COMMENT ON COLUMN job_annotations.message IS 'Text of the line without colours, cut at 1,000 bytes. Any step can print one.';

COMMENT ON TABLE job_environment IS 'What the runner wrote about itself and the job while it set up the job. A column is null where it did not say, or where the words may not be its own.';
COMMENT ON COLUMN job_environment.secret_source IS 'Where the job''s secrets came from: Actions, Dependabot or None.';
COMMENT ON COLUMN job_environment.workflow_ref IS 'OWNER/REPO/PATH@REF of the workflow that was started. It differs from job_defined_at for a job of a reusable workflow.';
COMMENT ON COLUMN job_environment.actions_cut IS 'Number of lines about actions beyond those in job_actions.';
COMMENT ON COLUMN job_environment.annotations_cut IS 'Number of annotations beyond those in job_annotations.';

COMMENT ON TABLE job_facets IS 'An index for lists of jobs, kept by triggers. A row may be out of date; readers look the job up and check it.';
COMMENT ON COLUMN job_facets.facet IS 'facet(kind, value), with kind all, repository, workflow, branch, conclusion, runner or label.';
COMMENT ON COLUMN job_facets.at IS 'jobs.created_at; -infinity: not known.';

COMMENT ON VIEW job_facts IS 'A job in one row, with its run, repository, labels and log.';
COMMENT ON COLUMN job_facts.repository IS 'OWNER/NAME, its present name.';
COMMENT ON COLUMN job_facts.run_id IS 'The job''s workflow run.';
COMMENT ON COLUMN job_facts.workflow_name IS 'Workflow of that run.';
COMMENT ON COLUMN job_facts.day IS 'Day on which the job was created, UTC. Filtering by it is fast.';
COMMENT ON COLUMN job_facts.created_at IS 'When the job was created.';
COMMENT ON COLUMN job_facts.started_at IS 'When a runner started the job.';
COMMENT ON COLUMN job_facts.completed_at IS 'When the job completed.';
COMMENT ON COLUMN job_facts.queue_seconds IS 'Seconds from creation to start; null: no runner took the job.';
COMMENT ON COLUMN job_facts.duration_seconds IS 'Seconds from start to completion; null: the job was skipped or has not completed.';
COMMENT ON COLUMN job_facts.runner_name IS 'Runner that took the job.';
COMMENT ON COLUMN job_facts.labels IS 'Labels that the job asked for, in its order.';
COMMENT ON COLUMN job_facts.log_state IS 'State of the job''s log in the ledger.';
COMMENT ON COLUMN job_facts.log_bytes IS 'Size of the log in bytes, uncompressed; null: never archived.';
COMMENT ON COLUMN job_facts.log_lines IS 'Number of lines of the log; null: never archived.';
COMMENT ON COLUMN job_facts.failed_step IS 'Name of the first step that failed; null: none did.';

COMMENT ON TABLE job_labels IS 'Runner labels that each job asked for.';

COMMENT ON TABLE job_logs IS 'The ledger: exactly one row for every job that jobvault has ever heard of, in exactly one state.';
COMMENT ON COLUMN job_logs.reason IS 'Why the row is in that state, in words; GitHub''s own words where it gave some.';
COMMENT ON COLUMN job_logs.http_status IS 'HTTP status of GitHub''s last answer about the job or its log; null: it was not asked.';
COMMENT ON COLUMN job_logs.attempts IS 'How often GitHub was asked for the log.';
COMMENT ON COLUMN job_logs.object_key IS 'Key of the log in the bucket; null: not archived.';
COMMENT ON COLUMN job_logs.raw_bytes IS 'Size in bytes of the log as GitHub sent it; null: never archived.';
COMMENT ON COLUMN job_logs.stored_bytes IS 'Size in bytes of the compressed object; null: not archived.';
COMMENT ON COLUMN job_logs.lines IS 'Number of lines, a last one without a newline included; null: never archived.';
COMMENT ON COLUMN job_logs.sha256 IS 'SHA-256 of the log as GitHub sent it; null: never archived.';
COMMENT ON COLUMN job_logs.truncated IS 'Whether the log was longer than the limit that was set, and the object has only its beginning.';
COMMENT ON COLUMN job_logs.archived_at IS 'When the object was complete in the bucket; null: never archived.';
COMMENT ON COLUMN job_logs.settled_at IS 'When the row got its present state; null: pending or denied.';
COMMENT ON COLUMN job_logs.stored_sha256 IS 'SHA-256 of the object as it is stored; null: archived before this was noted, or not archived.';
COMMENT ON COLUMN job_logs.usage_version IS 'Version of the reader of logs that made the rows of job_actions, job_environment, job_permissions and job_annotations; null: the log was not read for them.';
COMMENT ON COLUMN job_logs.manifest_date IS 'Date of the manifest that lists the row as it is; null: none yet.';
COMMENT ON COLUMN job_logs.details_sha256 IS 'SHA-256 of job.json in the bucket; null: not noted, or there is none.';
COMMENT ON COLUMN job_logs.details_bytes IS 'Size of job.json in bytes; null: not noted, or there is none.';
COMMENT ON COLUMN job_logs.filter_bytes IS 'Size in bytes of log.filter, the object that says which frames may contain a search term; null: there is none, as for logs below 64 KiB.';
COMMENT ON COLUMN job_logs.settled_sha256 IS 'SHA-256 of settled.json in the bucket; null: not noted, or there is none.';
COMMENT ON COLUMN job_logs.settled_bytes IS 'Size of settled.json in bytes; 0: there is none; null: not noted, the next manifest that lists the job looks.';

COMMENT ON COLUMN job_permissions.scope IS 'Name of the permission, such as Contents.';

COMMENT ON COLUMN jobs.name IS 'Display name. Not unique within a run, and may contain anything.';
COMMENT ON COLUMN jobs.started_at IS 'When the job started, as GitHub says; equal to created_at while the job is queued.';
COMMENT ON COLUMN jobs.completed_at IS 'When the job completed; null: it has not.';
COMMENT ON COLUMN jobs.runner_id IS 'Runner that took the job; null: none has.';
COMMENT ON COLUMN jobs.runner_name IS 'Name of that runner; null: none has taken the job.';
COMMENT ON COLUMN jobs.runner_group_id IS 'Group of that runner; null: none has taken the job.';
COMMENT ON COLUMN jobs.runner_group_name IS 'Name of that group; null: no runner has taken the job.';
COMMENT ON COLUMN jobs.fetched_at IS 'When the REST API described the completed job, which is final; null: all that is known comes from webhooks.';

COMMENT ON COLUMN keys.purpose IS 'What the key is used for.';
COMMENT ON COLUMN keys.created_at IS 'When the key was made.';

COMMENT ON VIEW label_daily IS 'How many jobs asked for a runner label and how long they waited, by day.';
COMMENT ON COLUMN label_daily.jobs IS 'Number of jobs that asked for the label.';
COMMENT ON COLUMN label_daily.queue_seconds_p50 IS 'Median of the jobs'' seconds in the queue.';
COMMENT ON COLUMN label_daily.queue_seconds_p95 IS '95th percentile of the jobs'' seconds in the queue.';
COMMENT ON COLUMN label_daily.job_seconds IS 'Total seconds that runners spent on the jobs.';

COMMENT ON TABLE log_redactions IS 'Redacted copies of removed logs. Of a job at most one is present; earlier ones are removed.';
COMMENT ON COLUMN log_redactions.number IS 'Number of the copy within the job, rising.';
COMMENT ON COLUMN log_redactions.raw_bytes IS 'Size of the copy in bytes, uncompressed.';
COMMENT ON COLUMN log_redactions.stored_bytes IS 'Size of the compressed object in bytes.';
COMMENT ON COLUMN log_redactions.lines IS 'Number of lines, the same as of the log.';
COMMENT ON COLUMN log_redactions.sha256 IS 'SHA-256 of the copy, uncompressed.';
COMMENT ON COLUMN log_redactions.frame_lines IS 'As in job_logs; null: the copy is removed.';
COMMENT ON COLUMN log_redactions.frame_offsets IS 'As in job_logs; null: the copy is removed.';
COMMENT ON COLUMN log_redactions.redacted_lines IS 'Number of lines in which text was redacted.';
COMMENT ON COLUMN log_redactions.matches IS 'Number of pieces of text that were redacted. They are stored nowhere.';
COMMENT ON COLUMN log_redactions.actor IS 'Who redacted the log.';
COMMENT ON COLUMN log_redactions.reason IS 'Why the log was redacted.';
COMMENT ON COLUMN log_redactions.at IS 'When the log was redacted.';
COMMENT ON COLUMN log_redactions.removed_at IS 'When the copy was removed, also if in favour of the next one; null: it is present.';
COMMENT ON COLUMN log_redactions.removed_by IS 'Who removed the copy; null: it is present.';
COMMENT ON COLUMN log_redactions.removed_reason IS 'Why the copy was removed; null: it is present.';

COMMENT ON TABLE log_removals IS 'Logs that were archived and are removed: what they were, and who removed them and why.';
COMMENT ON COLUMN log_removals.kind IS 'retention: a rule removed it; redaction: somebody did.';
COMMENT ON COLUMN log_removals.rule IS 'The retention rule as it was at that time; null: removed by hand.';
COMMENT ON COLUMN log_removals.reason IS 'Why the log was removed, in words.';
COMMENT ON COLUMN log_removals.actor IS 'Who removed the log.';
COMMENT ON COLUMN log_removals.decided_at IS 'When the ledger began to say removed.';
COMMENT ON COLUMN log_removals.sha256 IS 'SHA-256 of the log as GitHub had sent it.';
COMMENT ON COLUMN log_removals.raw_bytes IS 'Size in bytes of the log as GitHub had sent it.';
COMMENT ON COLUMN log_removals.stored_bytes IS 'Size in bytes of the object that was removed.';
COMMENT ON COLUMN log_removals.lines IS 'Number of lines of the log.';
COMMENT ON COLUMN log_removals.truncated IS 'Whether the object had only the beginning of a longer log.';
COMMENT ON COLUMN log_removals.object_key IS 'Key of the object that was removed.';
COMMENT ON COLUMN log_removals.archived_at IS 'When the log had been archived.';
COMMENT ON COLUMN log_removals.finished_at IS 'When the log and its removed copies were gone from the bucket; null: something may still be there, and a worker or retention apply removes it.';
COMMENT ON COLUMN log_removals.logged_in IS 'Number of the record in the log of removals that has all of this row and of its copies; null: none yet, and nothing may be deleted from the bucket.';
COMMENT ON COLUMN log_removals.attempts IS 'Number of failures to finish the removal, in a row.';
COMMENT ON COLUMN log_removals.retry_at IS 'When a worker tries again to finish the removal; null: at once, or it is finished. retention apply does not wait for it.';
COMMENT ON COLUMN log_removals.error IS 'Why the removal could not be finished: what the bucket still has, and what it answered; null: no failure.';

COMMENT ON TABLE lost_deliveries IS 'Deliveries that failed and have not arrived since, while GitHub can still send them again.';
COMMENT ON COLUMN lost_deliveries.guid IS 'X-GitHub-Delivery, the same for all attempts.';
COMMENT ON COLUMN lost_deliveries.delivery_id IS 'GitHub''s id of one attempt, needed to ask for another.';
COMMENT ON COLUMN lost_deliveries.asked_at IS 'When GitHub was last asked to send it again; null: never.';

COMMENT ON TABLE manifests IS 'Daily manifests that are in the bucket and whose jobs are marked in job_logs. The last one must be in the bucket before the next is written.';
COMMENT ON COLUMN manifests.date IS 'Day, UTC. The manifest lists what was settled before the end of the day and is in no earlier manifest.';
COMMENT ON COLUMN manifests.previous IS 'Date of the manifest before it, whose digest it contains; null: it is the first.';
COMMENT ON COLUMN manifests.jobs IS 'Number of jobs that it lists.';
COMMENT ON COLUMN manifests.stored_bytes IS 'Size of the compressed object in bytes.';
COMMENT ON COLUMN manifests.written_at IS 'When its jobs were marked in job_logs.';

COMMENT ON VIEW name_holders IS 'Which repository holds a name, for rights and rules: the one that GitHub last named so, if that is still its present name. Of two reports of the same time, one of the REST API counts for more, then that of the larger (newer) id.';
COMMENT ON COLUMN name_holders.repository_id IS 'The repository that holds the name.';

COMMENT ON TABLE rate_limits IS 'GitHub''s rate limits, shared by all replicas.';
COMMENT ON COLUMN rate_limits.installation_id IS 'Installation of the GitHub App; 0: the token, or the App itself.';
COMMENT ON COLUMN rate_limits.request_limit IS 'Requests allowed in an hour; 0: the server has no limit.';
COMMENT ON COLUMN rate_limits.reset_at IS 'When remaining becomes request_limit again.';
COMMENT ON COLUMN rate_limits.guessed IS 'Whether reset_at is a guess, an hour after the first request, and not from GitHub.';
COMMENT ON COLUMN rate_limits.closed_until IS 'No request is made before this time, because GitHub asked for a pause.';
COMMENT ON COLUMN rate_limits.spent IS 'Number of requests ever made.';
COMMENT ON COLUMN rate_limits.answered IS 'Number of those that have ended.';
COMMENT ON COLUMN rate_limits.minute_at IS 'Start of the present minute of the secondary rate limit.';
COMMENT ON COLUMN rate_limits.version IS 'Number of changes of the row, for optimistic locking.';

COMMENT ON TABLE read_tokens IS 'Tokens that may read the archive, made by jobvault token.';
COMMENT ON COLUMN read_tokens.name IS 'Name of the token, as in reads.';
COMMENT ON COLUMN read_tokens.digest IS 'SHA-256 of the token, which is not stored.';
COMMENT ON COLUMN read_tokens.repositories IS 'What the token may read: OWNER/NAME or OWNER/*, compared without regard to case with the names that repositories hold (name_holders).';
COMMENT ON COLUMN read_tokens.created_at IS 'When the token was made.';
COMMENT ON COLUMN read_tokens.expires_at IS 'When the token expires; null: never.';
COMMENT ON COLUMN read_tokens.revoked_at IS 'When the token was revoked; null: it is not.';

COMMENT ON TABLE reads IS 'Every reading of a log, written before its first byte is sent.';
COMMENT ON COLUMN reads.at IS 'When it was read.';
COMMENT ON COLUMN reads.subject IS 'Who read it: github LOGIN, token NAME, local USER, or loopback.';
COMMENT ON COLUMN reads.job_id IS 'The job whose log was read.';
COMMENT ON COLUMN reads.what IS 'What was read: whole, bytes A-B, lines A-B, step N, search, or export.';

COMMENT ON TABLE removal_log IS 'Records of the log of removals in the bucket that this database has applied. It lacks a record that was written after the dump that it was restored from.';
COMMENT ON COLUMN removal_log.number IS 'Number of the record, from 1, without gaps.';
COMMENT ON COLUMN removal_log.lines IS 'Number of jobs in the record.';
COMMENT ON COLUMN removal_log.written_at IS 'When the record was written.';

COMMENT ON TABLE repositories IS 'Repositories that jobvault has heard of, each under its present name: the one that GitHub named last, by GitHub''s times and in whatever order reports arrived. Where several have one name, name_holders says which holds it.';
COMMENT ON COLUMN repositories.private IS 'Whether the repository is private, as GitHub last said; null: it did not say.';
COMMENT ON COLUMN repositories.installation_id IS 'Installation of the GitHub App whose webhook named the repository; null: without an App.';
COMMENT ON COLUMN repositories.named_at IS 'Time of the latest report of owner and name: of a webhook, the latest time in its payload; of the REST API, when it was asked. The epoch: the report has no time.';
COMMENT ON COLUMN repositories.named_by_api IS 'Whether that report came from the REST API, which counts for more than a webhook of the same time.';
COMMENT ON COLUMN repositories.private_at IS 'Time of the latest report of private; null: none.';
COMMENT ON COLUMN repositories.installation_at IS 'Time of the latest report of installation_id; null: none.';

COMMENT ON TABLE repository_names IS 'Names of repositories other than the present one, for finding them. They give no rights.';
COMMENT ON COLUMN repository_names.owner IS 'Owner in that name.';
COMMENT ON COLUMN repository_names.name IS 'Name without the owner.';
COMMENT ON COLUMN repository_names.until IS 'When jobvault first knew another name of the repository. For information only.';
COMMENT ON COLUMN repository_names.named_at IS 'Time of the latest report of this name, as in repositories.';

COMMENT ON TABLE retention_plans IS 'Names of repositories when the last retention plan was made. retention apply keeps the logs of a repository that has another name by now.';
COMMENT ON COLUMN retention_plans.owner IS 'Owner at that time.';
COMMENT ON COLUMN retention_plans.name IS 'Name at that time.';
COMMENT ON COLUMN retention_plans.has_name IS 'Whether the repository held the name at that time, see name_holders.';
COMMENT ON COLUMN retention_plans.planned_at IS 'When the plan was made.';

COMMENT ON TABLE retention_rules IS 'How long logs are kept. The first rule that matches a job applies; logs of jobs that match none are kept.';
COMMENT ON COLUMN retention_rules.id IS 'Number of the rule, never used again.';
COMMENT ON COLUMN retention_rules.position IS 'Place of the rule in the order, from 1.';
COMMENT ON COLUMN retention_rules.older_than_days IS 'Match only jobs that completed at least so many days (of 24 hours) ago; null: any age.';
COMMENT ON COLUMN retention_rules.keep_days IS 'Days (of 24 hours) from the job''s completion for which its log is kept; null: for ever.';
COMMENT ON COLUMN retention_rules.created_at IS 'When the rule was made.';

COMMENT ON TABLE run_attempts IS 'Attempts of workflow runs whose jobs were listed by a sweep. No foreign key to workflow_runs: an attempt may have no job.';
COMMENT ON COLUMN run_attempts.jobs IS 'Number of jobs that GitHub listed for the attempt.';
COMMENT ON COLUMN run_attempts.complete IS 'Whether the attempt and all its jobs had ended when listed. It is not listed again.';
COMMENT ON COLUMN run_attempts.swept_at IS 'When the attempt was last listed.';
COMMENT ON COLUMN run_attempts.gone_at IS 'When GitHub first said that it has no such run; null: it has.';

COMMENT ON COLUMN run_facts.repository IS 'OWNER/NAME, its present name.';
COMMENT ON COLUMN run_facts.workflow_name IS 'Workflow of the run.';
COMMENT ON COLUMN run_facts.attempts IS 'Number of the latest attempt that has jobs.';
COMMENT ON COLUMN run_facts.jobs IS 'Number of jobs of all attempts.';
COMMENT ON COLUMN run_facts.succeeded IS 'Number of jobs that succeeded.';
COMMENT ON COLUMN run_facts.failed IS 'Number of jobs that failed or timed out.';
COMMENT ON COLUMN run_facts.cancelled IS 'Number of jobs that were cancelled.';
COMMENT ON COLUMN run_facts.skipped IS 'Number of jobs that were skipped.';
COMMENT ON COLUMN run_facts.unfinished IS 'Number of jobs that have not completed.';
COMMENT ON COLUMN run_facts.completed_at IS 'When the last of the jobs completed, so far.';
COMMENT ON COLUMN run_facts.wall_seconds IS 'Seconds from created_at to completed_at.';
COMMENT ON COLUMN run_facts.job_seconds IS 'Total seconds that runners spent on the jobs.';

COMMENT ON VIEW runner_daily IS 'What each runner did on each day.';
COMMENT ON COLUMN runner_daily.runner_name IS 'Name of the runner.';
COMMENT ON COLUMN runner_daily.runner_group_name IS 'Group of the runner.';
COMMENT ON COLUMN runner_daily.jobs IS 'Number of jobs that the runner took.';
COMMENT ON COLUMN runner_daily.failed IS 'Number of those that failed or timed out.';
COMMENT ON COLUMN runner_daily.job_seconds IS 'Total seconds that the runner spent on them.';

COMMENT ON TABLE sessions IS 'Who is signed in to the web pages.';
COMMENT ON COLUMN sessions.digest IS 'SHA-256 of the session''s cookie, which is not stored.';
COMMENT ON COLUMN sessions.sealed IS 'The GitHub token that was used to sign in, encrypted with a key derived from the cookie: it cannot be read from the database alone.';
COMMENT ON COLUMN sessions.created_at IS 'When the session began.';
COMMENT ON COLUMN sessions.expires_at IS 'When the session ends.';

COMMENT ON VIEW step_facts IS 'A step in one row, with its job, run and repository.';
COMMENT ON COLUMN step_facts.job_id IS 'The job of the step.';
COMMENT ON COLUMN step_facts.started_at IS 'When the step started, to the second.';
COMMENT ON COLUMN step_facts.completed_at IS 'When the step completed, to the second.';
COMMENT ON COLUMN step_facts.duration_seconds IS 'Seconds from started_at to completed_at; null: the step was skipped or has not completed.';
COMMENT ON COLUMN step_facts.log_first_line IS 'First line of the step in the log, from 1; an estimate.';
COMMENT ON COLUMN step_facts.log_last_line IS 'Last line of the step in the log, inclusive; an estimate.';
COMMENT ON COLUMN step_facts.repository IS 'OWNER/NAME, its present name.';
COMMENT ON COLUMN step_facts.workflow_name IS 'Workflow of the job.';
COMMENT ON COLUMN step_facts.day IS 'Day on which the job was created, UTC. Filtering by it is fast.';

COMMENT ON COLUMN steps.number IS 'GitHub''s number of the step, from 1 (Gitea: 0), with gaps.';
COMMENT ON COLUMN steps.started_at IS 'When the step started, to the second.';
COMMENT ON COLUMN steps.completed_at IS 'When the step completed, to the second.';
COMMENT ON COLUMN steps.log_first_line IS 'First line of the step in the job''s log, from 1. An estimate: logs do not mark steps. Null: not known.';
COMMENT ON COLUMN steps.log_last_line IS 'Last line of the step in the job''s log, inclusive. An estimate, as log_first_line.';

COMMENT ON TABLE sweeps IS 'How far the workflow runs of each repository have been listed, and their jobs written.';
COMMENT ON COLUMN sweeps.swept IS 'Ranges of time, by GitHub''s clock, in which every run that was created is listed and its jobs are in jobs and job_logs.';
COMMENT ON COLUMN sweeps.watermark IS 'Where the next sweep starts, by GitHub''s clock. Backfills do not move it.';
COMMENT ON COLUMN sweeps.deep_at IS 'When all runs that can still be re-run were last listed; null: never.';
COMMENT ON COLUMN sweeps.listed_from IS 'Start of the listing that etag belongs to; null: it had more than one page.';
COMMENT ON COLUMN sweeps.etag IS 'ETag of that listing: while it is unchanged, a request costs nothing.';
COMMENT ON COLUMN sweeps.listed_runs IS 'Number of runs in that listing. Of an empty one, an unchanged etag proves nothing.';
COMMENT ON COLUMN sweeps.succeeded_at IS 'When a sweep last succeeded; null: never.';
COMMENT ON COLUMN sweeps.failed_at IS 'When a sweep last failed; null: one has succeeded since, or none failed.';
COMMENT ON COLUMN sweeps.error IS 'Why that sweep failed; null: as failed_at.';

COMMENT ON COLUMN workflow_daily.succeeded IS 'Number of jobs that succeeded.';
COMMENT ON VIEW workflow_daily IS 'Figures of each workflow by the day on which its jobs were created.';
COMMENT ON COLUMN workflow_daily.repository IS 'OWNER/NAME, its present name.';
COMMENT ON COLUMN workflow_daily.runs IS 'Number of runs with jobs on that day.';
COMMENT ON COLUMN workflow_daily.jobs IS 'Number of jobs.';
COMMENT ON COLUMN workflow_daily.failed IS 'Number of jobs that failed or timed out.';
COMMENT ON COLUMN workflow_daily.duration_seconds_p50 IS 'Median of the jobs'' seconds from start to completion.';
COMMENT ON COLUMN workflow_daily.duration_seconds_p95 IS '95th percentile of the jobs'' seconds from start to completion.';
COMMENT ON COLUMN workflow_daily.queue_seconds_p95 IS '95th percentile of the jobs'' seconds in the queue.';
COMMENT ON COLUMN workflow_daily.job_seconds IS 'Total seconds that runners spent on the jobs.';
COMMENT ON COLUMN workflow_daily.repository_id IS 'GitHub''s id of the repository. Repositories that have had the same name are counted apart.';

COMMENT ON TABLE workflow_runs IS 'Workflow runs, as described with their jobs. All attempts of a run share one row.';
COMMENT ON COLUMN workflow_runs.workflow_name IS 'Name of the workflow; null: the server did not say (Gitea).';
COMMENT ON COLUMN workflow_runs.head_branch IS 'Branch or tag that the run was started for; null: none.';
COMMENT ON COLUMN workflow_runs.head_sha IS 'Commit that the run was started for, 40 hex digits; null: not known.';

COMMENT ON FUNCTION day_bucket IS 'Start of the span of so many days that a time is in; -infinity for null.';
COMMENT ON FUNCTION facet IS 'Number of something that jobs can be found by; null for null.';
COMMENT ON FUNCTION facets IS 'All facets of a job''s own row and of its run''s. Those of its labels are kept apart.';
COMMENT ON FUNCTION seconds_between IS 'Seconds from one time to another; null if one is null, or they are not in order.';
COMMENT ON FUNCTION unlist_log IS 'Makes the next manifest list a job again whose listed line has changed.';
COMMENT ON FUNCTION unlist_redacted IS 'Makes the next manifest list a job again whose redacted copies have changed.';
COMMENT ON FUNCTION has_name IS 'Whether a repository holds its present name, as in name_holders, which is faster for many.';

-- +goose Down

-- The comments of other tables stay: they are true of the older schema too.

DROP FUNCTION days_of(timestamptz, integer);
DROP VIEW action_rest, action_stale, action_unsummed;
DROP FUNCTION action_period;
ALTER FUNCTION day_bucket RENAME TO days_of;
ALTER VIEW action_unrolled RENAME TO action_rest;
ALTER TABLE action_invalidated RENAME TO action_stale;
ALTER SEQUENCE action_pending_seq_seq RENAME TO action_unsummed_n_seq;
ALTER INDEX action_pending_pkey RENAME TO action_unsummed_pkey;
ALTER TABLE action_pending RENAME COLUMN seq TO n;
ALTER TABLE action_pending RENAME TO action_unsummed;

-- +goose StatementBegin
CREATE FUNCTION sum_actions(most bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- One at a time, and nobody waits: nothing else writes the sums.
    IF NOT pg_try_advisory_xact_lock(hashtextextended('jobvault action_sums', 0)) THEN
        RETURN;
    END IF;
    -- The jobs of one place that is stale, and was left alone for a while, are summed up
    -- anew.
    IF (SELECT count(*) FROM action_unsummed) < most THEN
        WITH quiet AS (SELECT repository_id, at FROM action_stale GROUP BY 1, 2 HAVING max(noted_at) < clock_timestamp() - interval '1 minute' ORDER BY max(noted_at) LIMIT 1),
             noted AS (DELETE FROM action_stale s USING quiet q WHERE (s.repository_id, s.at) = (q.repository_id, q.at)),
             dropped AS (DELETE FROM action_sums s USING quiet q WHERE s.repository_id = q.repository_id AND days_of(s.at, 56) = q.at)
        INSERT INTO action_unsummed (job_id)
        SELECT j.id FROM quiet q JOIN jobs j ON j.repository_id = q.repository_id AND days_of(j.created_at, 56) = q.at
        WHERE EXISTS (SELECT FROM job_actions a WHERE a.job_id = j.id);
    END IF;
    -- All notes of a job are taken together: it would be counted twice.
    WITH taken AS (DELETE FROM action_unsummed
                   WHERE job_id IN (SELECT job_id FROM action_unsummed WHERE n < (SELECT min(n) FROM action_unsummed) + most) RETURNING job_id),
         used AS (
             SELECT action, path, ref, resolved_sha, version, repository_id, workflow_name, days_of(created_at, 1) AS at, count(*) AS jobs,
                    min(u.job_id) AS first_job, max(u.job_id) AS last_job, min(created_at) AS first_used_at, max(created_at) AS last_used_at, bool_or(in_setup) AS in_setup
             FROM (SELECT DISTINCT job_id FROM taken) t, LATERAL (
                 SELECT a.job_id, a.action, a.path, a.ref, a.resolved_sha, a.version, j.repository_id, w.workflow_name, j.created_at, bool_or(a.in_setup) AS in_setup
                 FROM jobs j JOIN workflow_runs w ON w.id = j.run_id JOIN job_actions a ON a.job_id = j.id
                 WHERE j.id = t.job_id
                 GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9) u
             GROUP BY 1, 2, 3, 4, 5, 6, 7, 8),
         daily AS MATERIALIZED (
             SELECT *, sha256(convert_to(ROW(action, path, ref, resolved_sha, version, repository_id, workflow_name)::text, 'UTF8')) AS digest FROM used),
         added AS (
             INSERT INTO action_callers (digest, action, path, ref, resolved_sha, version, repository_id, workflow_name)
             SELECT DISTINCT ON (digest) digest, action, path, ref, resolved_sha, version, repository_id, workflow_name FROM daily
             WHERE NOT EXISTS (SELECT FROM action_callers c WHERE c.digest = daily.digest)
             RETURNING id, digest),
         callers AS (SELECT id, digest FROM action_callers UNION ALL SELECT id, digest FROM added)
    INSERT INTO action_sums AS s (action, days, at, caller_id, repository_id, jobs, first_job, last_job, first_used_at, last_used_at, in_setup)
    SELECT facet('action', lower(d.action)), days, days_of(d.at, days), c.id, d.repository_id,
           sum(jobs), min(first_job), max(last_job), min(first_used_at), max(last_used_at), bool_or(in_setup)
    FROM daily d JOIN callers c USING (digest), (VALUES (1), (7), (56)) v(days)
    GROUP BY 1, 2, 3, 4, 5
    ORDER BY 1, 2, 3 -- what is read together lies together
    ON CONFLICT (action, days, at, caller_id) DO UPDATE SET
        jobs = s.jobs + excluded.jobs, first_job = least(s.first_job, excluded.first_job), last_job = greatest(s.last_job, excluded.last_job),
        first_used_at = least(s.first_used_at, excluded.first_used_at), last_used_at = greatest(s.last_used_at, excluded.last_used_at),
        in_setup = s.in_setup OR excluded.in_setup;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION note_new_actions() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    jobs bigint;
    due  boolean;
BEGIN
    WITH noted AS (INSERT INTO action_unsummed (job_id) SELECT DISTINCT job_id FROM new_actions RETURNING n)
    SELECT count(*), bool_or(n % 1000 = 0) INTO jobs, due FROM noted;
    -- A job that had some before may have been summed up with these.
    INSERT INTO action_stale (repository_id, at)
    SELECT DISTINCT j.repository_id, days_of(j.created_at, 56)
    FROM (SELECT job_id, count(*) AS rows FROM new_actions GROUP BY job_id) n JOIN jobs j ON j.id = n.job_id
    WHERE n.rows < (SELECT count(*) FROM job_actions a WHERE a.job_id = n.job_id);
    IF due THEN
        PERFORM sum_actions(greatest(10000, 2 * jobs));
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION note_changed_actions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO action_stale (repository_id, at)
    SELECT DISTINCT j.repository_id, days_of(j.created_at, 56) FROM old_actions o JOIN jobs j ON j.id = o.job_id;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION note_changed_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO action_stale (repository_id, at)
    SELECT c.repository_id, days_of(c.created_at, 56)
    FROM new_jobs n JOIN old_jobs o ON o.id = n.id,
         LATERAL (VALUES (o.repository_id, o.created_at), (n.repository_id, n.created_at)) c(repository_id, created_at)
    WHERE (n.created_at, n.repository_id, n.run_id) IS DISTINCT FROM (o.created_at, o.repository_id, o.run_id);
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION note_deleted_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO action_stale (repository_id, at) SELECT DISTINCT repository_id, days_of(created_at, 56) FROM old_jobs;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION note_changed_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO action_stale (repository_id, at)
    SELECT DISTINCT j.repository_id, days_of(j.created_at, 56)
    FROM new_runs n JOIN old_runs o ON o.id = n.id JOIN jobs j ON j.run_id = n.id
    WHERE n.workflow_name IS DISTINCT FROM o.workflow_name;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE OR REPLACE VIEW action_rest AS
SELECT u.job_id, u.action, u.path, u.ref, u.resolved_sha, u.version, u.repository_id, u.workflow_name, u.created_at, u.in_setup
FROM (SELECT job_id FROM action_unsummed
      UNION
      SELECT j.id FROM action_stale s JOIN jobs j ON j.repository_id = s.repository_id AND j.created_at >= s.at AND j.created_at < s.at + interval '1344 hours'
      UNION
      SELECT j.id FROM action_stale s JOIN jobs j ON j.repository_id = s.repository_id AND s.at = '-infinity' AND j.created_at IS NULL) r,
     LATERAL (
         SELECT a.job_id, a.action, a.path, a.ref, a.resolved_sha, a.version, j.repository_id, w.workflow_name, j.created_at, bool_or(a.in_setup) AS in_setup
         FROM jobs j JOIN workflow_runs w ON w.id = j.run_id JOIN job_actions a ON a.job_id = j.id
         WHERE j.id = r.job_id
         GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9) u;

COMMENT ON TABLE action_callers IS 'Workflows with the actions that their jobs used.';
COMMENT ON COLUMN action_callers.id IS 'jobvault''s own number of it.';
COMMENT ON COLUMN action_callers.digest IS 'SHA-256 of all the columns that follow: values may be too long for an index.';
COMMENT ON COLUMN action_callers.repository_id IS 'Repository of the jobs.';
COMMENT ON COLUMN action_callers.workflow_name IS 'Workflow of the jobs.';
COMMENT ON TABLE action_sums IS 'The jobs that used an action, summed up by the day, by the week and by eight weeks: all but those in action_unsummed, and of what action_stale says nothing is true.';
COMMENT ON COLUMN action_sums.days IS '1, 7 or 56.';
COMMENT ON COLUMN action_sums.at IS 'Begin of these days; -infinity: the jobs'' created_at is not known.';
COMMENT ON COLUMN action_sums.caller_id IS 'Which workflow, and which action.';
COMMENT ON COLUMN action_sums.jobs IS 'How many jobs.';
COMMENT ON COLUMN action_sums.first_job IS 'The least of their ids.';
COMMENT ON COLUMN action_sums.last_job IS 'The greatest.';
COMMENT ON COLUMN action_sums.first_used_at IS 'When the first of them was created.';
COMMENT ON COLUMN action_sums.last_used_at IS 'When the last of them was.';
COMMENT ON COLUMN action_sums.in_setup IS 'Whether one of them said so in its set-up.';
COMMENT ON TABLE action_unsummed IS 'Jobs that are not in action_sums yet.';
COMMENT ON COLUMN action_unsummed.n IS 'Running number.';
COMMENT ON COLUMN action_unsummed.job_id IS 'The job.';
COMMENT ON TABLE action_stale IS 'Where action_sums are not true any more: something has changed that was summed up.';
COMMENT ON COLUMN action_stale.repository_id IS 'The repository of the jobs.';
COMMENT ON COLUMN action_stale.at IS 'Begin of the 56 days.';
COMMENT ON COLUMN action_stale.noted_at IS 'When it changed.';
COMMENT ON VIEW action_rest IS 'The uses of actions that action_sums does not tell of, a row for each job.';
COMMENT ON COLUMN action_rest.workflow_name IS 'Its workflow.';
COMMENT ON COLUMN action_rest.created_at IS 'When it was created.';
COMMENT ON COLUMN action_rest.in_setup IS 'Whether it said so in its set-up.';
COMMENT ON FUNCTION days_of IS 'Begin of the days, so many together, that a time is in; -infinity of a null.';
