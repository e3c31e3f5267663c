package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/jobvault/jobvault/archive/joblog"
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
}

const removalColumns = `job_id, kind, rule, reason, actor, decided_at, sha256, raw_bytes, stored_bytes, lines, truncated, object_key, archived_at, finished_at`

// removeText has the ledger say that a job's log is removed, or that the redacted copy
// is that was left of it, and keeps what it was. What the log's lines are quoted in
// goes with it. ErrNotFound: there is neither.
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
			_, err = tx.Exec(ctx, `UPDATE log_removals SET finished_at = NULL WHERE job_id = $1`, m.JobID)
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

// ledgerRemoved leaves in the ledger what the log was, and nothing of where it is.
func ledgerRemoved(ctx context.Context, tx pgx.Tx, m Removal) error {
	_, err := tx.Exec(ctx, `
		UPDATE job_logs SET state = 'removed', reason = $2, settled_at = $3,
			object_key = NULL, stored_bytes = NULL, stored_sha256 = NULL, frame_lines = NULL, frame_offsets = NULL, filter_bytes = NULL
		WHERE job_id = $1`, m.JobID, m.Reason, m.DecidedAt)
	return err
}

// RemoveByHand is RemoveByRule without a rule: somebody wants a log gone, or the
// redacted copy of it. It fails with HeldError, with SkewError, and with ErrNotFound if
// there is neither.
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

// RemovalRecord is all that is known of a removal.
type RemovalRecord struct {
	Job        Job
	Log        JobLog
	Removal    Removal
	Redactions []Redaction // all there ever were, by their numbers
}

// Removal reads a removal, or ErrNotFound.
func (db *DB) Removal(ctx context.Context, jobID int64) (RemovalRecord, error) {
	var r RemovalRecord
	err := db.inTx(ctx, fmt.Sprintf("removal of job %d", jobID), func(ctx context.Context, tx pgx.Tx) (err error) {
		r, err = removalRecord(ctx, tx, jobID)
		return err
	})
	return r, err
}

func removalRecord(ctx context.Context, tx pgx.Tx, jobID int64) (r RemovalRecord, err error) {
	if r.Removal, err = one[Removal](ctx, tx, `SELECT `+removalColumns+` FROM log_removals WHERE job_id = $1`, jobID); err != nil {
		return r, err
	}
	if r.Job, err = one[Job](ctx, tx, `SELECT `+jobColumns+` FROM jobs WHERE id = $1`, jobID); err != nil {
		return r, err
	}
	if r.Log, err = one[JobLog](ctx, tx, `SELECT `+jobLogColumns+` FROM job_logs WHERE job_id = $1`, jobID); err != nil {
		return r, err
	}
	r.Redactions, err = pgx.CollectRows(ask(ctx, tx, `SELECT `+redactionColumns+` FROM log_redactions WHERE job_id = $1 ORDER BY number`, jobID), pgx.RowToStructByName[Redaction])
	return r, err
}

