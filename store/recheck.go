package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
)

// RecheckQueue is the River queue of rechecks: a jobvault that does not know them leaves
// them alone.
const RecheckQueue = "recheck"

// RecheckDelay is how long after a log was archived, or its job was reported as completed
// again, it is asked for again. Gitea was seen to report a cancelled job three times, the
// last time after 57 seconds.
const RecheckDelay = 2 * time.Minute

const (
	// maxRechecks is how often a log is asked for again in all, with an answer.
	maxRechecks = 3
	// maxRecheckTries is how often that is begun until an answer comes.
	maxRecheckTries = 5
)

// RecheckArgs asks for an archived log to be asked for once more: it may be longer now.
type RecheckArgs struct {
	JobID int64 `json:"job_id" river:"unique"`
}

// Kind names the work in River's table.
func (RecheckArgs) Kind() string { return "recheck" }

// InsertOpts makes the work unique by the job for as long as it is not done.
func (RecheckArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: RecheckQueue, MaxAttempts: archiveAttempts, UniqueOpts: ArchiveArgs{}.InsertOpts().UniqueOpts}
}

// Recheck is a job whose archived log is to be asked for again.
type Recheck struct {
	JobToArchive
	DueAt   *time.Time // nil: it is not, any more
	Outcome *string    // what was last heard; nil: nothing yet
}

// scheduleRechecks has the archived logs of jobs be asked for again at a time, unless that
// was done as often as it may.
func (db *DB) scheduleRechecks(ctx context.Context, tx pgx.Tx, jobIDs []int64, at time.Time) error {
	ids, err := pgx.CollectRows(query(ctx, tx, `
		INSERT INTO log_rechecks AS r (job_id, due_at) SELECT id, $2 FROM unnest($1::bigint[]) id ORDER BY id
		ON CONFLICT (job_id) DO UPDATE SET due_at = excluded.due_at, tries = 0, outcome = NULL WHERE r.asked < $3
		RETURNING job_id`, jobIDs, at, maxRechecks), pgx.RowTo[int64])
	if err != nil {
		return fmt.Errorf("schedule rechecks: %w", err)
	}
	return db.enqueueRechecks(ctx, tx, ids, at)
}

// enqueueRechecks adds a row to the queue for each job that has none. A row that is there
// may be due earlier: its worker looks when it is time.
func (db *DB) enqueueRechecks(ctx context.Context, tx pgx.Tx, jobIDs []int64, at time.Time) error {
	if len(jobIDs) == 0 {
		return nil
	}
	params := make([]river.InsertManyParams, len(jobIDs))
	for i, id := range jobIDs {
		params[i] = river.InsertManyParams{Args: RecheckArgs{JobID: id}, InsertOpts: &river.InsertOpts{Priority: int(PrioritySweep), ScheduledAt: at}}
	}
	if _, err := db.queue.InsertManyTx(ctx, tx, params); err != nil {
		return fmt.Errorf("enqueue %d rechecks: %w", len(jobIDs), err)
	}
	return nil
}

// recheckCompletedAgain schedules rechecks of archived logs whose job was reported as
// completed by one of these deliveries, and had been by another one before: the rest of
// its log may have come meanwhile. The deliveries must be marked.
func (db *DB) recheckCompletedAgain(ctx context.Context, tx pgx.Tx, taken []Verdict) error {
	guids := make([]string, len(taken))
	for i, v := range taken {
		guids[i] = v.GUID.String()
	}
	rows, err := tx.Query(ctx, `
		SELECT d.job_id, max(d.received_at)
		FROM deliveries d JOIN job_logs l ON l.job_id = d.job_id LEFT JOIN log_rechecks r ON r.job_id = d.job_id
		WHERE d.guid = ANY($1::uuid[]) AND d.state = 'done' AND d.action = 'completed' AND l.state = 'archived' AND NOT l.truncated
		  AND (r.asked_at IS NULL OR d.received_at > r.asked_at)
		  AND EXISTS (
			SELECT FROM deliveries e
			WHERE e.job_id = d.job_id AND e.action = 'completed' AND e.state = 'done' AND e.guid <> d.guid AND e.received_at <= d.received_at)
		GROUP BY d.job_id`, guids)
	if err != nil {
		return err
	}
	var ids []int64
	var latest, at time.Time
	var id int64
	if _, err := pgx.ForEachRow(rows, []any{&id, &at}, func() error {
		ids = append(ids, id)
		if at.After(latest) {
			latest = at
		}
		return nil
	}); err != nil || len(ids) == 0 {
		return err
	}
	return db.scheduleRechecks(ctx, tx, ids, latest.Add(RecheckDelay))
}

