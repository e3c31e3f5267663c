package ingest

import (
	"context"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// removalQueue is a queue of its own: what a bucket does not let go may take long.
const removalQueue = "removal"

// Timing of the rounds that finish removals.
const (
	removalEvery = time.Minute
	removalRound = 10 * time.Minute // of one round; the rest is for the next
	removalMost  = 10000            // removals in a round
)

// removalArgs is the periodic job, run by one replica, that finishes removals.
type removalArgs struct{}

func (removalArgs) Kind() string { return "removal" }

// InsertOpts lets there be one at a time.
func (removalArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{
		Queue: removalQueue, MaxAttempts: 1,
		UniqueOpts: river.UniqueOpts{ByState: []rivertype.JobState{
			rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
			rivertype.JobStateRunning, rivertype.JobStateScheduled,
		}},
	}
}

// removalWorker is River's worker for it. It decides of no log that it goes.
type removalWorker struct {
	river.WorkerDefaults[removalArgs]
	remover *Remover
	logger  *slog.Logger
	running *running
}

// Timeout is none, as of an Archiver: a round has its own.
func (w *removalWorker) Timeout(*river.Job[removalArgs]) time.Duration { return -1 }

// Work tells the log of removals what it does not know, and finishes what is due. What
// stays unfinished is told, and waits longer each time.
func (w *removalWorker) Work(ctx context.Context, job *river.Job[removalArgs]) error {
	defer w.running.add(job.ID)()
	round, cancel := context.WithTimeout(ctx, removalRound)
	defer cancel()
	finished, err := w.remover.FinishDue(round, removalMost, func(u Unfinished) {
		w.logger.WarnContext(ctx, "a removal is not finished", KeyJob, u.JobID, KeyError, u.Error)
	})
	if finished > 0 {
		w.logger.InfoContext(ctx, "removals finished", KeyCount, finished)
	}
	switch {
	case err == nil || round.Err() != nil && ctx.Err() == nil:
		return nil
	case ctx.Err() != nil:
		return river.JobSnooze(0)
	}
	w.logger.ErrorContext(ctx, "removals could not be finished", KeyError, err)
	return river.JobCancel(err) // the next round comes by itself
}
