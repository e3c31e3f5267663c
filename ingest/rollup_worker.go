package ingest

import (
	"context"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"github.com/jobvault/jobvault/store"
)

// rollUpEvery bounds how much is pending while jobs are archived: what is archived in
// this time. Reading who used an action costs some microseconds for each pending job.
const rollUpEvery = 15 * time.Second

// rollUpArgs is the periodic job, run by one replica, that brings the sums of actions up
// to date.
type rollUpArgs struct{}

func (rollUpArgs) Kind() string { return "rollup" }

// InsertOpts lets there be one at a time.
func (rollUpArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: 1, UniqueOpts: oneAtATime}
}

// rollUpWorker is River's worker for it.
type rollUpWorker struct {
	river.WorkerDefaults[rollUpArgs]
	db       *store.DB
	logger   *slog.Logger
	running  *running
	stopping <-chan struct{} // closed: leave what is left to others
}

// Timeout is none, as of an Archiver: after a large reindex there is much to do, and each
// transaction has a time-out of its own.
func (w *rollUpWorker) Timeout(*river.Job[rollUpArgs]) time.Duration { return -1 }

// Work rolls up until nothing is pending. What fails is left to the next round.
func (w *rollUpWorker) Work(ctx context.Context, job *river.Job[rollUpArgs]) error {
	defer w.running.add(job.ID)()
	for {
		more, err := w.db.RollUpActions(ctx)
		switch {
		case ctx.Err() != nil:
			return river.JobSnooze(0)
		case err != nil:
			w.logger.WarnContext(ctx, "the sums of actions could not be brought up to date", KeyError, err)
			return river.JobCancel(err) // the next round comes by itself
		case !more:
			return nil
		}
		select {
		case <-w.stopping:
			return river.JobSnooze(0)
		default:
		}
	}
}
