package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/jobvault/jobvault/archive/joblog"
)

// JobRows are all rows of a job that can be rebuilt from the bucket.
type JobRows struct {
	JobDetails
	Redactions []Redaction  // all there ever were, by their numbers
	Usage      joblog.Usage // what its log tells, as the tables have it
	Seqs       []int        // of the actions
	StepOf     []*int64     // step_number of each of the annotations
	UsageRead  bool         // these rows, and the lines of steps, are of the present way of reading logs
	Described  bool         // there is a row of job_environment, of which the next two are

	RanAs          *int64 // what carried_over_from is by the rule
	DefinedFrom    string // as the function DefinedFrom has it
	AnnotationsCut int64  // of all levels, by the column for it
}

// JobRows lists up to limit jobs in the order of ids, starting after the given one,
// whether they are settled or not. The filter's SettledBy is ignored.
func (db *DB) JobRows(ctx context.Context, f LedgerFilter, after int64, limit int) ([]JobRows, error) {
	var rows []JobRows
	err := db.inTx(ctx, "rows of jobs", func(ctx context.Context, tx pgx.Tx) error {
		a := arguments{}
		sql := `SELECT j.id FROM jobs j WHERE ` + f.jobs(&a, after) + a.bind(` ORDER BY j.id LIMIT ?`, limit)
		ids, err := pgx.CollectRows(query(ctx, tx, sql, a...), pgx.RowTo[int64])
		if err == nil {
			rows, err = jobRows(ctx, tx, ids)
		}
		return err
	})
	return rows, err
}

// RowsOfJob is JobRows for one job. It fails with ErrNotFound for an unknown one.
func (db *DB) RowsOfJob(ctx context.Context, jobID int64) (JobRows, error) {
	var rows []JobRows
	err := db.inTx(ctx, fmt.Sprintf("rows of job %d", jobID), func(ctx context.Context, tx pgx.Tx) (err error) {
		if rows, err = jobRows(ctx, tx, []int64{jobID}); err == nil && len(rows) == 0 {
			err = ErrNotFound
		}
		return err
	})
	if err != nil {
		return JobRows{}, err
	}
	return rows[0], nil
}

// CountJobRows counts the jobs that JobRows lists altogether.
func (db *DB) CountJobRows(ctx context.Context, f LedgerFilter) (int, error) {
	var n int
	a := arguments{}
	if err := db.pool.QueryRow(ctx, `SELECT count(*) FROM jobs j WHERE `+f.jobs(&a, 0), a...).Scan(&n); err != nil {
		return 0, fmt.Errorf("store: count rows of jobs: %w", err)
	}
	return n, nil
}

