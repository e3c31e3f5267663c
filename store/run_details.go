package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// RunDetails is how the object is stored that has a completed attempt of a run as GitHub
// described it.
type RunDetails struct {
	RepositoryID int64
	RunID        int64
	RunAttempt   int64
	SHA256       []byte
	Bytes        int64
}

// WithoutRunDetails returns those of the repository's attempts that have a row, and of
// which no object is known.
func (db *DB) WithoutRunDetails(ctx context.Context, repositoryID int64, runIDs, attempts []int64) ([]RunDetails, error) {
	found, err := pgx.CollectRows(query(ctx, db.pool, `
		SELECT w.repository_id, a.run_id, a.run_attempt, a.description_sha256 AS sha256, 0::bigint AS bytes
		FROM workflow_run_attempts a JOIN workflow_runs w ON w.id = a.run_id
		     JOIN unnest($2::bigint[], $3::bigint[]) AS asked(run_id, run_attempt) ON asked.run_id = a.run_id AND asked.run_attempt = a.run_attempt
		WHERE w.repository_id = $1 AND a.description_sha256 IS NULL`, repositoryID, runIDs, attempts), pgx.RowToStructByName[RunDetails])
	if err != nil {
		return nil, fmt.Errorf("store: attempts without details: %w", err)
	}
	return found, nil
}

// RecordRunDetails notes that an attempt's object is there. Repeating it is harmless.
func (db *DB) RecordRunDetails(ctx context.Context, d RunDetails) error {
	_, err := db.pool.Exec(ctx, `
		UPDATE workflow_run_attempts SET description_sha256 = $3, description_bytes = $4
		WHERE run_id = $1 AND run_attempt = $2 AND (description_sha256, description_bytes) IS DISTINCT FROM ($3, $4)`, d.RunID, d.RunAttempt, d.SHA256, d.Bytes)
	if err != nil {
		return fmt.Errorf("store: details of run %d, attempt %d: %w", d.RunID, d.RunAttempt, err)
	}
	return nil
}

// RunDetailsAfter lists how objects of attempts are stored, of runs after one, by their
// ids: all attempts of each run, and at least as many as limit if there are. A
// repositoryID of 0 is any. OFFSET 0 has the attempts of each run looked up, in the order
// of runs: Postgres may otherwise read all to join them.
func (db *DB) RunDetailsAfter(ctx context.Context, repositoryID, runID int64, limit int) ([]RunDetails, error) {
	a := arguments{}
	sql := `
		SELECT w.repository_id, a.run_id, a.run_attempt, a.description_sha256 AS sha256, a.description_bytes AS bytes
		FROM workflow_runs w, LATERAL (SELECT * FROM workflow_run_attempts WHERE run_id = w.id AND description_sha256 IS NOT NULL OFFSET 0) a
		WHERE ` + a.bind(`w.id > ?`, runID)
	if repositoryID != 0 {
		sql += a.bind(` AND w.repository_id = ?`, repositoryID)
	}
	found, err := pgx.CollectRows(query(ctx, db.pool, sql+a.bind(` ORDER BY w.id FETCH FIRST ? ROWS WITH TIES`, limit), a...), pgx.RowToStructByName[RunDetails])
	if err != nil {
		return nil, fmt.Errorf("store: details of runs: %w", err)
	}
	return found, nil
}

// RunDetailsOf returns how objects of the attempts of these runs are stored, by their keys'
// ids; those of which none is known are left out.
func (db *DB) RunDetailsOf(ctx context.Context, runIDs []int64) ([]RunDetails, error) {
	found, err := pgx.CollectRows(query(ctx, db.pool, `
		SELECT w.repository_id, a.run_id, a.run_attempt, a.description_sha256 AS sha256, a.description_bytes AS bytes
		FROM workflow_run_attempts a JOIN workflow_runs w ON w.id = a.run_id
		WHERE a.run_id = ANY($1) AND a.description_sha256 IS NOT NULL`, runIDs), pgx.RowToStructByName[RunDetails])
	if err != nil {
		return nil, fmt.Errorf("store: details of runs: %w", err)
	}
	return found, nil
}
