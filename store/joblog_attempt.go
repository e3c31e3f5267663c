package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Trouble says which deadline a try counts for that settled nothing.
type Trouble string

// The kinds of trouble. The zero value is none: the job's deadlines are left as they are.
const (
	NotYet  Trouble = "not yet" // what was asked for is not there yet; no day is counted
	Failed  Trouble = "failed"  // GitHub failed, or answered with what is no answer
	Refused Trouble = "refused" // GitHub refused or limited us, or could not be reached: settings may have to change, perhaps ours
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
		return noteTrouble(ctx, tx, a.JobID, a.Trouble, a.At)
	})
}

// noteTrouble counts a day of trouble, once. A day is counted for what was met first on
// it. A time or a day that a wrong clock has left in the future counts as none.
func noteTrouble(ctx context.Context, tx pgx.Tx, jobID int64, t Trouble, at time.Time) error {
	if t == "" {
		return nil
	}
	_, err := tx.Exec(ctx, `
		UPDATE job_logs SET
			trying_since = least(trying_since, $3),
			failed_days = CASE WHEN $2 = 'failed' AND failed_on IS DISTINCT FROM today THEN coalesce(failed_days, 0) + 1 ELSE failed_days END,
			refused_days = CASE WHEN $2 = 'refused' AND failed_on IS DISTINCT FROM today THEN coalesce(refused_days, 0) + 1 ELSE refused_days END,
			failed_on = CASE WHEN $2 <> 'not yet' THEN today ELSE failed_on END
		FROM (SELECT ($3::timestamptz AT TIME ZONE 'UTC')::date AS today) d
		WHERE job_id = $1`, jobID, string(t), at)
	return err
}

// NoteAnswer notes that GitHub has answered as it should, so that the next trouble is the
// first one in a row. Days that are counted already stay counted.
func (db *DB) NoteAnswer(ctx context.Context, jobID int64) error {
	if _, err := db.pool.Exec(ctx, `UPDATE job_logs SET trying_since = NULL WHERE job_id = $1 AND trying_since IS NOT NULL`, jobID); err != nil {
		return fmt.Errorf("store: note answer about job %d: %w", jobID, err)
	}
	return nil
}

// TroubleDays are the distinct days on which trouble of a kind was met, that of now
// included, if it is met now.
func (l JobLog) TroubleDays(t Trouble, now time.Time) int {
	days := 0
	switch counted := map[Trouble]*int{Failed: l.FailedDays, Refused: l.RefusedDays}[t]; {
	case t != Failed && t != Refused:
		return 0
	case counted != nil:
		days = *counted
	}
	if l.FailedOn == nil || l.FailedOn.Format(time.DateOnly) != now.UTC().Format(time.DateOnly) {
		days++
	}
	return days
}

// TryingFor is for how long the job has been asked for in vain; 0: it has not, or by a
// clock that was wrong.
func (l JobLog) TryingFor(now time.Time) time.Duration {
	if l.TryingSince == nil {
		return 0
	}
	return max(now.Sub(*l.TryingSince), 0)
}
