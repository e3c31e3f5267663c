package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/jobvault/jobvault/archive/ngram"
)

// ShorterLog is a log that was archived and whose place a longer one has taken, which
// begins with it.
type ShorterLog struct {
	JobID        int64
	Number       int // from 1
	ObjectKey    string
	RawBytes     int64
	StoredBytes  int64
	Lines        int64
	SHA256       []byte `db:"sha256"`
	StoredSHA256 []byte `db:"stored_sha256"` // nil: not noted
	ArchivedAt   time.Time
}

const shorterColumns = `job_id, number, object_key, raw_bytes, stored_bytes, lines, sha256, stored_sha256, archived_at`

// Lengthen has a longer log take the place of the archived one with the SHA-256 of, with all
// that the text tells: s is its settlement, of which Object is required. The caller vouches
// that it begins with that one. What that was goes into shorter_logs, and the next manifest
// lists both. It says whether it did: nothing is written if the job has another log by now,
// or none, or one that is as long. Call it last, when the object is complete in the bucket.
func (db *DB) Lengthen(ctx context.Context, s Settlement, of []byte, at time.Time) (changed bool, err error) {
	err = db.inTx(ctx, fmt.Sprintf("lengthen the log of job %d", s.JobID), func(ctx context.Context, tx pgx.Tx) error {
		if err := lockJobs(ctx, tx, []int64{s.JobID}); err != nil {
			return err
		}
		o := Object{}
		if s.Object != nil {
			o = *s.Object
		}
		// Read while the job is locked: a removal waits, or has been before.
		was, err := pgx.CollectRows(query(ctx, tx, `
			SELECT job_id, (SELECT count(*) + 1 FROM shorter_logs WHERE job_id = $1)::integer AS number,
				object_key, raw_bytes, stored_bytes, lines, sha256, stored_sha256, archived_at
			FROM job_logs WHERE job_id = $1 AND state = 'archived' AND sha256 = $2 AND raw_bytes < $3`,
			s.JobID, of, o.RawBytes), pgx.RowToStructByName[ShorterLog])
		if err != nil || len(was) == 0 {
			return err
		}
		if err := insertShorter(ctx, tx, was); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			UPDATE job_logs SET
				reason = nullif($2, ''), attempts = attempts + $3, settled_at = $4, object_key = $5, raw_bytes = $6, stored_bytes = $7, lines = $8,
				sha256 = $9, frame_lines = $10, frame_offsets = $11, truncated = $12, archived_at = $13, stored_sha256 = $14,
				filter_bytes = nullif($15::bigint, 0), filter_version = CASE WHEN $15 > 0 THEN $16::integer END
			WHERE job_id = $1`,
			s.JobID, s.Reason, boolInt(s.Asked), at, o.Key, o.RawBytes, o.StoredBytes, o.Lines, o.SHA256[:], o.FrameLines, o.FrameOffsets, o.Truncated,
			o.ArchivedAt, o.StoredSHA256[:], o.FilterBytes, ngram.FilterVersion); err != nil {
			return err
		}
		changed = true
		return alignAndWriteIndex(ctx, tx, s.JobID, s.Steps, s.Usage)
	})
	return changed && err == nil, err
}

// insertShorter adds rows of one job, in their order. What is noted already stays.
func insertShorter(ctx context.Context, tx pgx.Tx, logs []ShorterLog) error {
	for _, s := range logs {
		if _, err := tx.Exec(ctx, `
			INSERT INTO shorter_logs (`+shorterColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (job_id, number) DO NOTHING`,
			s.JobID, s.Number, s.ObjectKey, s.RawBytes, s.StoredBytes, s.Lines, s.SHA256, s.StoredSHA256, s.ArchivedAt); err != nil {
			return fmt.Errorf("shorter log %d: %w", s.Number, err)
		}
	}
	return nil
}

// RememberShorter notes which logs the archived one with the SHA-256 of has taken the place
// of, where no row tells of them, and says whether it did. The next manifest lists it again.
func (db *DB) RememberShorter(ctx context.Context, jobID int64, of []byte, logs []ShorterLog) (changed bool, err error) {
	err = db.inTx(ctx, fmt.Sprintf("remember the shorter logs of job %d", jobID), func(ctx context.Context, tx pgx.Tx) error {
		if err := lockJobs(ctx, tx, []int64{jobID}); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			UPDATE job_logs SET manifest_date = NULL
			WHERE job_id = $1 AND state = 'archived' AND sha256 = $2 AND (SELECT count(*) FROM shorter_logs WHERE job_id = $1) < $3`,
			jobID, of, len(logs))
		if changed = err == nil && tag.RowsAffected() == 1; !changed {
			return err
		}
		return insertShorter(ctx, tx, logs)
	})
	return changed && err == nil, err
}

// readShorter adds to rows of the ledger the logs whose place theirs have taken, as of when
// these rows were read.
func readShorter(ctx context.Context, tx pgx.Tx, logs map[int64]JobLog) error {
	var ids []int64
	for id, l := range logs {
		if l.RawBytes != nil {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	found, err := pgx.CollectRows(query(ctx, tx, `SELECT `+shorterColumns+` FROM shorter_logs WHERE job_id = ANY($1) ORDER BY job_id, number`, ids),
		pgx.RowToStructByName[ShorterLog])
	for _, s := range found {
		l := logs[s.JobID]
		if s.RawBytes >= *l.RawBytes {
			continue // since then
		}
		l.Shorter = append(l.Shorter, s)
		logs[s.JobID] = l
	}
	return err
}

// CorrectShorter has a row of shorter_logs say how the object is stored, and says whether it
// did: only if the digest of the log is the one in the row, and the job's log is archived
// still. If the object is another one than was listed, the next manifest lists the job again.
func (db *DB) CorrectShorter(ctx context.Context, s ShorterLog) (done bool, err error) {
	err = db.inTx(ctx, fmt.Sprintf("correct shorter log %d of job %d", s.Number, s.JobID), func(ctx context.Context, tx pgx.Tx) error {
		if err := lockJobs(ctx, tx, []int64{s.JobID}); err != nil {
			return err
		}
		// Read while the job is locked: a removal waits, or has been before.
		var listed bool
		err := tx.QueryRow(ctx, `
			SELECT (s.object_key, s.raw_bytes, s.stored_bytes, s.lines) = ($4, $5, $6, $7) AND s.stored_sha256 IS NOT DISTINCT FROM $8
			FROM shorter_logs s JOIN job_logs l ON l.job_id = s.job_id AND l.state = 'archived'
			WHERE s.job_id = $1 AND s.number = $2 AND s.sha256 = $3`,
			s.JobID, s.Number, s.SHA256, s.ObjectKey, s.RawBytes, s.StoredBytes, s.Lines, s.StoredSHA256).Scan(&listed)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if done = err == nil; err != nil || listed {
			return err
		}
		if _, err := tx.Exec(ctx, `
			UPDATE shorter_logs SET object_key = $3, raw_bytes = $4, stored_bytes = $5, lines = $6, stored_sha256 = $7 WHERE job_id = $1 AND number = $2`,
			s.JobID, s.Number, s.ObjectKey, s.RawBytes, s.StoredBytes, s.Lines, s.StoredSHA256); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE job_logs SET manifest_date = NULL WHERE job_id = $1`, s.JobID)
		return err
	})
	return done && err == nil, err
}
