package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// QueueSchema is the Postgres schema of River's tables.
const QueueSchema = "queue"

// The River queues of archive jobs. A backfill has a queue, and so workers, of its
// own: it delays nobody else. Its queue's name in the database is of before it was
// called so; rows and running processes have it.
const (
	ArchiveQueue  = "archive"
	BackfillQueue = "history"
)

// Queues are all queues that there are, and LongWork the kinds of job in them that may
// run for long, and that River rescues late or never. PullBack looks through the queues,
// and a Claimant gives back rows of these kinds.
var (
	Queues   = []string{ArchiveQueue, BackfillQueue, RecheckQueue, river.QueueDefault, "reconcile", "manifest", "removal"}
	LongWork = []string{"archive", "recheck", "reconcile", "manifest", "removal", "rollup"}
)

// Priority says which jobs are archived first: those of the lowest number. It is the
// priority of a job's row in River's table. internal/ghapi, which cannot import this,
// has the same names and numbers for whose request is made first.
type Priority int

// PriorityLive is for jobs of a webhook, PrioritySweep for those that a sweep found
// without one, and PriorityBackfill for old jobs that somebody asked for.
const (
	PriorityLive     Priority = 1
	PrioritySweep    Priority = 2
	PriorityBackfill Priority = 3
)

func (p Priority) queue() string {
	if p == PriorityBackfill {
		return BackfillQueue
	}
	return ArchiveQueue
}

// archiveAttempts is how many failures in a row an archive job may have before
// River gives it up; snoozing is none. What is given up stays pending in the
// ledger, and RequeuePending brings it back.
const archiveAttempts = 25

// ArchiveArgs asks for one job to be fetched and its log archived.
type ArchiveArgs struct {
	JobID int64 `json:"job_id" river:"unique"`
	Again bool  `json:"again,omitempty"` // also if it is missing: then it is asked for once more
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

// enqueueArchive adds an archive job for each id that has none waiting. One that waits
// with a lower priority is given this one.
func (db *DB) enqueueArchive(ctx context.Context, tx pgx.Tx, jobIDs []int64, p Priority) error {
	_, err := db.enqueueArgs(ctx, tx, archiveArgs(jobIDs), p)
	return err
}

// putOff has those of new rows of the queue that are for these jobs be due after a short
// while. They are available all the time: River looks but every five seconds at rows that
// are not.
func putOff(ctx context.Context, tx pgx.Tx, rows, jobIDs []int64, by time.Duration) error {
	if len(rows) == 0 || len(jobIDs) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `
		UPDATE queue.river_job SET scheduled_at = now() + $3::interval
		WHERE id = ANY($1) AND (args->>'job_id')::bigint = ANY($2)`, rows, jobIDs, by)
	return err
}

func archiveArgs(jobIDs []int64) []ArchiveArgs {
	args := make([]ArchiveArgs, len(jobIDs))
	for i, id := range jobIDs {
		args[i].JobID = id
	}
	return args
}

// enqueueArgs returns those rows of the queue that are new.
func (db *DB) enqueueArgs(ctx context.Context, tx pgx.Tx, args []ArchiveArgs, p Priority) (inserted []int64, err error) {
	if len(args) == 0 {
		return nil, nil
	}
	params := make([]river.InsertManyParams, len(args))
	for i, a := range args {
		params[i] = river.InsertManyParams{Args: a, InsertOpts: &river.InsertOpts{Queue: p.queue(), Priority: int(p)}}
	}
	results, err := db.queue.InsertManyTx(ctx, tx, params)
	if err != nil {
		return nil, fmt.Errorf("enqueue %d archive jobs: %w", len(args), err)
	}
	var behind []int64
	for _, r := range results {
		switch {
		case !r.UniqueSkippedAsDuplicate:
			inserted = append(inserted, r.Job.ID)
		case r.Job.Priority > int(p):
			behind = append(behind, r.Job.ID)
		}
	}
	if len(behind) == 0 {
		return inserted, nil
	}
	// What waits for the limit of its old priority need not wait now. What runs has the
	// new priority at its next attempt, or when it looks, see PriorityOf.
	_, err = tx.Exec(ctx, `
		UPDATE queue.river_job SET queue = $2, priority = $3,
			scheduled_at = CASE state WHEN 'running' THEN scheduled_at ELSE now() END,
			state = CASE state WHEN 'running' THEN state ELSE 'available' END
		WHERE id = ANY($1) AND state IN ('available', 'scheduled', 'retryable', 'running')`, behind, p.queue(), int(p))
	return inserted, err
}

// PriorityOf reads the present priority of a row of the queue, by River's id of it.
func (db *DB) PriorityOf(ctx context.Context, id int64) (Priority, error) {
	var p Priority
	if err := db.pool.QueryRow(ctx, `SELECT priority FROM queue.river_job WHERE id = $1`, id).Scan(&p); err != nil {
		return 0, fmt.Errorf("store: queue row %d: %w", id, err)
	}
	return p, nil
}

// RequeuePending enqueues every completed job that is pending or denied in the ledger
// and that no live queue row works for: what River gave up, or what a restored database
// lost. It returns how many it enqueued.
func (db *DB) RequeuePending(ctx context.Context) (int, error) {
	return db.enqueueIdle(ctx, "requeue pending", `j.status = 'completed'`)
}

// How long a job may wait or run without news of it before GitHub is asked. GitHub ends
// a job that has waited for a runner for a day, and one on its own runners that has run
// for six hours.
const (
	maxQueued  = 24 * time.Hour
	maxRunning = 6 * time.Hour
)

// EnqueueStale enqueues the jobs that are known as waiting or running for longer than
// most can, and that no live queue row works for. It returns how many.
func (db *DB) EnqueueStale(ctx context.Context, now time.Time) (int, error) {
	return db.enqueueIdle(ctx, "enqueue stale jobs", `
		j.status <> 'completed'
		AND CASE WHEN j.status = 'in_progress' THEN coalesce(j.started_at, j.created_at, '-infinity') < $3
		    ELSE coalesce(j.created_at, '-infinity') < $4 END`, now.Add(-maxRunning), now.Add(-maxQueued))
}

// idleBatch bounds one transaction of enqueueIdle.
const idleBatch = 1000

// enqueueIdle enqueues unsettled jobs that meet a condition on jobs j, whose arguments
// begin at $3, and that no live queue row works for.
func (db *DB) enqueueIdle(ctx context.Context, op, condition string, args ...any) (int, error) {
	var total int
	for last := int64(0); ; {
		var ids []int64
		err := db.inTx(ctx, op, func(ctx context.Context, tx pgx.Tx) error {
			rows, err := tx.Query(ctx, `
				SELECT l.job_id
				FROM job_logs l JOIN jobs j ON j.id = l.job_id
				WHERE l.state IN ('pending', 'denied') AND l.job_id > $2 AND j.id > $2 AND `+condition+`
				  AND NOT EXISTS (
					SELECT FROM queue.river_job q
					WHERE q.kind = 'archive' AND (q.args->>'job_id')::bigint = l.job_id
					  AND q.state IN ('available', 'pending', 'retryable', 'running', 'scheduled'))
				ORDER BY l.job_id
				LIMIT $1`, append([]any{idleBatch, last}, args...)...)
			if err != nil {
				return err
			}
			if ids, err = pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil {
				return err
			}
			return db.enqueueArchive(ctx, tx, ids, PrioritySweep)
		})
		if err != nil {
			return total, err
		}
		total += len(ids)
		if len(ids) < idleBatch {
			return total, nil
		}
		last = ids[len(ids)-1]
	}
}
