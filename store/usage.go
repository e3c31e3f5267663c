package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/jobvault/jobvault/archive/joblog"
)

// usageVersion is the version of the reader of logs that finds what jobs used. The index
// job_logs_unread has it: increasing it needs a migration.
const usageVersion = 3

// writeUsage replaces the rows of what a job used by what its log says; nil: it was not
// read. ranges are the lines of its steps. Rows that do not change are not
// written: a change invalidates the sums of actions.
func writeUsage(ctx context.Context, tx pgx.Tx, jobID int64, u *joblog.Usage, ranges []StepLines) error {
	if u == nil {
		return nil
	}
	b := &pgx.Batch{}
	b.Queue(`UPDATE job_logs SET usage_version = $2 WHERE job_id = $1 AND usage_version IS DISTINCT FROM $2`, jobID, usageVersion)
	writeEnvironment(b, jobID, u)
	writePermissions(b, jobID, u.Permissions)
	writeActions(b, jobID, u.Actions)
	writeAnnotations(b, jobID, u.Annotations, ranges)
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("usage: %w", err)
	}
	return nil
}

func writeEnvironment(b *pgx.Batch, jobID int64, u *joblog.Usage) {
	e, cut := u.Environment, u.AnnotationsCut
	b.Queue(`
		INSERT INTO job_environment AS e (job_id, runner_version, runner_name, runner_group, machine, image, image_version, os, secret_source, cache_mode,
			actions_locked, job_defined_at, workflow_ref, defined_from, actions_cut, annotations_cut, errors_cut, warnings_cut, notices_cut)
		VALUES ($1, nullif($2, ''), nullif($3, ''), nullif($4, ''), nullif($5, ''), nullif($6, ''), nullif($7, ''), nullif($8, ''), nullif($9, ''), nullif($10, ''),
			$11, nullif($12, ''), nullif($13, ''), nullif($14, ''), $15, $16, $17, $18, $19)
		ON CONFLICT (job_id) DO UPDATE SET (runner_version, runner_name, runner_group, machine, image, image_version, os, secret_source, cache_mode,
			actions_locked, job_defined_at, workflow_ref, defined_from, actions_cut, annotations_cut, errors_cut, warnings_cut, notices_cut)
			= (excluded.runner_version, excluded.runner_name, excluded.runner_group, excluded.machine, excluded.image, excluded.image_version, excluded.os,
			   excluded.secret_source, excluded.cache_mode, excluded.actions_locked, excluded.job_defined_at, excluded.workflow_ref, excluded.defined_from,
			   excluded.actions_cut, excluded.annotations_cut, excluded.errors_cut, excluded.warnings_cut, excluded.notices_cut)
		WHERE (e.*) IS DISTINCT FROM (excluded.*)`,
		jobID, e.RunnerVersion, e.RunnerName, e.RunnerGroup, e.Machine, e.Image, e.ImageVersion, e.OS, e.SecretSource, e.CacheMode,
		e.ActionsLocked, e.JobDefinedAt, e.WorkflowRef, DefinedFrom(e), u.ActionsCut, cut.Total(), cut.Errors, cut.Warnings, cut.Notices)
}

// DefinedFrom is job_environment.defined_from of what a log tells: log, or nothing.
func DefinedFrom(e joblog.Environment) string {
	if e.JobDefinedAt == "" && e.WorkflowRef == "" {
		return ""
	}
	return "log"
}

// writePermissions keeps the first word on each scope.
func writePermissions(b *pgx.Batch, jobID int64, permissions []joblog.Permission) {
	scopes := columnOf(permissions, func(p joblog.Permission) string { return p.Scope })
	b.Queue(`DELETE FROM job_permissions WHERE job_id = $1 AND scope <> ALL ($2::text[])`, jobID, scopes)
	b.Queue(`
		INSERT INTO job_permissions AS p (job_id, scope, level)
		SELECT DISTINCT ON (scope) $1, scope, level FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS p(scope, level, n) ORDER BY scope, n
		ON CONFLICT (job_id, scope) DO UPDATE SET level = excluded.level WHERE p.level <> excluded.level`,
		jobID, scopes, columnOf(permissions, func(p joblog.Permission) string { return p.Level }))
}

