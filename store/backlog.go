package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Backlog counts the work that waits.
type Backlog struct {
	Deliveries int64 // committed, not yet turned into rows
	Pending    int64 // completed jobs whose log is pending
	Denied     int64

	OldestPending *time.Time // completion of the oldest of those
	Queued        int64      // archive jobs in the queue, in whatever state of waiting
}

// Backlog reads the counts. Partial indexes make its cost proportional to what waits, not
// to what is archived.
func (db *DB) Backlog(ctx context.Context) (Backlog, error) {
	var b Backlog
	err := db.inTx(ctx, "count backlog", func(ctx context.Context, tx pgx.Tx) (err error) {
		b, err = queryRow[Backlog](ctx, tx, `
			SELECT (SELECT count(*) FROM deliveries WHERE state = 'received') AS deliveries, pending, denied, oldest_pending,
			       (SELECT count(*) FROM queue.river_job
			        WHERE kind = 'archive' AND state IN ('available', 'pending', 'retryable', 'running', 'scheduled')) AS queued
			FROM (SELECT count(*) FILTER (WHERE l.state = 'pending') AS pending, count(*) FILTER (WHERE l.state = 'denied') AS denied,
			             min(coalesce(j.completed_at, j.created_at)) AS oldest_pending
			      FROM job_logs l JOIN jobs j ON j.id = l.job_id
			      WHERE l.state IN ('pending', 'denied') AND j.status = 'completed') unsettled`)
		return err
	})
	return b, err
}
