package ingest

import (
	"context"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// Periodic is work that comes again and again, a round at a time: of all replicas, one
// does a round. Make one with NewPeriodic.
type Periodic struct {
	Args  river.JobArgs // name its kind
	Queue string        // its own; store.Queues lists it
	Every time.Duration // between the starts of two rounds; the first is at once

	add func(*river.Workers, *inFlight) error
}

// NewPeriodic makes periodic work of a function that does one round. It may take as long
// as it needs: store.LongWork lists its kind. What it returns is River's: nil ends the
// round, river.JobSnooze(0) gives it back, river.JobCancel leaves it to the next round.
func NewPeriodic[T river.JobArgs](args T, queue string, every time.Duration, round func(context.Context) error) Periodic {
	return Periodic{Args: args, Queue: queue, Every: every, add: func(workers *river.Workers, r *inFlight) error {
		if err := river.AddWorkerSafely(workers, &periodicWorker[T]{round: round, inFlight: r}); err != nil {
			return fmt.Errorf("ingest: %w", err)
		}
		return nil
	}}
}

// schedule is how River starts it.
func (p Periodic) schedule() *river.PeriodicJob {
	opts := river.InsertOpts{Queue: p.Queue, MaxAttempts: 1, UniqueOpts: oneAtATime}
	return river.NewPeriodicJob(river.PeriodicInterval(p.Every),
		func() (river.JobArgs, *river.InsertOpts) { return p.Args, &opts }, &river.PeriodicJobOpts{RunOnStart: true})
}

// oneAtATime are periodic jobs of which the queue has one, until it is done. One a
// minute is another thing: what minute it is would be part of its key, and one that was
// done in a minute to come, by a clock that was wrong then, would keep it from being
// done in that minute.
var oneAtATime = river.UniqueOpts{ByState: []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
	rivertype.JobStateRunning, rivertype.JobStateScheduled,
}}

// periodicWorker is River's worker for it.
type periodicWorker[T river.JobArgs] struct {
	river.WorkerDefaults[T]
	round    func(context.Context) error
	inFlight *inFlight
}

// Timeout is none, as of an Archiver: a round that needs a bound has its own.
func (w *periodicWorker[T]) Timeout(*river.Job[T]) time.Duration { return -1 }

// Work does one round.
func (w *periodicWorker[T]) Work(ctx context.Context, job *river.Job[T]) error {
	defer w.inFlight.add(job.ID)()
	return w.round(ctx)
}
