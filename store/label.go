package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// jobLabel is a row of job_labels, by the label's name.
type jobLabel struct {
	JobID    int64  `json:"job_id"`
	Name     string `json:"name"`
	Position int    `json:"position"`
}

// replaceLabels makes the labels of newer facts the labels of their jobs; those
// of older facts count only where a job has none. Facts without labels say
// nothing.
func replaceLabels(ctx context.Context, tx pgx.Tx, newer, older []Facts) error {
	bare, err := jobsWithout(ctx, tx, "job_labels", older)
	if err != nil {
		return err
	}
	var rows []jobLabel
	var ids []int64
	for _, f := range append(newer[:len(newer):len(newer)], bare...) {
		for i, name := range f.Labels {
			rows = append(rows, jobLabel{JobID: f.Job.ID, Name: name, Position: i})
		}
		if len(f.Labels) > 0 {
			ids = append(ids, f.Job.ID)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	param, err := records(rows)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `
		INSERT INTO labels (name)
		SELECT DISTINCT name FROM jsonb_to_recordset($1::jsonb) AS f(name text)
		WHERE NOT EXISTS (SELECT FROM labels l WHERE l.name = f.name)
		ORDER BY name
		ON CONFLICT (name) DO NOTHING`, param); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `
		DELETE FROM job_labels jl
		WHERE jl.job_id = ANY($2) AND NOT EXISTS (
			SELECT FROM jsonb_to_recordset($1::jsonb) AS f(job_id bigint, position integer)
			WHERE f.job_id = jl.job_id AND f.position = jl.position)`, param, ids); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO job_labels AS jl (job_id, label_id, position)
		SELECT f.job_id, l.id, f.position
		FROM jsonb_to_recordset($1::jsonb) AS f(job_id bigint, name text, position integer)
		JOIN labels l ON l.name = f.name
		ON CONFLICT (job_id, position) DO UPDATE SET label_id = excluded.label_id
		WHERE jl.label_id <> excluded.label_id`, param)
	return err
}
