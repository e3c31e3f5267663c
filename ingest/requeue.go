package ingest

import (
	"context"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"github.com/jobvault/jobvault/store"
)

// requeueArgs is the periodic job, run by one replica, that brings back what
// the queue lost.
type requeueArgs struct{}

func (requeueArgs) Kind() string { return "requeue" }

// InsertOpts lets there be one at a time.
func (requeueArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: 1, UniqueOpts: oneAtATime}
}

// requeuer enqueues completed jobs that the ledger holds as pending or denied and no
// queue row works for: nothing is forgotten because a queue gave up.
type requeuer struct {
	river.WorkerDefaults[requeueArgs]
	db     *store.DB
	logger *slog.Logger
}

func (r *requeuer) Timeout(*river.Job[requeueArgs]) time.Duration { return 10 * time.Minute }

func (r *requeuer) Work(ctx context.Context, _ *river.Job[requeueArgs]) error {
	n, err := r.db.RequeuePending(ctx)
	if n > 0 {
		r.logger.WarnContext(ctx, "jobs brought back to the queue", KeyCount, n)
	}
	return err
}
