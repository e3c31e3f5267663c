package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// QueueSchema is the Postgres schema of River's tables.
const QueueSchema = "queue"

// ArchiveQueue is the River queue of archive jobs.
const ArchiveQueue = "archive"

// archiveAttempts is how many failures in a row an archive job may have before
// River gives it up; snoozing is none. What is given up stays pending in the
// ledger, and RequeuePending brings it back.
const archiveAttempts = 25

// ArchiveArgs asks for one job to be fetched and its log archived.
type ArchiveArgs struct {
	JobID int64 `json:"job_id" river:"unique"`
}

// Kind names the job in River's table.
func (ArchiveArgs) Kind() string { return "archive" }

// InsertOpts makes the job unique by its id for as long as it is not done.
func (ArchiveArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{
		Queue:       ArchiveQueue,
		MaxAttempts: archiveAttempts,
		UniqueOpts: river.UniqueOpts{
			ByArgs: true,
			ByState: []rivertype.JobState{
				rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
				rivertype.JobStateRunning, rivertype.JobStateScheduled,
			},
		},
	}
}

// enqueueArchive adds an archive job for each id that has none waiting.
func (db *DB) enqueueArchive(ctx context.Context, tx pgx.Tx, jobIDs []int64) error {
	if len(jobIDs) == 0 {
		return nil
	}
	params := make([]river.InsertManyParams, len(jobIDs))
	for i, id := range jobIDs {
		params[i] = river.InsertManyParams{Args: ArchiveArgs{JobID: id}}
	}
	if _, err := db.queue.InsertManyTx(ctx, tx, params); err != nil {
		return fmt.Errorf("enqueue %d archive jobs: %w", len(jobIDs), err)
	}
	return nil
}

// requeueBatch bounds one transaction of RequeuePending.
const requeueBatch = 1000

// RequeuePending enqueues every completed job that the ledger holds as pending
// or denied and that no live queue row works for: what River gave up, or what a
// restored database lost. It returns how many it enqueued.
func (db *DB) RequeuePending(ctx context.Context) (int, error) {
	var total int
	for {
		var ids []int64
		err := db.inTx(ctx, "requeue pending", func(ctx context.Context, tx pgx.Tx) error {
			rows, err := tx.Query(ctx, `
				SELECT l.job_id
				FROM job_logs l JOIN jobs j ON j.id = l.job_id
				WHERE l.state IN ('pending', 'denied') AND j.status = 'completed'
				  AND NOT EXISTS (
					SELECT FROM queue.river_job q
					WHERE q.kind = 'archive' AND (q.args->>'job_id')::bigint = l.job_id
					  AND q.state IN ('available', 'pending', 'retryable', 'running', 'scheduled'))
				ORDER BY l.job_id
				LIMIT $1`, requeueBatch)
			if err != nil {
				return err
			}
			if ids, err = pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil {
				return err
			}
			return db.enqueueArchive(ctx, tx, ids)
		})
		if err != nil {
			return total, err
		}
		total += len(ids)
		if len(ids) < requeueBatch {
			return total, nil
		}
	}
}
