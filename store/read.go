package store

import (
	"context"
	"fmt"
)

// NoteRead records that somebody reads a job's log, and what of it. The time is the
// database's.
func (db *DB) NoteRead(ctx context.Context, subject string, jobID int64, what string) error {
	if _, err := db.pool.Exec(ctx, `INSERT INTO reads (at, subject, job_id, what) VALUES (now(), $1, $2, $3)`, subject, jobID, what); err != nil {
		return fmt.Errorf("store: note read of job %d: %w", jobID, err)
	}
	return nil
}
