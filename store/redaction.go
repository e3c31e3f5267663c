package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/jobvault/jobvault/archive/joblog"
)

// Redaction is a copy of a removed log from which some text was taken out. What that was
// is recorded nowhere.
type Redaction struct {
	JobID         int64
	Number        int
	ObjectKey     string
	RawBytes      int64
	StoredBytes   int64
	Lines         int64
	SHA256        []byte `db:"sha256"`
	StoredSHA256  []byte `db:"stored_sha256"`
	FrameLines    []int64
	FrameOffsets  []int64
	RedactedLines int64
	Matches       int64
	Actor         string
	Reason        string
	At            time.Time
	RemovedAt     *time.Time // nil: the copy is there
	RemovedBy     *string
	RemovedReason *string
}

const redactionColumns = `job_id, number, object_key, raw_bytes, stored_bytes, lines, sha256, stored_sha256, frame_lines, frame_offsets,
	redacted_lines, matches, actor, reason, at, removed_at, removed_by, removed_reason`

// ErrOtherText says that a copy was made of a text that is not the job's text any more.
var ErrOtherText = errors.New("its text has changed meanwhile")

// Redact replaces a job's log, or its present redacted copy, by another copy that is
// already in the bucket, and fails as RemoveByHand does. of is the SHA-256 of the text
// that the copy was made of; if the job has another text by now, Redact fails with
// ErrOtherText. What the copy's text tells replaces what was read from the log: ranges,
// which lines are its steps', and u, what the job used. there is called within the transaction and must fail if the copy is not in the
// bucket any more, because FinishRemoval deletes copies that no row has; it must not use
// the database, and may be repeated. c.At is zero except in tests.
func (db *DB) Redact(ctx context.Context, c Redaction, of []byte, align StepAligner, u *joblog.Usage, there func(context.Context) error) error {
	return db.inTx(ctx, fmt.Sprintf("redact log of job %d", c.JobID), func(ctx context.Context, tx pgx.Tx) error {
		at, err := db.decide(ctx, tx, c.At)
		if err != nil {
			return err
		}
		c.At = at
		if err := lockUnheld(ctx, tx, c.JobID); err != nil {
			return err
		}
		var present []byte
		err = tx.QueryRow(ctx, `
			SELECT CASE WHEN l.state = 'archived' THEN l.sha256 ELSE c.sha256 END
			FROM job_logs l LEFT JOIN log_redactions c ON c.job_id = l.job_id AND c.removed_at IS NULL
			WHERE l.job_id = $1`, c.JobID).Scan(&present)
		if err == nil && !bytes.Equal(present, of) {
			err = ErrOtherText
		}
		if err == nil {
			bucket, cancel := context.WithTimeout(ctx, bucketTime)
			defer cancel()
			err = there(bucket)
		}
		if err != nil {
			return err
		}
		if err := removeText(ctx, tx, Removal{JobID: c.JobID, Kind: RemovedByHand, Reason: "redaction: " + c.Reason, Actor: c.Actor, DecidedAt: c.At}); err != nil {
			return err
		}
		if err := insertRedaction(ctx, tx, c); err != nil {
			return err
		}
		return alignAndWriteIndex(ctx, tx, c.JobID, align, u)
	})
}

// DropCopy calls remove to delete a redacted copy from the bucket, unless a row has it as
// present: then another process made a copy of the same number. remove runs while no
// other change of the job can be made; it must not use the database, and may be repeated.
func (db *DB) DropCopy(ctx context.Context, jobID int64, number int, remove func(context.Context) error) error {
	return db.inTx(ctx, fmt.Sprintf("drop copy %d of the log of job %d", number, jobID), func(ctx context.Context, tx pgx.Tx) error {
		if err := lockJobs(ctx, tx, []int64{jobID}); err != nil {
			return err
		}
		var present bool
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM log_redactions WHERE job_id = $1 AND number = $2 AND removed_at IS NULL)`,
			jobID, number).Scan(&present); err != nil || present {
			return err
		}
		bucket, cancel := context.WithTimeout(ctx, bucketTime)
		defer cancel()
		return remove(bucket)
	})
}

func insertRedaction(ctx context.Context, tx pgx.Tx, c Redaction) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO log_redactions (`+redactionColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
		c.JobID, c.Number, c.ObjectKey, c.RawBytes, c.StoredBytes, c.Lines, c.SHA256, c.StoredSHA256, c.FrameLines, c.FrameOffsets,
		c.RedactedLines, c.Matches, c.Actor, c.Reason, c.At, c.RemovedAt, c.RemovedBy, c.RemovedReason)
	return err
}
