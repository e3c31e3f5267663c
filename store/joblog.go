package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/archive/ngram"
)

// States of a job's log in the ledger. docs/design.md#the-ledger says what each means and
// what it may become.
const (
	LogPending  = "pending"
	LogArchived = "archived"
	LogNone     = "none"
	LogExpired  = "expired"
	LogMissing  = "missing"
	LogDenied   = "denied"
	LogRemoved  = "removed"
)

// LogStateNames are all states of a log.
var LogStateNames = []string{LogPending, LogArchived, LogNone, LogExpired, LogMissing, LogDenied, LogRemoved}

// JobLog is a job's row in the ledger.
type JobLog struct {
	JobID        int64
	State        string
	Reason       *string
	HTTPStatus   *int `db:"http_status"`
	Attempts     int
	ObjectKey    *string
	RawBytes     *int64
	StoredBytes  *int64
	Lines        *int64
	SHA256       []byte `db:"sha256"`
	FrameLines   []int64
	FrameOffsets []int64
	Truncated    bool
	ArchivedAt   *time.Time
	SettledAt    *time.Time
	StoredSHA256 []byte `db:"stored_sha256"` // nil for logs of before it was noted
	FilterBytes  *int64 // of the object with its filters; nil: it has none

	ManifestDate  *time.Time // the manifest that lists this; nil: none does yet
	DetailsSHA256 []byte     `db:"details_sha256"` // of job.json; nil: not noted
	DetailsBytes  *int64
	SettledSHA256 []byte `db:"settled_sha256"` // of settled.json; nil: not noted, or there is none
	SettledBytes  *int64 // of that; 0: there is none; nil: not noted

	Troubles // with asking for the job and its log

	Shorter   []ShorterLog `db:"-"` // what was archived before, by their numbers; the log begins with each
	Removal   *Removal     `db:"-"` // of a removed log: who removed it, and why
	Redaction *Redaction   `db:"-"` // of a removed log: the copy that is left of it; nil: none
}

const jobLogColumns = `job_id, state, reason, http_status, attempts, object_key, raw_bytes, stored_bytes, lines, sha256,
	frame_lines, frame_offsets, truncated, archived_at, settled_at, stored_sha256, manifest_date, details_sha256, details_bytes, filter_bytes,
	settled_sha256, settled_bytes, trying_since, failed_days, refused_days, failed_on`

