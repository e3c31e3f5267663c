package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/jobvault/jobvault/archive/joblog"
)

// RestoredRemoval is a removal as it was read from the bucket.
type RestoredRemoval struct {
	Removal    Removal
	HTTPStatus int
	Reason     string    // of the ledger's line
	SettledAt  time.Time // of the ledger's line
	Redactions []Redaction
	Shorter    []ShorterLog  // whose place the log had taken
	Settled    *Details      // the settled.json that tells so; nil: another object does
	Steps      int           // what was done to the log in all, see RemovalSteps
	Usage      *joblog.Usage // of the present copy; nil: there is none
	StepLines  []StepLines   // of the present copy
}

// removalSteps counts what was done to the log of job l: 0, it is not removed; 1, it
// is; and one for each copy that was made, and each that was removed.
const removalSteps = `
	CASE WHEN l.state = 'removed' AND EXISTS (SELECT FROM log_removals m WHERE m.job_id = l.job_id)
	THEN 1 + (SELECT count(*) + count(c.removed_at) FROM log_redactions c WHERE c.job_id = l.job_id) ELSE 0 END`

// RemovalSteps counts what was done to the log of each of these jobs that is known: 0 if
// it is not removed; else 1, and one more for each redacted copy that was made and each
// that was removed. Of two records of a job, the one with more steps is the later one.
func (db *DB) RemovalSteps(ctx context.Context, jobIDs []int64) (map[int64]int, error) {
	rows, err := db.pool.Query(ctx, `SELECT l.job_id, `+removalSteps+` FROM job_logs l WHERE l.job_id = ANY($1)`, jobIDs)
	if err != nil {
		return nil, fmt.Errorf("store: removals of jobs: %w", err)
	}
	steps := make(map[int64]int, len(jobIDs))
	var id int64
	var n int
	if _, err := pgx.ForEachRow(rows, []any{&id, &n}, func() error {
		steps[id] = n
		return nil
	}); err != nil {
		return nil, fmt.Errorf("store: removals of jobs: %w", err)
	}
	return steps, nil
}

// restoredPause is how long workers leave the removals alone that are restored from the
// bucket: a legal hold that an older database does not know may have kept a log, and can
// be set again in this time.
const restoredPause = `interval '1 day'`

// PauseRemovals makes DueRemovals wait for a day with every unfinished removal. Call it
// before the first removal that was unknown is restored, and again after an interruption.
// retention apply does not wait.
func (db *DB) PauseRemovals(ctx context.Context) error {
	// In the order of ids, as everybody: transactions must not wait in a ring.
	_, err := db.pool.Exec(ctx, `
		WITH unfinished AS (SELECT job_id FROM log_removals WHERE finished_at IS NULL ORDER BY job_id FOR NO KEY UPDATE)
		UPDATE log_removals m SET retry_at = greatest(m.retry_at, now() + `+restoredPause+`) FROM unfinished u WHERE m.job_id = u.job_id`)
	if err != nil {
		return fmt.Errorf("store: pause removals: %w", err)
	}
	return nil
}

// RestoreRemoval writes a removal with its redacted copies into the ledger, whatever the
// state of the row, and deletes the rows that quote the log. It says whether it did:
// nothing is written if the ledger has as many steps already. A removal that is not
// finished is finished by a worker after a day, or by retention apply at once.
func (db *DB) RestoreRemoval(ctx context.Context, r RestoredRemoval) (bool, error) {
	m, changed := r.Removal, false
	err := db.inTx(ctx, fmt.Sprintf("restore removal of job %d", m.JobID), func(ctx context.Context, tx pgx.Tx) error {
		if err := lockJobs(ctx, tx, []int64{m.JobID}); err != nil {
			return err
		}
		var known int
		if err := tx.QueryRow(ctx, `SELECT coalesce((SELECT `+removalSteps+` FROM job_logs l WHERE l.job_id = $1), -1)`, m.JobID).Scan(&known); err != nil {
			return err
		}
		if known < 0 || known >= r.Steps {
			return nil
		}
		changed = true
		return restoreRemoval(ctx, tx, r)
	})
	return changed, err
}

func restoreRemoval(ctx context.Context, tx pgx.Tx, r RestoredRemoval) error {
	m := r.Removal
	if _, err := tx.Exec(ctx, `
		UPDATE job_logs SET
			http_status = coalesce(nullif($2, 0), http_status), raw_bytes = $3, lines = $4, sha256 = $5, truncated = $6, archived_at = $7
		WHERE job_id = $1`, m.JobID, r.HTTPStatus, m.RawBytes, m.Lines, m.SHA256, m.Truncated, m.ArchivedAt); err != nil {
		return err
	}
	if err := ledgerRemoved(ctx, tx, Removal{JobID: m.JobID, Reason: r.Reason, DecidedAt: r.SettledAt}); err != nil {
		return err
	}
	if err := noteSettled(ctx, tx, m.JobID, r.Settled); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `
		INSERT INTO log_removals AS m (job_id, kind, rule, reason, actor, decided_at, sha256, raw_bytes, stored_bytes, lines, truncated, object_key, archived_at,
			finished_at, retry_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, CASE WHEN $14::timestamptz IS NULL THEN now() + `+restoredPause+` END)
		ON CONFLICT (job_id) DO UPDATE SET finished_at = excluded.finished_at, retry_at = excluded.retry_at, logged_in = NULL, attempts = 0, error = NULL`,
		m.JobID, m.Kind, m.Rule, m.Reason, m.Actor, m.DecidedAt, m.SHA256, m.RawBytes, m.StoredBytes, m.Lines, m.Truncated, m.ObjectKey, m.ArchivedAt,
		m.FinishedAt); err != nil {
		return err
	}
	if err := insertShorter(ctx, tx, r.Shorter); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM job_annotations WHERE job_id = $1`, m.JobID); err != nil {
		return err
	}
	// By their numbers: the one that is there, of which there may be one, comes last.
	for _, c := range r.Redactions {
		if err := restoreRedaction(ctx, tx, c); err != nil {
			return err
		}
	}
	switch {
	case r.Usage != nil:
		return writeIndex(ctx, tx, m.JobID, r.StepLines, r.Usage)
	case len(r.Redactions) > 0:
		// What the ledger says that the job used, the log said as it was before anything was
		// taken out; what was left of it, nothing tells any more.
		return forgetUsage(ctx, tx, m.JobID)
	}
	return nil
}

func forgetUsage(ctx context.Context, tx pgx.Tx, jobID int64) error {
	for _, table := range []string{"job_actions", "job_permissions", "job_environment"} {
		if _, err := tx.Exec(ctx, `DELETE FROM `+table+` WHERE job_id = $1`, jobID); err != nil {
			return err
		}
	}
	return nil
}

// restoreRedaction writes a copy's row, or that it is removed.
func restoreRedaction(ctx context.Context, tx pgx.Tx, c Redaction) error {
	tag, err := tx.Exec(ctx, `
		UPDATE log_redactions SET removed_at = $3, removed_by = $4, removed_reason = $5,
			frame_lines = CASE WHEN $3::timestamptz IS NULL THEN frame_lines END, frame_offsets = CASE WHEN $3::timestamptz IS NULL THEN frame_offsets END
		WHERE job_id = $1 AND number = $2`, c.JobID, c.Number, c.RemovedAt, c.RemovedBy, c.RemovedReason)
	if err != nil || tag.RowsAffected() > 0 {
		return err
	}
	return insertRedaction(ctx, tx, c)
}
