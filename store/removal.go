package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Kinds of removals.
const (
	RemovedByRule = "retention"
	RemovedByHand = "redaction"
)

// Removal is an archived log that was removed: what it was, who removed it, and why.
type Removal struct {
	JobID       int64
	Kind        string
	Rule        *string // as it was then; nil: of none
	Reason      string
	Actor       string
	DecidedAt   time.Time
	SHA256      []byte `db:"sha256"`
	RawBytes    int64
	StoredBytes int64
	Lines       int64
	Truncated   bool
	ObjectKey   string
	ArchivedAt  time.Time
	FinishedAt  *time.Time // nil: the bucket may have something of it still
	LoggedIn    *int64     // record of the log of removals that tells all of it; nil: none does yet
	Attempts    int        // that failed to finish it, in a row
	RetryAt     *time.Time // of a serving jobvault; nil: at once
	Error       *string    // why it is not finished; nil: nothing was in the way
}

const removalColumns = `job_id, kind, rule, reason, actor, decided_at, sha256, raw_bytes, stored_bytes, lines, truncated, object_key, archived_at, finished_at,
	logged_in, attempts, retry_at, error`

// removeText marks a job's log as removed in the ledger, or else its present redacted
// copy, and keeps the record of what it was. The rows that quote lines of the log are
// deleted. It fails with ErrNotFound if there is neither a log nor a copy.
func removeText(ctx context.Context, tx pgx.Tx, m Removal) error {
	tag, err := tx.Exec(ctx, `
		INSERT INTO log_removals (job_id, kind, rule, reason, actor, decided_at, sha256, raw_bytes, stored_bytes, lines, truncated, object_key, archived_at)
		SELECT job_id, $2, $3, $4, $5, $6, sha256, raw_bytes, stored_bytes, lines, truncated, object_key, archived_at
		FROM job_logs WHERE job_id = $1 AND state = 'archived'`, m.JobID, m.Kind, m.Rule, m.Reason, m.Actor, m.DecidedAt)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		tag, err = tx.Exec(ctx, `
			UPDATE log_redactions SET removed_at = $2, removed_by = $3, removed_reason = $4, frame_lines = NULL, frame_offsets = NULL
			WHERE job_id = $1 AND removed_at IS NULL`,
			m.JobID, m.DecidedAt, m.Actor, m.Reason)
		if err == nil && tag.RowsAffected() == 0 {
			err = ErrNotFound
		}
		if err == nil {
			_, err = tx.Exec(ctx, `UPDATE log_removals SET finished_at = NULL, logged_in = NULL, attempts = 0, retry_at = NULL, error = NULL WHERE job_id = $1`, m.JobID)
		}
		if err != nil {
			return err
		}
	}
	if err := ledgerRemoved(ctx, tx, m); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `DELETE FROM job_annotations WHERE job_id = $1`, m.JobID)
	return err
}

// ledgerRemoved keeps in the ledger what the log was, and clears where it was stored. The
// digest of settled.json is cleared too: another one is about to be written.
func ledgerRemoved(ctx context.Context, tx pgx.Tx, m Removal) error {
	_, err := tx.Exec(ctx, `
		UPDATE job_logs SET state = 'removed', reason = $2, settled_at = $3,
			object_key = NULL, stored_bytes = NULL, stored_sha256 = NULL, frame_lines = NULL, frame_offsets = NULL, filter_bytes = NULL, filter_version = NULL,
			settled_sha256 = NULL, settled_bytes = NULL
		WHERE job_id = $1`, m.JobID, m.Reason, m.DecidedAt)
	return err
}

// RemoveByHand is RemoveByRule without a rule: it removes a log, or the redacted copy of
// it, because somebody asks for it. It fails with HeldError, with SkewError, and with
// ErrNotFound if there is neither a log nor a copy.
func (db *DB) RemoveByHand(ctx context.Context, jobID int64, actor, reason string, at time.Time) error {
	return db.inTx(ctx, fmt.Sprintf("remove log of job %d", jobID), func(ctx context.Context, tx pgx.Tx) error {
		at, err := db.decide(ctx, tx, at)
		if err != nil {
			return err
		}
		if err := lockUnheld(ctx, tx, jobID); err != nil {
			return err
		}
		return removeText(ctx, tx, Removal{JobID: jobID, Kind: RemovedByHand, Reason: "redaction: " + reason, Actor: actor, DecidedAt: at})
	})
}

// RemovedJob is a removal with the job, its row in the ledger and all of its redacted
// copies.
type RemovedJob struct {
	Job        Job
	Log        JobLog
	Removal    Removal
	Redactions []Redaction // all there ever were, by their numbers
}

// Removal reads a removal. It fails with ErrNotFound for a job whose log is not removed.
func (db *DB) Removal(ctx context.Context, jobID int64) (RemovedJob, error) {
	var r RemovedJob
	err := db.inTx(ctx, fmt.Sprintf("removal of job %d", jobID), func(ctx context.Context, tx pgx.Tx) (err error) {
		r, err = removedJob(ctx, tx, jobID)
		return err
	})
	return r, err
}

