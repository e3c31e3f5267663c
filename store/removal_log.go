package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// AppliedRecord is a record of the log of removals in the bucket that this database has
// applied.
type AppliedRecord struct {
	Number    int64
	SHA256    []byte `db:"sha256"` // of the object
	Lines     int64
	WrittenAt time.Time
}

const appliedRecordColumns = `number, sha256, lines, written_at`

// LastAppliedRecord reads the record with the largest number that this database has
// applied. It fails with ErrNotFound if there is none.
func (db *DB) LastAppliedRecord(ctx context.Context) (AppliedRecord, error) {
	var r AppliedRecord
	err := db.inTx(ctx, "last record of removals", func(ctx context.Context, tx pgx.Tx) (err error) {
		r, err = queryRow[AppliedRecord](ctx, tx, `SELECT `+appliedRecordColumns+` FROM removal_log ORDER BY number DESC LIMIT 1`)
		return err
	})
	return r, err
}

// AppliedRecords lists all records that this database has applied, by number.
func (db *DB) AppliedRecords(ctx context.Context) ([]AppliedRecord, error) {
	rows, err := db.pool.Query(ctx, `SELECT `+appliedRecordColumns+` FROM removal_log ORDER BY number`)
	if err != nil {
		return nil, fmt.Errorf("store: records of removals: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[AppliedRecord])
	if err != nil {
		return nil, fmt.Errorf("store: records of removals: %w", err)
	}
	return list, nil
}

// UnloggedRemovals lists up to limit jobs whose removal is not, or not wholly, in the log
// of removals, in the order of ids, starting after the given one.
func (db *DB) UnloggedRemovals(ctx context.Context, after int64, limit int) ([]int64, error) {
	rows, err := db.pool.Query(ctx, `SELECT job_id FROM log_removals WHERE logged_in IS NULL AND job_id > $1 ORDER BY job_id LIMIT $2`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("store: removals that are not logged: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("store: removals that are not logged: %w", err)
	}
	return ids, nil
}

// ErrOtherRecord says that another record with this number is noted.
var ErrOtherRecord = errors.New("another record with this number is noted")

// LoggedRemoval says how many steps of a job's removal, as RemovalSteps counts them, a
// record has, and how many shorter logs.
type LoggedRemoval struct {
	JobID   int64
	Steps   int
	Shorter int
}

// NoteAppliedRecord notes that a record is in the bucket, and marks the removals that it
// has wholly; a job to which more was done meanwhile is left for the next record. Call it
// when everything in the record is in the ledger. Repeating it is harmless; if another
// record with this number is noted, it fails with ErrOtherRecord.
func (db *DB) NoteAppliedRecord(ctx context.Context, r AppliedRecord, logged []LoggedRemoval) error {
	ids, steps, shorter := make([]int64, len(logged)), make([]int, len(logged)), make([]int, len(logged))
	for i, l := range logged {
		ids[i], steps[i], shorter[i] = l.JobID, l.Steps, l.Shorter
	}
	return db.inTx(ctx, fmt.Sprintf("note record %d of removals", r.Number), func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `
			INSERT INTO removal_log (`+appliedRecordColumns+`) VALUES ($1, $2, $3, $4) ON CONFLICT (number) DO NOTHING`,
			r.Number, r.SHA256, r.Lines, r.WrittenAt); err != nil {
			return err
		}
		var noted []byte
		if err := tx.QueryRow(ctx, `SELECT sha256 FROM removal_log WHERE number = $1`, r.Number).Scan(&noted); err != nil {
			return err
		}
		if !bytes.Equal(noted, r.SHA256) {
			return ErrOtherRecord
		}
		// In the order of ids, as everybody: transactions must not wait in a ring.
		if _, err := tx.Exec(ctx, `SELECT FROM log_removals WHERE job_id = ANY($1) ORDER BY job_id FOR NO KEY UPDATE`, ids); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `
			UPDATE log_removals m SET logged_in = $1
			FROM unnest($2::bigint[], $3::int[], $4::int[]) AS told(job_id, steps, shorter), job_logs l
			WHERE m.job_id = told.job_id AND l.job_id = m.job_id AND m.logged_in IS DISTINCT FROM $1 AND `+removalSteps+` = told.steps
			  AND told.shorter >= (SELECT count(*) FROM shorter_logs s WHERE s.job_id = m.job_id) -- an older jobvault tells of none
			`, r.Number, ids, steps, shorter)
		return err
	})
}

// removalsLock is held by whoever writes or applies the log of removals.
const removalsLock = `hashtextextended('jobvault removal log', 0)`

// removalsWait bounds LockRemovals also where Postgres does not answer at all.
const removalsWait = time.Minute

// ErrRemovalsBusy says that another process has been writing or applying the log of
// removals for as long as LockRemovals waits.
var ErrRemovalsBusy = errors.New("another jobvault writes or hears the log of removals")

// lockNotAvailable is SQLSTATE 55P03: a lock_timeout is over.
const lockNotAvailable = "55P03"

// LockRemovals makes the caller the only one who writes or applies the log of removals,
// until it calls unlock. It waits half a minute, and then fails with ErrRemovalsBusy. at
// is Postgres' time. The lock belongs to a session and only avoids work done twice; that
// no number is used twice rests on the bucket, where objects are put with If-None-Match.
func (db *DB) LockRemovals(ctx context.Context) (unlock func(), at time.Time, err error) {
	fail := func(err error) error { return fmt.Errorf("store: lock the log of removals: %w", err) }
	waiting, cancel := context.WithTimeout(ctx, removalsWait)
	defer cancel()
	// One of a process waits with a connection, whatever the others: see MinConns.
	select {
	case db.removals <- struct{}{}:
	case <-waiting.Done():
		if err = ctx.Err(); err == nil {
			err = ErrRemovalsBusy
		}
		return nil, at, fail(err)
	}
	defer func() {
		if unlock == nil {
			<-db.removals
		}
	}()
	conn, err := db.pool.Acquire(waiting)
	if err != nil {
		return nil, at, fail(err)
	}
	if _, err = conn.Exec(waiting, `SELECT pg_advisory_lock(`+removalsLock+`)`); err == nil {
		err = conn.QueryRow(waiting, `SELECT clock_timestamp()`).Scan(&at)
	}
	if err != nil {
		_ = conn.Hijack().Close(context.WithoutCancel(ctx)) // with the session, the lock goes
		if pg, is := errors.AsType[*pgconn.PgError](err); is && pg.Code == lockNotAvailable {
			err = fmt.Errorf("%w: %w", ErrRemovalsBusy, err)
		}
		return nil, at, fail(err)
	}
	return func() { db.unlockRemovals(ctx, conn) }, at, nil
}

func (db *DB) unlockRemovals(ctx context.Context, conn *pgxpool.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), transactionTime)
	defer cancel()
	defer func() { <-db.removals }()
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_unlock(`+removalsLock+`)`); err != nil {
		_ = conn.Hijack().Close(ctx)
		return
	}
	conn.Release()
}