// Present is the redacted copy that is there; nil: none is.
func (r RemovalRecord) Present() *Redaction {
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

// FinishRemoval has done in the bucket what the ledger says is done: keep writes there
// that the log is removed, and remove removes it, unless a hold covers the job by now:
// then it fails with HeldError, and what is there stays. It notes last that all is
// done. Both run within the transaction that keeps holds and other changes of the job
// away, must not use the database, and may be repeated. now is for tests; nil: Postgres'
// time, and it fails with SkewError before anything is done.
func (db *DB) FinishRemoval(ctx context.Context, jobID int64, now func() time.Time, keep, remove func(context.Context, RemovalRecord) error) error {
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
		r, err := removalRecord(ctx, tx, jobID)
		if err != nil || r.Removal.FinishedAt != nil {
			return err
		}
		bucket, cancel := context.WithTimeout(ctx, bucketTime)
		defer cancel()
		if err := keep(bucket, r); err != nil {
			return err
		}
		if err := checkHold(ctx, tx, jobID); err != nil {
			return err
		}
		if err := remove(bucket, r); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE log_removals SET finished_at = coalesce($2, clock_timestamp()) WHERE job_id = $1`, jobID, timeOrNull(at))
		return err
	})
}

// ReopenRemoval has a removal be finished again: something of it was found.
func (db *DB) ReopenRemoval(ctx context.Context, jobID int64) error {
	if _, err := db.pool.Exec(ctx, `UPDATE log_removals SET finished_at = NULL WHERE job_id = $1`, jobID); err != nil {
		return fmt.Errorf("store: reopen removal of job %d: %w", jobID, err)
	}
	return nil
}

// UnfinishedRemoval is one of which the bucket may have something still.
type UnfinishedRemoval struct {
	Removal
	Hold *int64 // a hold that covers it, and keeps what is there; nil: none
}

// UnfinishedRemovals lists up to limit of them, of jobs with an id above after, by
// their ids.
func (db *DB) UnfinishedRemovals(ctx context.Context, after int64, limit int) ([]UnfinishedRemoval, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT m.*, (SELECT min(h.id) FROM holds h WHERE h.released_at IS NULL
		             AND (h.repository_id = j.repository_id OR h.run_id = j.run_id OR h.job_id = j.id)) AS hold
		FROM (SELECT `+removalColumns+` FROM log_removals WHERE finished_at IS NULL AND job_id > $1) m JOIN jobs j ON j.id = m.job_id
		ORDER BY m.job_id LIMIT $2`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("store: unfinished removals: %w", err)
	}
	removals, err := pgx.CollectRows(rows, pgx.RowToStructByName[UnfinishedRemoval])
	if err != nil {
		return nil, fmt.Errorf("store: unfinished removals: %w", err)
	}
	return removals, nil
}

// RestoredRemoval is a removal as the bucket tells of it.
type RestoredRemoval struct {
	Removal    Removal
	HTTPStatus int
	Reason     string    // of the ledger's line
	SettledAt  time.Time // of the ledger's line
	Redactions []Redaction
	Usage      *joblog.Usage // of the present copy; nil: there is none
	Steps      []StepLines
}

// RestoreRemoval writes into the ledger that a log is removed, whatever it says, and
// says whether it did: where it says so already, nothing is written.
func (db *DB) RestoreRemoval(ctx context.Context, r RestoredRemoval) (bool, error) {
	m, changed := r.Removal, false
	err := db.inTx(ctx, fmt.Sprintf("restore removal of job %d", m.JobID), func(ctx context.Context, tx pgx.Tx) error {
		if err := lockJobs(ctx, tx, []int64{m.JobID}); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			UPDATE job_logs SET
				http_status = coalesce(nullif($2, 0), http_status), raw_bytes = $3, lines = $4, sha256 = $5, truncated = $6, archived_at = $7
			WHERE job_id = $1 AND state <> 'removed'`, m.JobID, r.HTTPStatus, m.RawBytes, m.Lines, m.SHA256, m.Truncated, m.ArchivedAt)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		changed = true
		if err := ledgerRemoved(ctx, tx, Removal{JobID: m.JobID, Reason: r.Reason, DecidedAt: r.SettledAt}); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			INSERT INTO log_removals (`+removalColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
			ON CONFLICT (job_id) DO NOTHING`, m.JobID, m.Kind, m.Rule, m.Reason, m.Actor, m.DecidedAt, m.SHA256, m.RawBytes, m.StoredBytes, m.Lines,
			m.Truncated, m.ObjectKey, m.ArchivedAt, m.FinishedAt); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM job_annotations WHERE job_id = $1`, m.JobID); err != nil {
			return err
		}
		for _, c := range r.Redactions {
			if err := insertRedaction(ctx, tx, c); err != nil {
				return err
			}
		}
		if err := writeStepLines(ctx, tx, m.JobID, r.Steps); err != nil {
			return err
		}
		return writeUsage(ctx, tx, m.JobID, r.Usage)
	})
	return changed, err
}

// readRemovals adds to lines of removed logs who removed them, and what is left.
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
	removals, err := byID(ask(ctx, tx, `SELECT `+removalColumns+` FROM log_removals WHERE job_id = ANY($1)`, ids), func(m Removal) int64 { return m.JobID })
	copies, cerr := byID(ask(ctx, tx, `SELECT `+redactionColumns+` FROM log_redactions WHERE job_id = ANY($1) AND removed_at IS NULL`, ids),
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