// completedSince tells whether a job was reported as completed after a time, and had been by
// another delivery before. A zero time is none.
func completedSince(ctx context.Context, tx pgx.Tx, jobID int64, at time.Time) (again bool, err error) {
	if at.IsZero() {
		return false, nil
	}
	err = tx.QueryRow(ctx, `
		SELECT count(*) > 1 AND max(received_at) > $2 FROM deliveries WHERE job_id = $1 AND action = 'completed' AND state = 'done'`, jobID, at).Scan(&again)
	return again, err
}

// HeardCompleted tells whether a webhook has reported a job as completed within this time.
func (db *DB) HeardCompleted(ctx context.Context, jobID int64, within time.Duration) (heard bool, err error) {
	err = db.pool.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM deliveries WHERE job_id = $1 AND action = 'completed' AND received_at > now() - $2::interval)`, jobID, within).Scan(&heard)
	if err != nil {
		err = fmt.Errorf("store: webhooks of job %d: %w", jobID, err)
	}
	return heard, err
}

// DueRecheck reads what is known of a job whose log may have to be asked for again. It fails
// with ErrNotFound for an unknown job.
func (db *DB) DueRecheck(ctx context.Context, jobID int64) (r Recheck, err error) {
	if r.JobToArchive, err = db.JobToArchive(ctx, jobID); err != nil {
		return r, err
	}
	err = db.pool.QueryRow(ctx, `SELECT due_at, outcome FROM log_rechecks WHERE job_id = $1`, jobID).Scan(&r.DueAt, &r.Outcome)
	if errors.Is(err, pgx.ErrNoRows) {
		return r, nil
	}
	if err != nil {
		err = fmt.Errorf("store: recheck of job %d: %w", jobID, err)
	}
	return r, err
}

// BeginRecheck notes that a log is about to be asked for again, and says how often that was
// begun since it became due, this time included; 0: it may not be, as that was too often
// without an answer.
func (db *DB) BeginRecheck(ctx context.Context, jobID int64) (tries int, err error) {
	err = db.pool.QueryRow(ctx, `
		UPDATE log_rechecks SET tries = tries + 1 WHERE job_id = $1 AND due_at IS NOT NULL AND tries < $2 RETURNING tries`, jobID, maxRecheckTries).Scan(&tries)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return 0, fmt.Errorf("store: begin recheck of job %d: %w", jobID, err)
	}
	return tries, nil
}

// NoteRecheck notes why no answer came. ours takes BeginRecheck back: our share of a limit
// was in the way, or trouble of our own.
func (db *DB) NoteRecheck(ctx context.Context, jobID int64, why string, ours bool) error {
	_, err := db.pool.Exec(ctx, `UPDATE log_rechecks SET tries = greatest(tries - $2, 0), outcome = $3 WHERE job_id = $1`, jobID, boolInt(ours), why)
	if err != nil {
		return fmt.Errorf("store: note recheck of job %d: %w", jobID, err)
	}
	return nil
}

// EndRecheck notes what came of asking for a log again at a time; asked says whether an answer came.
// A recheck that became due at another time meanwhile stays due.
func (db *DB) EndRecheck(ctx context.Context, r Recheck, asked bool, outcome string, at time.Time) error {
	_, err := db.pool.Exec(ctx, `
		UPDATE log_rechecks SET due_at = CASE WHEN due_at = $2 THEN NULL ELSE due_at END, tries = 0, outcome = $3,
			asked = asked + $4, asked_at = CASE WHEN $4 > 0 THEN $5 ELSE asked_at END
		WHERE job_id = $1`, r.Job.ID, r.DueAt, outcome, boolInt(asked), at)
	if err != nil {
		return fmt.Errorf("store: end recheck of job %d: %w", r.Job.ID, err)
	}
	return nil
}

// RequeueRechecks enqueues rechecks that are due and that no live queue row works for: what
// River gave up, or what a restored database lost. It returns how many it enqueued.
func (db *DB) RequeueRechecks(ctx context.Context) (n int, err error) {
	err = db.inTx(ctx, "requeue rechecks", func(ctx context.Context, tx pgx.Tx) error {
		ids, err := pgx.CollectRows(query(ctx, tx, `
			SELECT r.job_id FROM log_rechecks r
			WHERE r.due_at <= now() AND NOT EXISTS (
				SELECT FROM queue.river_job q
				WHERE q.kind = 'recheck' AND (q.args->>'job_id')::bigint = r.job_id
				  AND q.state IN ('available', 'pending', 'retryable', 'running', 'scheduled'))
			ORDER BY r.job_id LIMIT $1`, idleBatch), pgx.RowTo[int64])
		n = len(ids)
		if err != nil {
			return err
		}
		return db.enqueueRechecks(ctx, tx, ids, time.Time{})
	})
	return n, err
}
