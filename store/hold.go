package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Hold is a legal hold: while it stands, no log that it covers is removed or
// redacted. Exactly one of RepositoryID, RunID and JobID is set.
type Hold struct {
	ID           int64      `json:"id"`
	RepositoryID *int64     `json:"repository_id"`
	RunID        *int64     `json:"run_id"`
	JobID        *int64     `json:"job_id"`
	Reason       string     `json:"reason"`
	CreatedBy    string     `json:"created_by"`
	CreatedAt    time.Time  `json:"created_at"`
	ReleasedBy   *string    `json:"released_by"`
	ReleasedAt   *time.Time `json:"released_at"` // nil: it stands
}

const holdColumns = `id, repository_id, run_id, job_id, reason, created_by, created_at, released_by, released_at`

// HeldError says that a hold covers a job.
type HeldError struct {
	JobID int64
	Hold  Hold
}

// Error names the hold and its reason.
func (e *HeldError) Error() string {
	return fmt.Sprintf("job %d is under legal hold %d: %s", e.JobID, e.Hold.ID, e.Hold.Reason)
}

// AlreadyRemoved counts the jobs of a hold that it came too late for.
type AlreadyRemoved struct {
	Removed    int64 `json:"removed"`    // jobs whose log, as GitHub sent it, is removed
	Unfinished int64 `json:"unfinished"` // those of them whose log the bucket still has a part of, which the hold keeps
}

const alreadyRemoved = `
	SELECT count(*) AS removed, count(*) FILTER (WHERE m.finished_at IS NULL) AS unfinished
	FROM log_removals m JOIN jobs j ON j.id = m.job_id
	WHERE j.repository_id = $1 OR j.run_id = $2 OR j.id = $3`

// holdsLock is taken shared by whoever decides that a log goes, and alone by who sets
// a hold: once a hold is set, nothing that it covers goes.
const holdsLock = `hashtextextended('jobvault holds', 0)`

// SetHold sets a hold, and tells what it came too late for. When it returns, no log
// that the hold covers is removed any more. It is set at Postgres' now() where CreatedAt
// is zero, whatever this process's clock says. ErrNotFound: nothing is known of what it
// is on.
func (db *DB) SetHold(ctx context.Context, h Hold) (Hold, AlreadyRemoved, error) {
	var c AlreadyRemoved
	err := db.inTx(ctx, "set hold", func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(`+holdsLock+`)`); err != nil {
			return fmt.Errorf("wait for removals that are going on: %w", err)
		}
		err := tx.QueryRow(ctx, `
			INSERT INTO holds (repository_id, run_id, job_id, reason, created_by, created_at)
			SELECT $1, $2, $3, $4, $5, coalesce($6, now())
			WHERE EXISTS (SELECT FROM repositories WHERE id = $1) OR EXISTS (SELECT FROM workflow_runs WHERE id = $2) OR EXISTS (SELECT FROM jobs WHERE id = $3)
			RETURNING id, created_at`, h.RepositoryID, h.RunID, h.JobID, h.Reason, h.CreatedBy, timeOrNull(h.CreatedAt)).Scan(&h.ID, &h.CreatedAt)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		c, err = queryRow[AlreadyRemoved](ctx, tx, alreadyRemoved, h.RepositoryID, h.RunID, h.JobID)
		return err
	})
	return h, c, err
}

// ReleaseHold ends a hold, which stays as history. ErrNotFound: there is none with the
// id that stands. A zero time is Postgres' now().
func (db *DB) ReleaseHold(ctx context.Context, id int64, actor string, at time.Time) error {
	tag, err := db.pool.Exec(ctx, `UPDATE holds SET released_by = $2, released_at = coalesce($3, now()) WHERE id = $1 AND released_at IS NULL`, id, actor, timeOrNull(at))
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("store: release hold %d: %w", id, err)
	}
	return nil
}

// ListedHold is a hold with the name of its repository, and what it covers.
type ListedHold struct {
	Hold
	Repository string `json:"repository"` // OWNER/NAME; of a run or a job too
	AlreadyRemoved
}

// Holds lists holds by their ids: those that stand, or also those that were released.
func (db *DB) Holds(ctx context.Context, released bool) ([]ListedHold, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT h.*, r.owner || '/' || r.name AS repository, c.removed, c.unfinished
		FROM (SELECT `+holdColumns+` FROM holds WHERE $1 OR released_at IS NULL) h
		LEFT JOIN workflow_runs w ON w.id = h.run_id
		LEFT JOIN jobs j ON j.id = h.job_id
		JOIN repositories r ON r.id = coalesce(h.repository_id, w.repository_id, j.repository_id)
		CROSS JOIN LATERAL (
			SELECT count(m.job_id) AS removed, count(m.job_id) FILTER (WHERE m.finished_at IS NULL) AS unfinished
			FROM log_removals m JOIN jobs c ON c.id = m.job_id
			WHERE c.repository_id = h.repository_id OR c.run_id = h.run_id OR c.id = h.job_id) c
		ORDER BY h.id`, released)
	if err != nil {
		return nil, fmt.Errorf("store: holds: %w", err)
	}
	holds, err := pgx.CollectRows(rows, pgx.RowToStructByName[ListedHold])
	if err != nil {
		return nil, fmt.Errorf("store: holds: %w", err)
	}
	return holds, nil
}

// CheckHold fails with HeldError if a hold covers a job.
func (db *DB) CheckHold(ctx context.Context, jobID int64) error {
	return db.inTx(ctx, fmt.Sprintf("holds of job %d", jobID), func(ctx context.Context, tx pgx.Tx) error { return checkHold(ctx, tx, jobID) })
}

// holdOfJob is the FROM of the holds h that cover a job j.
const holdOfJob = ` FROM holds h WHERE h.released_at IS NULL AND (h.repository_id = j.repository_id OR h.run_id = j.run_id OR h.job_id = j.id)`

// lockUnheld makes this transaction the only one that writes rows of a job, and has
// holds wait for its end; it fails with HeldError.
func lockUnheld(ctx context.Context, tx pgx.Tx, jobID int64) error {
	if err := lockHolds(ctx, tx); err != nil {
		return err
	}
	if err := lockJobs(ctx, tx, []int64{jobID}); err != nil {
		return err
	}
	return checkHold(ctx, tx, jobID)
}

// lockHolds has holds wait for the end of this transaction. Always taken before the
// locks of jobs.
func lockHolds(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock_shared(`+holdsLock+`)`)
	return err
}

// checkHold must be a statement of its own after lockHolds: it sees what was committed
// before it began.
func checkHold(ctx context.Context, tx pgx.Tx, jobID int64) error {
	h, err := queryRow[Hold](ctx, tx, `
		SELECT `+holdColumns+` FROM (SELECT h.* FROM jobs j, LATERAL (SELECT *`+holdOfJob+`) h WHERE j.id = $1) h
		ORDER BY id LIMIT 1`, jobID)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return &HeldError{JobID: jobID, Hold: h}
}