func removedJob(ctx context.Context, tx pgx.Tx, jobID int64) (r RemovedJob, err error) {
	if r.Removal, err = queryRow[Removal](ctx, tx, `SELECT `+removalColumns+` FROM log_removals WHERE job_id = $1`, jobID); err != nil {
		return r, err
	}
	if r.Job, err = queryRow[Job](ctx, tx, `SELECT `+jobColumns+` FROM jobs WHERE id = $1`, jobID); err != nil {
		return r, err
	}
	if r.Log, err = queryRow[JobLog](ctx, tx, `SELECT `+jobLogColumns+` FROM job_logs WHERE job_id = $1`, jobID); err != nil {
		return r, err
	}
	log := map[int64]JobLog{jobID: r.Log}
	if err := readShorter(ctx, tx, log); err != nil {
		return r, err
	}
	r.Log = log[jobID]
	r.Redactions, err = pgx.CollectRows(query(ctx, tx, `SELECT `+redactionColumns+` FROM log_redactions WHERE job_id = $1 ORDER BY number`, jobID), pgx.RowToStructByName[Redaction])
	return r, err
}

// Present returns the redacted copy that is present; nil: there is none.
func (r RemovedJob) Present() *Redaction {
	for i := range r.Redactions {
		if r.Redactions[i].RemovedAt == nil {
			return &r.Redactions[i]
		}
	}
	return nil
}

// bucketTime bounds what FinishRemoval has done in the bucket: a hold that is to be
// set waits for it.
const bucketTime = 25 * time.Second

// ErrUnlogged says that the log of removals in the bucket does not have a removal yet.
var ErrUnlogged = errors.New("the log of removals in the bucket does not tell of it yet")

// FinishRemoval makes the bucket agree with the ledger about a removal. It fails with
// ErrUnlogged until the log of removals has the removal. writeSettled writes to the bucket
// that the log is removed, and returns how that object is stored; purge then deletes the
// log, unless a hold covers the job by now: then FinishRemoval fails with HeldError and
// nothing is deleted. The row is marked as finished last, so that a removal that was
// interrupted is tried again. writeSettled and purge run within the transaction that locks
// out holds and other changes of the job; they must not use the database, and may be
// repeated. now is for tests; nil: Postgres' time, and SkewError before anything is done.
func (db *DB) FinishRemoval(ctx context.Context, jobID int64, now func() time.Time,
	writeSettled func(context.Context, RemovedJob) (Details, error), purge func(context.Context, RemovedJob) error) error {
	return db.inTx(ctx, fmt.Sprintf("finish removal of job %d", jobID), func(ctx context.Context, tx pgx.Tx) error {
		var at time.Time
		if now != nil {
			at = now()
		}
		if _, err := db.decide(ctx, tx, at); err != nil {
			return err
		}
		if err := lockHolds(ctx, tx); err != nil {
			return err
		}
		if err := lockJobs(ctx, tx, []int64{jobID}); err != nil {
			return err
		}
		r, err := removedJob(ctx, tx, jobID)
		if err != nil || r.Removal.FinishedAt != nil {
			return err
		}
		if r.Removal.LoggedIn == nil {
			return ErrUnlogged
		}
		bucket, cancel := context.WithTimeout(ctx, bucketTime)
		defer cancel()
		settled, err := writeSettled(bucket, r)
		if err == nil {
			err = noteSettled(ctx, tx, jobID, &settled)
		}
		if err != nil {
			return err
		}
		if err := checkHold(ctx, tx, jobID); err != nil {
			return err
		}
		if err := purge(bucket, r); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			UPDATE log_removals SET finished_at = coalesce($2, clock_timestamp()), attempts = 0, retry_at = NULL, error = NULL WHERE job_id = $1`,
			jobID, timeOrNull(at))
		return err
	})
}

// readRemovals adds to rows of removed logs who removed them, and the copy that is
// present.
func readRemovals(ctx context.Context, tx pgx.Tx, logs map[int64]JobLog) error {
	var ids []int64
	for id, l := range logs {
		if l.State == LogRemoved {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	removals, err := byID(query(ctx, tx, `SELECT `+removalColumns+` FROM log_removals WHERE job_id = ANY($1)`, ids), func(m Removal) int64 { return m.JobID })
	copies, cerr := byID(query(ctx, tx, `SELECT `+redactionColumns+` FROM log_redactions WHERE job_id = ANY($1) AND removed_at IS NULL`, ids),
		func(c Redaction) int64 { return c.JobID })
	for _, id := range ids {
		l := logs[id]
		if m, ok := removals[id]; ok {
			l.Removal = &m
		}
		if c, ok := copies[id]; ok {
			l.Redaction = &c
		}
		logs[id] = l
	}
	return errors.Join(err, cerr)
}
