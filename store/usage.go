package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/jobvault/jobvault/archive/joblog"
)

// usageVersion is the version of the reader of logs that finds what jobs used. The index
// job_logs_unread has it: increasing it needs a migration.
const usageVersion = 2

// writeUsage replaces the rows of what a job used by what its log says; nil: it was not
// read. ranges are the lines of its steps.
func writeUsage(ctx context.Context, tx pgx.Tx, jobID int64, u *joblog.Usage, ranges []StepLines) error {
	if u == nil {
		return nil
	}
	b := &pgx.Batch{}
	b.Queue(`UPDATE job_logs SET usage_version = $2 WHERE job_id = $1`, jobID, usageVersion)
	queueEnvironment(b, jobID, u)
	queuePermissions(b, jobID, u.Permissions)
	queueActions(b, jobID, u.Actions)
	queueAnnotations(b, jobID, u.Annotations, ranges)
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("usage: %w", err)
	}
	return nil
}

func queueEnvironment(b *pgx.Batch, jobID int64, u *joblog.Usage) {
	e := u.Environment
	b.Queue(`
		INSERT INTO job_environment (job_id, runner_version, image, image_version, os, secret_source, job_defined_at, workflow_ref, actions_cut, annotations_cut)
		VALUES ($1, nullif($2, ''), nullif($3, ''), nullif($4, ''), nullif($5, ''), nullif($6, ''), nullif($7, ''), nullif($8, ''), $9, $10)
		ON CONFLICT (job_id) DO UPDATE SET (runner_version, image, image_version, os, secret_source, job_defined_at, workflow_ref, actions_cut, annotations_cut)
			= (excluded.runner_version, excluded.image, excluded.image_version, excluded.os, excluded.secret_source, excluded.job_defined_at, excluded.workflow_ref,
			   excluded.actions_cut, excluded.annotations_cut)`,
		jobID, e.RunnerVersion, e.Image, e.ImageVersion, e.OS, e.SecretSource, e.JobDefinedAt, e.WorkflowRef, u.ActionsCut, u.AnnotationsCut)
}

func queuePermissions(b *pgx.Batch, jobID int64, permissions []joblog.Permission) {
	var scopes, levels []string
	for _, p := range permissions {
		scopes, levels = append(scopes, p.Scope), append(levels, p.Level)
	}
	b.Queue(`DELETE FROM job_permissions WHERE job_id = $1`, jobID)
	b.Queue(`
		INSERT INTO job_permissions (job_id, scope, level) SELECT $1, scope, level FROM unnest($2::text[], $3::text[]) AS p(scope, level)
		ON CONFLICT (job_id, scope) DO NOTHING`, jobID, scopes, levels)
}

// queueActions does not write rows that do not change: a change invalidates the sums of
// actions.
func queueActions(b *pgx.Batch, jobID int64, actions []joblog.Action) {
	var names, paths, refs, shas, versions, digests []string
	var lines []int64
	var inSetup []bool
	for _, a := range actions {
		names, paths, refs, shas = append(names, a.Name), append(paths, a.Path), append(refs, a.Ref), append(shas, a.SHA)
		versions, digests = append(versions, a.Version), append(digests, a.Digest)
		lines, inSetup = append(lines, a.Line), append(inSetup, a.InSetup)
	}
	b.Queue(`
		INSERT INTO job_actions AS j (job_id, seq, action, path, ref, resolved_sha, version, digest, log_line, in_setup)
		SELECT $1, seq - 1, action, nullif(path, ''), ref, nullif(sha, ''), nullif(version, ''), nullif(digest, ''), line, in_setup
		FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::boolean[])
			WITH ORDINALITY AS a(action, path, ref, sha, version, digest, line, in_setup, seq)
		ON CONFLICT (job_id, seq) DO UPDATE SET (action, path, ref, resolved_sha, version, digest, log_line, in_setup)
			= (excluded.action, excluded.path, excluded.ref, excluded.resolved_sha, excluded.version, excluded.digest, excluded.log_line, excluded.in_setup)
		WHERE j IS DISTINCT FROM excluded`, jobID, names, paths, refs, shas, versions, digests, lines, inSetup)
	b.Queue(`DELETE FROM job_actions WHERE job_id = $1 AND seq >= $2`, jobID, len(names))
}

func queueAnnotations(b *pgx.Batch, jobID int64, annotations []joblog.Annotation, ranges []StepLines) {
	var lines []int64
	var levels, messages []string
	for _, a := range annotations {
		lines, levels, messages = append(lines, a.Line), append(levels, string(a.Level)), append(messages, a.Message)
	}
	b.Queue(`DELETE FROM job_annotations WHERE job_id = $1`, jobID)
	b.Queue(`
		INSERT INTO job_annotations (job_id, log_line, level, message, step_number)
		SELECT $1, line, level, message, step FROM unnest($2::bigint[], $3::text[], $4::text[], $5::bigint[]) AS a(line, level, message, step)`,
		jobID, lines, levels, messages, CertainSteps(ranges, annotations))
}

// AllLogsRead says whether all archived logs were read by the present usageVersion.
func (db *DB) AllLogsRead(ctx context.Context) (all bool, err error) {
	// The number is part of the SQL: with a parameter, Postgres cannot use the partial index.
	err = db.pool.QueryRow(ctx, fmt.Sprintf(`
		SELECT NOT EXISTS (SELECT FROM job_logs WHERE state = 'archived' AND usage_version IS DISTINCT FROM %d)`, usageVersion)).Scan(&all)
	if err != nil {
		return false, fmt.Errorf("store: logs that were read: %w", err)
	}
	return all, nil
}
