package upkeep_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// evidenceTables are those of whose rows the bucket tells.
var evidenceTables = []string{
	"workflow_runs", "jobs", "steps", "labels", "job_labels", "job_logs", "job_actions", "job_environment", "job_permissions", "job_annotations",
	"log_removals", "log_redactions", "shorter_logs", "manifests",
}

// tampered changes the database with a statement, and gives what puts all rows back. They
// are saved the first time: a test calls undo before it tampers again.
func (r *rig) tampered(sql string) (undo func()) {
	r.T.Helper()
	untouched := func(f func(ctx context.Context, tx pgx.Tx) error) {
		r.T.Helper()
		r.Check(pgx.BeginFunc(r.T.Context(), r.Pool, func(tx pgx.Tx) error {
			// Neither foreign keys nor triggers: rows are put back as they were.
			if _, err := tx.Exec(r.T.Context(), `SET LOCAL session_replication_role = replica; CREATE SCHEMA IF NOT EXISTS saved`); err != nil {
				return err
			}
			return f(r.T.Context(), tx)
		}))
	}
	untouched(func(ctx context.Context, tx pgx.Tx) error {
		for _, table := range evidenceTables {
			if _, err := tx.Exec(ctx, fmt.Sprintf(`CREATE TABLE IF NOT EXISTS saved.%[1]s AS TABLE %[1]s`, table)); err != nil {
				return err
			}
		}
		return nil
	})
	_, err := r.Pool.Exec(r.T.Context(), sql)
	if err != nil {
		err = fmt.Errorf("%s: %w", sql, err)
	}
	r.Check(err)
	return func() {
		r.T.Helper()
		untouched(func(ctx context.Context, tx pgx.Tx) error {
			var errs []error
			for _, table := range evidenceTables {
				_, err := tx.Exec(ctx, fmt.Sprintf(`DELETE FROM %[1]s; INSERT INTO %[1]s OVERRIDING SYSTEM VALUE SELECT * FROM saved.%[1]s`, table))
				errs = append(errs, err)
			}
			return errors.Join(errs...)
		})
	}
}
