package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// LatestDue is how far from now rows of the queue may be due, by what they are for.
type LatestDue struct {
	Completed time.Duration // archive jobs whose job has completed
	Troubled  time.Duration // of those, the ones that were asked for in vain; and rechecks
	Open      time.Duration // archive jobs whose job has not, as far as is known
	Periodic  time.Duration // rounds, which wait for GitHub's limits
	Immediate time.Duration // periodic jobs that wait for nothing
}

// lateBatch bounds one transaction of PullBack.
const lateBatch = 1000

// lateRows selects rows that are due later than they may be. Queue and priority are
// there for the index by which River fetches: it finds what is due late without
// looking at what is not.
const lateRows = `
	SELECT q.id FROM queue.river_job q
	WHERE q.state IN ('available', 'scheduled', 'retryable') AND q.priority IN (1, 2, 3, 4)
	  AND q.queue = ANY($6)
	  AND q.scheduled_at > now() + least($1::interval, $2::interval, $3::interval, $4::interval, $7::interval)
	  AND q.scheduled_at > now() + CASE
		WHEN q.kind IN ('requeue', 'rollup', 'manifest', 'removal') THEN $4::interval
		WHEN q.kind = 'recheck' THEN $7::interval
		WHEN q.kind <> 'archive' THEN $3::interval
		WHEN EXISTS (SELECT FROM jobs j WHERE j.id = (q.args->>'job_id')::bigint AND j.status <> 'completed') THEN $2::interval
		WHEN EXISTS (SELECT FROM job_logs l WHERE l.job_id = (q.args->>'job_id')::bigint AND l.trying_since IS NOT NULL) THEN $7::interval
		ELSE $1::interval END
	LIMIT $5
	FOR UPDATE OF q SKIP LOCKED`

// PullBack makes all rows of the queue due now that are due later than they may be: a
// clock that was wrong has left them there, and nobody would do that work before. So it
// does with the leadership of a process that is to last longer than any: without a
// leader there is no periodic work. It returns how many rows it was.
func (db *DB) PullBack(ctx context.Context, latest LatestDue) (int64, error) {
	var total int64
	for {
		var n int64
		err := db.inTx(ctx, "pull back the queue", func(ctx context.Context, tx pgx.Tx) error {
			tag, err := tx.Exec(ctx, `
				UPDATE queue.river_job SET scheduled_at = now(), state = 'available' WHERE id IN (`+lateRows+`)`,
				latest.Completed, latest.Open, latest.Periodic, latest.Immediate, lateBatch, Queues, latest.Troubled)
			if err != nil {
				return err
			}
			n = tag.RowsAffected()
			// A leader that lives is elected again within seconds.
			_, err = tx.Exec(ctx, `DELETE FROM queue.river_leader WHERE expires_at > now() + $1::interval`, maxLeaderTerm)
			return err
		})
		if err != nil {
			return total, fmt.Errorf("%d rows before: %w", total, err)
		}
		total += n
		if n < lateBatch {
			return total, nil
		}
	}
}

// maxLeaderTerm is more than a leader is elected for, which is a quarter of a minute.
const maxLeaderTerm = 2 * time.Minute