func jobRows(ctx context.Context, tx pgx.Tx, ids []int64) ([]JobRows, error) {
	details, err := jobDetails(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	rows, place := make([]JobRows, len(details)), make(map[int64]*JobRows, len(details))
	for i, d := range details {
		rows[i].JobDetails = d
		place[d.Job.ID] = &rows[i]
	}
	copies, err := pgx.CollectRows(query(ctx, tx, `
		SELECT `+redactionColumns+` FROM log_redactions WHERE job_id = ANY($1) ORDER BY job_id, number`, ids), pgx.RowToStructByName[Redaction])
	if err != nil {
		return nil, err
	}
	for _, c := range copies {
		place[c.JobID].Redactions = append(place[c.JobID].Redactions, c)
	}
	var id int64
	var ranAs *int64
	if _, err := pgx.ForEachRow(query(ctx, tx, `
		SELECT j.id, (SELECT e.id FROM jobs e WHERE is_carried_over(j, e) ORDER BY e.run_attempt, e.id LIMIT 1)
		FROM jobs j WHERE j.id = ANY($1)`, ids), []any{&id, &ranAs}, func() error {
		place[id].RanAs = ranAs
		return nil
	}); err != nil {
		return nil, err
	}
	return rows, readUsage(ctx, tx, ids, place)
}

// readUsage reads what writeUsage wrote.
func readUsage(ctx context.Context, tx pgx.Tx, ids []int64, rows map[int64]*JobRows) error {
	var id int64
	var version *int
	if _, err := pgx.ForEachRow(query(ctx, tx, `SELECT job_id, usage_version FROM job_logs WHERE job_id = ANY($1)`, ids), []any{&id, &version}, func() error {
		rows[id].UsageRead = version != nil && *version == usageVersion
		return nil
	}); err != nil {
		return err
	}
	if err := readEnvironment(ctx, tx, ids, rows); err != nil {
		return err
	}
	var p joblog.Permission
	if _, err := pgx.ForEachRow(query(ctx, tx, `SELECT job_id, scope, level FROM job_permissions WHERE job_id = ANY($1) ORDER BY job_id, scope`, ids),
		[]any{&id, &p.Scope, &p.Level}, func() error {
			rows[id].Usage.Permissions = append(rows[id].Usage.Permissions, p)
			return nil
		}); err != nil {
		return err
	}
	return readFound(ctx, tx, ids, rows)
}

// readEnvironment reads the environments of jobs, and how much of their usage was cut.
func readEnvironment(ctx context.Context, tx pgx.Tx, ids []int64, rows map[int64]*JobRows) error {
	var id, actionsCut, annotationsCut int64
	var cut joblog.LevelCounts
	var definedFrom string
	var locked *bool
	var e joblog.Environment
	_, err := pgx.ForEachRow(query(ctx, tx, `
		SELECT job_id, coalesce(runner_version, ''), coalesce(runner_name, ''), coalesce(runner_group, ''), coalesce(machine, ''), coalesce(image, ''),
			coalesce(image_version, ''), coalesce(os, ''), coalesce(secret_source, ''), coalesce(cache_mode, ''), actions_locked,
			coalesce(job_defined_at, ''), coalesce(workflow_ref, ''), coalesce(defined_from, ''), actions_cut, annotations_cut, errors_cut, warnings_cut, notices_cut
		FROM job_environment WHERE job_id = ANY($1)`, ids),
		[]any{
			&id, &e.RunnerVersion, &e.RunnerName, &e.RunnerGroup, &e.Machine, &e.Image, &e.ImageVersion, &e.OS, &e.SecretSource, &e.CacheMode, &locked,
			&e.JobDefinedAt, &e.WorkflowRef, &definedFrom, &actionsCut, &annotationsCut, &cut.Errors, &cut.Warnings, &cut.Notices,
		}, func() error {
			r := rows[id]
			e.ActionsLocked = locked
			r.Described, r.DefinedFrom, r.AnnotationsCut = true, definedFrom, annotationsCut
			r.Usage.Environment, r.Usage.ActionsCut, r.Usage.AnnotationsCut = e, actionsCut, cut
			return nil
		})
	return err
}

// readFound reads the actions and annotations of jobs.
func readFound(ctx context.Context, tx pgx.Tx, ids []int64, rows map[int64]*JobRows) error {
	var id int64
	var a joblog.Action
	var seq int
	if _, err := pgx.ForEachRow(query(ctx, tx, `
		SELECT job_id, seq, log_line, action, coalesce(path, ''), ref, coalesce(resolved_sha, ''), coalesce(version, ''), coalesce(digest, ''), in_setup,
			CASE WHEN kind <> 'action' THEN kind ELSE '' END
		FROM job_actions WHERE job_id = ANY($1) ORDER BY job_id, seq`, ids),
		[]any{&id, &seq, &a.Line, &a.Name, &a.Path, &a.Ref, &a.SHA, &a.Version, &a.Digest, &a.InSetup, &a.Kind}, func() error {
			rows[id].Usage.Actions, rows[id].Seqs = append(rows[id].Usage.Actions, a), append(rows[id].Seqs, seq)
			return nil
		}); err != nil {
		return err
	}
	var n joblog.Annotation
	var level string
	var step *int64
	_, err := pgx.ForEachRow(query(ctx, tx, `
		SELECT job_id, log_line, level, message, tolerated, coalesce(file, ''), coalesce(file_line, 0), step_number
		FROM job_annotations WHERE job_id = ANY($1) ORDER BY job_id, log_line, level, message`, ids),
		[]any{&id, &n.Line, &level, &n.Message, &n.Tolerated, &n.File, &n.FileLine, &step}, func() error {
			n.Level = joblog.Kind(level)
			rows[id].Usage.Annotations, rows[id].StepOf = append(rows[id].Usage.Annotations, n), append(rows[id].StepOf, step)
			return nil
		})
	return err
}
