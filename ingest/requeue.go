package ingest

import (
	"context"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/jobvault/jobvault/store"
)

// requeueArgs is the periodic job, run by one replica, that brings back what
// the queue lost.
type requeueArgs struct{}

func (requeueArgs) Kind() string { return "requeue" }

// InsertOpts lets there be one at a time. One a minute is another thing: what minute it
// is would be part of its key, and one that was done in a minute to come, by a clock
// that was wrong then, would keep it from being done in that minute.
func (requeueArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: 1, UniqueOpts: oneAtATime}
}

// oneAtATime are periodic jobs of which the queue has one, until it is done.
var oneAtATime = river.UniqueOpts{ByState: []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
	rivertype.JobStateRunning, rivertype.JobStateScheduled,
}}

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
