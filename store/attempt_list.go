package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// AttemptList is a list of an attempt's jobs that was read, and all of which is written.
// One without an ETag is none.
type AttemptList struct {
	RunID        int64
	RunAttempt   int64
	ETag         string `db:"etag"`
	Jobs         int
	AllCompleted bool
	ListedAt     time.Time
}

// AttemptList reads what is known of an attempt's list; one without an ETag if nothing is.
func (db *DB) AttemptList(ctx context.Context, runID, attempt int64) (AttemptList, error) {
	l := AttemptList{RunID: runID, RunAttempt: attempt}
	err := db.pool.QueryRow(ctx, `SELECT etag, jobs, all_completed, listed_at FROM attempt_lists WHERE run_id = $1 AND run_attempt = $2`, runID, attempt).
		Scan(&l.ETag, &l.Jobs, &l.AllCompleted, &l.ListedAt)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return l, fmt.Errorf("store: list of run %d attempt %d: %w", runID, attempt, err)
	}
	return l, nil
}

// NoteAttemptList notes that a list was read. Call it when all that it tells is written: as
// long as the list is the same it is not read again.
func (db *DB) NoteAttemptList(ctx context.Context, l AttemptList) error {
	_, err := db.pool.Exec(ctx, `
		INSERT INTO attempt_lists (run_id, run_attempt, etag, jobs, all_completed, listed_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (run_id, run_attempt) DO UPDATE SET
			etag = excluded.etag, jobs = excluded.jobs, all_completed = excluded.all_completed, listed_at = excluded.listed_at`,
		l.RunID, l.RunAttempt, l.ETag, l.Jobs, l.AllCompleted, l.ListedAt)
	if err != nil {
		return fmt.Errorf("store: note list of run %d attempt %d: %w", l.RunID, l.RunAttempt, err)
	}
	return nil
}

// ForgetAttemptLists deletes what is known of lists that were read before a time, of
// attempts of which no sweep has seen the end.
func (db *DB) ForgetAttemptLists(ctx context.Context, before time.Time) error {
	if _, err := db.pool.Exec(ctx, `DELETE FROM attempt_lists WHERE listed_at < $1`, before); err != nil {
		return fmt.Errorf("store: forget lists of attempts: %w", err)
	}
	return nil
}