func writeActions(b *pgx.Batch, jobID int64, actions []joblog.Action) {
	text := func(value func(joblog.Action) string) []string { return columnOf(actions, value) }
	b.Queue(`
		INSERT INTO job_actions AS j (job_id, seq, action, path, ref, resolved_sha, version, digest, log_line, in_setup, kind)
		SELECT $1, seq - 1, action, nullif(path, ''), ref, nullif(sha, ''), nullif(version, ''), nullif(digest, ''), line, in_setup, kind
		FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::boolean[], $10::text[])
			WITH ORDINALITY AS a(action, path, ref, sha, version, digest, line, in_setup, kind, seq)
		ON CONFLICT (job_id, seq) DO UPDATE SET (action, path, ref, resolved_sha, version, digest, log_line, in_setup, kind)
			= (excluded.action, excluded.path, excluded.ref, excluded.resolved_sha, excluded.version, excluded.digest, excluded.log_line, excluded.in_setup, excluded.kind)
		WHERE (j.*) IS DISTINCT FROM (excluded.*)`, jobID,
		text(func(a joblog.Action) string { return a.Name }), text(func(a joblog.Action) string { return a.Path }),
		text(func(a joblog.Action) string { return a.Ref }), text(func(a joblog.Action) string { return a.SHA }),
		text(func(a joblog.Action) string { return a.Version }), text(func(a joblog.Action) string { return a.Digest }),
		columnOf(actions, func(a joblog.Action) int64 { return a.Line }), columnOf(actions, func(a joblog.Action) bool { return a.InSetup }),
		text(func(a joblog.Action) string { return ActionKind(a.Kind) }))
	b.Queue(`DELETE FROM job_actions WHERE job_id = $1 AND seq >= $2`, jobID, len(actions))
}

// ActionKind is job_actions.kind.
func ActionKind(k joblog.ActionKind) string {
	if k == joblog.Downloaded {
		return "action"
	}
	return string(k)
}

func writeAnnotations(b *pgx.Batch, jobID int64, annotations []joblog.Annotation, ranges []StepLines) {
	lines := columnOf(annotations, func(a joblog.Annotation) int64 { return a.Line })
	b.Queue(`DELETE FROM job_annotations WHERE job_id = $1 AND log_line <> ALL ($2::bigint[])`, jobID, lines)
	b.Queue(`
		INSERT INTO job_annotations AS n (job_id, log_line, level, message, tolerated, file, file_line, step_number)
		SELECT $1, line, level, message, tolerated, nullif(file, ''), nullif(file_line, 0), step
		FROM unnest($2::bigint[], $3::text[], $4::text[], $5::boolean[], $6::text[], $7::bigint[], $8::bigint[]) AS a(line, level, message, tolerated, file, file_line, step)
		ON CONFLICT (job_id, log_line) DO UPDATE SET (level, message, tolerated, file, file_line, step_number)
			= (excluded.level, excluded.message, excluded.tolerated, excluded.file, excluded.file_line, excluded.step_number)
		WHERE (n.level, n.message, n.tolerated, n.file, n.file_line, n.step_number)
			IS DISTINCT FROM (excluded.level, excluded.message, excluded.tolerated, excluded.file, excluded.file_line, excluded.step_number)`,
		jobID, lines, columnOf(annotations, func(a joblog.Annotation) string { return string(a.Level) }),
		columnOf(annotations, func(a joblog.Annotation) string { return a.Message }), columnOf(annotations, func(a joblog.Annotation) bool { return a.Tolerated }),
		columnOf(annotations, func(a joblog.Annotation) string { return a.File }), columnOf(annotations, func(a joblog.Annotation) int64 { return a.FileLine }), CertainSteps(ranges, annotations))
}

// columnOf is a value of each row.
func columnOf[R, V any](rows []R, value func(R) V) []V {
	values := make([]V, len(rows))
	for i, r := range rows {
		values[i] = value(r)
	}
	return values
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
