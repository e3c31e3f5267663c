package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Attempt is a try that settled nothing.
type Attempt struct {
	JobID   int64
	Asked   bool    // the log itself was asked for; only that counts in job_logs.attempts
	Status  int     // GitHub's; 0: no answer
	Reason  string  // empty: none worth saying
	Trouble Trouble // which deadline it counts for
	At      time.Time
}

// NoteAttempt notes that a job is still pending, with GitHub's last status and the reason,
// and the day of the trouble: however often it is repeated on one day (UTC), that day
// counts once. A settled job stays as it is.
func (db *DB) NoteAttempt(ctx context.Context, a Attempt) error {
	return db.inTx(ctx, fmt.Sprintf("note attempt of job %d", a.JobID), func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			UPDATE job_logs SET state = 'pending', attempts = attempts + $2, http_status = coalesce(nullif($3, 0), http_status), reason = nullif($4, '')
			WHERE job_id = $1 AND state IN ('pending', 'denied')`, a.JobID, boolInt(a.Asked), a.Status, a.Reason)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		return noteTrouble(ctx, tx, a.Trouble, a.At, "job_logs", "job_id = $3", a.JobID)
	})
}

// NoteAnswer notes that GitHub has answered as it should, so that the next trouble is the
// first one in a row. Days that are counted already stay counted.
func (db *DB) NoteAnswer(ctx context.Context, jobID int64) error {
	if _, err := db.pool.Exec(ctx, `UPDATE job_logs SET trying_since = NULL WHERE job_id = $1 AND trying_since IS NOT NULL`, jobID); err != nil {
		return fmt.Errorf("store: note answer about job %d: %w", jobID, err)
	}
	return nil
}
