package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Step is a step of a job. LogFirstLine and LogLastLine are its lines in the log, from 1,
// inclusive, and LogLines is the joblog.Certainty with which they are known; all are nil
// if it has none.
type Step struct {
	JobID        int64      `json:"job_id"`
	Number       int64      `json:"number"`
	Name         string     `json:"name"`
	Status       string     `json:"status"`
	Conclusion   *string    `json:"conclusion"`
	StartedAt    *time.Time `json:"started_at"`
	CompletedAt  *time.Time `json:"completed_at"`
	LogFirstLine *int64     `json:"log_first_line"`
	LogLastLine  *int64     `json:"log_last_line"`
	LogLines     *string    `json:"log_lines"`
}

const stepColumns = `job_id, number, name, status, conclusion, started_at, completed_at, log_first_line, log_last_line, log_lines`

// replaceSteps makes the steps of newer facts the steps of their jobs; those of
// older facts count only where a job has none. Facts without steps say nothing. Which lines
// of an archived log are the steps' must be read again where the steps have changed.
func replaceSteps(ctx context.Context, tx pgx.Tx, newer, older []Facts) error {
	var steps []Step
	var ids []int64
	add := func(f Facts) {
		if len(f.Steps) > 0 {
			steps, ids = append(steps, f.Steps...), append(ids, f.Job.ID)
		}
	}
	for _, f := range newer {
		add(f)
	}
	bare, err := jobsWithout(ctx, tx, "steps", older)
	if err != nil {
		return err
	}
	for _, f := range bare {
		add(f)
	}
	if len(steps) == 0 {
		return nil
	}
	before, err := archivedSteps(ctx, tx, ids)
	if err != nil {
		return err
	}
	if err := writeSteps(ctx, tx, steps, ids); err != nil {
		return err
	}
	return unreadChangedSteps(ctx, tx, before)
}

// archivedSteps returns, for those of the jobs whose log is archived, all that tells which
// lines are their steps'.
func archivedSteps(ctx context.Context, tx pgx.Tx, ids []int64) (map[int64]string, error) {
	told := make(map[int64]string)
	var id int64
	var steps string
	_, err := pgx.ForEachRow(query(ctx, tx, `
		SELECT l.job_id, coalesce((
			SELECT string_agg(ROW(number, name, conclusion, started_at, completed_at)::text, ',' ORDER BY number) FROM steps s WHERE s.job_id = l.job_id), '')
		FROM job_logs l WHERE l.job_id = ANY($1) AND l.state = 'archived'`, ids), []any{&id, &steps}, func() error {
		told[id] = steps
		return nil
	})
	return told, err
}

// unreadChangedSteps has the logs read again whose jobs had other steps before.
func unreadChangedSteps(ctx context.Context, tx pgx.Tx, before map[int64]string) error {
	if len(before) == 0 {
		return nil
	}
	after, err := archivedSteps(ctx, tx, slices.Collect(maps.Keys(before)))
	if err != nil {
		return err
	}
	var changed []int64
	for id, steps := range after {
		if steps != before[id] {
			changed = append(changed, id)
		}
	}
	_, err = tx.Exec(ctx, `UPDATE job_logs SET usage_version = NULL WHERE job_id = ANY($1) AND usage_version IS NOT NULL`, changed)
	return err
}

// writeSteps makes these steps the only ones of the jobs.
func writeSteps(ctx context.Context, tx pgx.Tx, steps []Step, ids []int64) error {
	param, err := records(steps)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `
		DELETE FROM steps s
		WHERE s.job_id = ANY($2) AND NOT EXISTS (
			SELECT FROM jsonb_to_recordset($1::jsonb) AS f(job_id bigint, number bigint)
			WHERE f.job_id = s.job_id AND f.number = s.number)`, param, ids); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO steps AS s (job_id, number, name, status, conclusion, started_at, completed_at)
		SELECT job_id, number, name, status, conclusion, started_at, completed_at
		FROM jsonb_to_recordset($1::jsonb) AS f(
			job_id bigint, number bigint, name text, status text, conclusion text, started_at timestamptz, completed_at timestamptz)
		ON CONFLICT (job_id, number) DO UPDATE SET
			name = excluded.name,
			-- A step that has completed stays so; the REST API may be behind its webhooks.
			status = CASE WHEN s.name = excluded.name AND s.status = 'completed' THEN s.status ELSE excluded.status END,
			conclusion = CASE WHEN s.name = excluded.name THEN coalesce(excluded.conclusion, s.conclusion) ELSE excluded.conclusion END,
			started_at = CASE WHEN s.name = excluded.name THEN coalesce(excluded.started_at, s.started_at) ELSE excluded.started_at END,
			completed_at = CASE WHEN s.name = excluded.name THEN coalesce(excluded.completed_at, s.completed_at) ELSE excluded.completed_at END
		WHERE (s.name, s.status, s.conclusion, s.started_at, s.completed_at)
		      IS DISTINCT FROM (excluded.name, excluded.status, excluded.conclusion, excluded.started_at, excluded.completed_at)`, param)
	return err
}

// jobsWithout returns those of the facts whose job has no row in the table.
func jobsWithout(ctx context.Context, tx pgx.Tx, table string, facts []Facts) ([]Facts, error) {
	if len(facts) == 0 {
		return nil, nil
	}
	ids := make([]int64, len(facts))
	for i, f := range facts {
		ids[i] = f.Job.ID
	}
	rows, err := tx.Query(ctx, fmt.Sprintf(`SELECT DISTINCT job_id FROM %s WHERE job_id = ANY($1)`, table), ids)
	if err != nil {
		return nil, err
	}
	has := make(map[int64]bool)
	var id int64
	if _, err := pgx.ForEachRow(rows, []any{&id}, func() error { has[id] = true; return nil }); err != nil {
		return nil, err
	}
	var bare []Facts
	for _, f := range facts {
		if !has[f.Job.ID] {
			bare = append(bare, f)
		}
	}
	return bare, nil
}

// Steps lists the steps of a job by number; none for an unknown job.
func (db *DB) Steps(ctx context.Context, jobID int64) ([]Step, error) {
	steps, err := readSteps(ctx, db.pool, jobID)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return steps, nil
}

func readSteps(ctx context.Context, from querier, jobID int64) ([]Step, error) {
	steps, err := pgx.CollectRows(query(ctx, from, `SELECT `+stepColumns+` FROM steps WHERE job_id = $1 ORDER BY number`, jobID), pgx.RowToStructByName[Step])
	if err != nil {
		return nil, fmt.Errorf("steps of job %d: %w", jobID, err)
	}
	return steps, nil
}

// StepsWithLines reads the steps of these jobs that have lines in the log, in the order
// of their first lines and then of their numbers.
func (db *DB) StepsWithLines(ctx context.Context, jobIDs []int64) (map[int64][]Step, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT `+stepColumns+` FROM steps
		WHERE job_id = ANY($1) AND log_first_line IS NOT NULL ORDER BY job_id, log_first_line, number`, jobIDs)
	if err != nil {
		return nil, fmt.Errorf("store: steps: %w", err)
	}
	steps, err := pgx.CollectRows(rows, pgx.RowToStructByName[Step])
	if err != nil {
		return nil, fmt.Errorf("store: steps: %w", err)
	}
	byJob := make(map[int64][]Step, len(jobIDs))
	for _, s := range steps {
		byJob[s.JobID] = append(byJob[s.JobID], s)
	}
	return byJob, nil
}