// openLedger adds a row in the ledger for each job that has none.
func openLedger(ctx context.Context, tx pgx.Tx, facts []Facts) error {
	ids := make([]int64, len(facts))
	var kept, sizes []int64
	var sums [][]byte
	for i, f := range facts {
		ids[i] = f.Job.ID
		if f.Details != nil {
			kept, sums, sizes = append(kept, f.Job.ID), append(sums, f.Details.SHA256[:]), append(sizes, f.Details.Bytes)
		}
	}
	if _, err := tx.Exec(ctx, `
		INSERT INTO job_logs (job_id) SELECT id FROM unnest($1::bigint[]) id ORDER BY id
		ON CONFLICT (job_id) DO NOTHING`, ids); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	if len(kept) == 0 {
		return nil
	}
	// An insert, as that takes its rows in the order of ids.
	if _, err := tx.Exec(ctx, `
		INSERT INTO job_logs AS l (job_id, details_sha256, details_bytes)
		SELECT id, sum, size FROM unnest($1::bigint[], $2::bytea[], $3::bigint[]) AS d(id, sum, size) ORDER BY id
		ON CONFLICT (job_id) DO UPDATE SET details_sha256 = excluded.details_sha256, details_bytes = excluded.details_bytes
		WHERE l.details_sha256 IS DISTINCT FROM excluded.details_sha256`, kept, sums, sizes); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

// Details is the digest and size of an object beside the log in the bucket: job.json or
// settled.json.
type Details struct {
	SHA256 [32]byte
	Bytes  int64
}

// RecordDetails notes the digest and size of a job's job.json. Call it when the object is
// in the bucket.
func (db *DB) RecordDetails(ctx context.Context, jobID int64, d Details) error {
	if _, err := db.pool.Exec(ctx, `
		UPDATE job_logs SET details_sha256 = $2, details_bytes = $3 WHERE job_id = $1`, jobID, d.SHA256[:], d.Bytes); err != nil {
		return fmt.Errorf("store: record details of job %d: %w", jobID, err)
	}
	return nil
}

// RecordSettled notes the digest and size of a job's settled.json. Call it when the
// object is in the bucket. A job that a manifest lists with another settled.json is
// listed again by the next one.
func (db *DB) RecordSettled(ctx context.Context, jobID int64, d Details) error {
	return db.inTx(ctx, fmt.Sprintf("record settled.json of job %d", jobID), func(ctx context.Context, tx pgx.Tx) error {
		return noteSettled(ctx, tx, jobID, &d)
	})
}

// noteSettled is RecordSettled; nil: what is noted stays.
func noteSettled(ctx context.Context, tx pgx.Tx, jobID int64, d *Details) error {
	if d == nil {
		return nil
	}
	_, err := tx.Exec(ctx, `UPDATE job_logs SET settled_sha256 = $2, settled_bytes = $3 WHERE job_id = $1`, jobID, d.SHA256[:], d.Bytes)
	return err
}

// Settlement is what an archive job found out about a log.
type Settlement struct {
	JobID      int64
	State      string
	Reason     string // empty: none worth saying
	HTTPStatus int    // 0: GitHub was not asked
	Asked      bool   // whether the log was asked for; counts as an attempt
	Object     *Object
	Shorter    []ShorterLog  // what was archived before Object, and is not noted yet
	Recheck    bool          // the log may not have been at its end, and is asked for again
	AskedAt    time.Time     // before the log was asked for: if the job is reported as completed again after it, the log is asked for again; zero: it was not
	Steps      StepAligner   // which lines are its steps'; nil: none has any
	Usage      *joblog.Usage // nil: the log was not read for it
	Details    *Details      // nil: as noted before
	Settled    *Details      // its settled.json; nil: as noted before
	Trouble    Trouble       // what ended it, or keeps it from ending; none where GitHub has said all that it can
}

// Object is an archived log in the bucket.
type Object struct {
	Key          string
	RawBytes     int64
	StoredBytes  int64
	Lines        int64
	SHA256       [32]byte
	StoredSHA256 [32]byte // of the object as it is stored
	FrameLines   []int64
	FrameOffsets []int64
	Truncated    bool
	ArchivedAt   time.Time
	FilterBytes  int64 // of the object with its filters; 0: it has none
}

// Settle writes the outcome into the ledger if the row's state may become the new one,
// and says whether it did: an archived log stays archived, whatever a second worker
// finds. Call it last, when the object is complete in the bucket: if it came first and
// the upload failed, the log would never be fetched again.
func (db *DB) Settle(ctx context.Context, s Settlement, at time.Time) (bool, error) {
	var changed bool
	err := db.inTx(ctx, fmt.Sprintf("settle job %d as %s", s.JobID, s.State), func(ctx context.Context, tx pgx.Tx) error {
		// First of all, as writeFacts: it comes to the same rows in another order.
		if err := lockJobs(ctx, tx, []int64{s.JobID}); err != nil {
			return err
		}
		object := Object{}
		if s.Object != nil {
			object = *s.Object
		}
		var details []byte
		var detailsBytes *int64
		if s.Details != nil {
			details, detailsBytes = s.Details.SHA256[:], &s.Details.Bytes
		}
		tag, err := tx.Exec(ctx, `
			UPDATE job_logs SET
				state = $2, reason = nullif($3, ''), http_status = coalesce(nullif($4, 0), http_status), attempts = attempts + $5,
				settled_at = CASE WHEN $2 IN ('pending', 'denied') THEN NULL ELSE $6::timestamptz END,
				object_key = $7, raw_bytes = $8, stored_bytes = $9, lines = $10, sha256 = $11,
				frame_lines = $12, frame_offsets = $13, truncated = $14, archived_at = $15, stored_sha256 = $16,
				details_sha256 = coalesce($17, details_sha256), details_bytes = coalesce($18, details_bytes), filter_bytes = nullif($19::bigint, 0),
				filter_version = CASE WHEN $19 > 0 THEN $20::integer END, trying_since = CASE WHEN $2 <> 'archived' THEN trying_since END
			WHERE job_id = $1
			  AND (state IN ('pending', 'denied')
			    OR (state IN ('expired', 'missing') AND $2 = 'archived'))`,
			s.JobID, s.State, s.Reason, s.HTTPStatus, boolInt(s.Asked), at,
			ifArchived(s.Object, object.Key), ifArchived(s.Object, object.RawBytes), ifArchived(s.Object, object.StoredBytes),
			ifArchived(s.Object, object.Lines), ifArchived(s.Object, object.SHA256[:]), object.FrameLines, object.FrameOffsets,
			object.Truncated, ifArchived(s.Object, object.ArchivedAt), ifArchived(s.Object, object.StoredSHA256[:]), details, detailsBytes, object.FilterBytes,
			ngram.FilterVersion)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		changed = true
		return db.writeBesides(ctx, tx, s, at)
	})
	return changed, err
}

// writeBesides writes what a settlement tells beside the ledger's line.
func (db *DB) writeBesides(ctx context.Context, tx pgx.Tx, s Settlement, at time.Time) error {
	if err := noteTrouble(ctx, tx, s.Trouble, at, "job_logs", "job_id = $3", s.JobID); err != nil {
		return err
	}
	if err := noteSettled(ctx, tx, s.JobID, s.Settled); err != nil {
		return err
	}
	if s.Object == nil && s.Usage == nil {
		return nil
	}
	if err := insertShorter(ctx, tx, s.Shorter); err != nil {
		return err
	}
	again, err := completedSince(ctx, tx, s.JobID, s.AskedAt)
	if err != nil {
		return err
	}
	if s.Recheck || again && s.Object != nil && !s.Object.Truncated {
		if err := db.scheduleRechecks(ctx, tx, []int64{s.JobID}, at.Add(RecheckDelay)); err != nil {
			return err
		}
	}
	return alignAndWriteIndex(ctx, tx, s.JobID, s.Steps, s.Usage)
}

// ifArchived is the value for a column that only an archived log has.
func ifArchived[T any](o *Object, v T) *T {
	if o == nil {
		return nil
	}
	return &v
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// JobLog reads a job's row in the ledger. It fails with ErrNotFound for an unknown job.
func (db *DB) JobLog(ctx context.Context, jobID int64) (JobLog, error) {
	var l JobLog
	err := db.inTx(ctx, fmt.Sprintf("ledger of job %d", jobID), func(ctx context.Context, tx pgx.Tx) (err error) {
		if l, err = queryRow[JobLog](ctx, tx, `SELECT `+jobLogColumns+` FROM job_logs WHERE job_id = $1`, jobID); err != nil {
			return err
		}
		logs := map[int64]JobLog{jobID: l}
		if err = readRemovals(ctx, tx, logs); err == nil {
			err = readShorter(ctx, tx, logs)
		}
		l = logs[jobID]
		return err
	})
	return l, err
}

// LogStates counts the jobs in each state of the ledger.
func (db *DB) LogStates(ctx context.Context) (map[string]int, error) {
	states := make(map[string]int)
	rows, err := db.pool.Query(ctx, `SELECT state, count(*) FROM job_logs GROUP BY state`)
	if err != nil {
		return nil, fmt.Errorf("store: count states: %w", err)
	}
	var state string
	var n int
	if _, err := pgx.ForEachRow(rows, []any{&state, &n}, func() error { states[state] = n; return nil }); err != nil {
		return nil, fmt.Errorf("store: count states: %w", err)
	}
	return states, nil
}
