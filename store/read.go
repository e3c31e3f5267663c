package store

import (
	"context"
	"fmt"
)

// NoteRead records who reads which part of a job's log, at the database's time.
func (db *DB) NoteRead(ctx context.Context, subject string, jobID int64, what string) error {
	return db.NoteReads(ctx, subject, []int64{jobID}, what)
}

// NoteReads is NoteRead for several logs.
func (db *DB) NoteReads(ctx context.Context, subject string, jobIDs []int64, what string) error {
	if _, err := db.pool.Exec(ctx, `INSERT INTO reads (at, subject, job_id, what) SELECT now(), $1, id, $3 FROM unnest($2::bigint[]) id`, subject, jobIDs, what); err != nil {
		return fmt.Errorf("store: note reads: %w", err)
	}
	return nil
}
