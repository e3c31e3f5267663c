package ingest

import (
	"cmp"
	"context"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// Periodic is work that comes again and again, a round at a time: of all replicas, one
// does a round. Make one with NewPeriodic.
type Periodic struct {
	Args    river.JobArgs // name its kind
	Queue   string        // its own, one of store.Queues; empty: the default one, which temporary processes work on too
	Every   time.Duration // between the starts of two rounds, the first of which is at once; 0: none is started
	Timeout time.Duration // of one round; 0: none, and store.LongWork lists the kind

	add func(*river.Workers, *inFlight) error
}

// NewPeriodic makes periodic work of a function that does one round, within a time-out (0:
// none). What the function returns is River's: nil ends the round, river.JobSnooze(0)
// gives it back, river.JobCancel leaves it to the next round.
func NewPeriodic[T river.JobArgs](args T, queue string, every, timeout time.Duration, round func(context.Context) error) Periodic {
	return Periodic{Args: args, Queue: queue, Every: every, Timeout: timeout, add: func(workers *river.Workers, r *inFlight) error {
		return river.AddWorkerSafely(workers, &periodicWorker[T]{timeout: cmp.Or(timeout, -1), round: round, inFlight: r})
	}}
}

// schedule is how River starts it.
func (p Periodic) schedule() *river.PeriodicJob {
	opts := river.InsertOpts{Queue: p.Queue, MaxAttempts: 1, UniqueOpts: oneAtATime}
	return river.NewPeriodicJob(river.PeriodicInterval(p.Every),
		func() (river.JobArgs, *river.InsertOpts) { return p.Args, &opts }, &river.PeriodicJobOpts{RunOnStart: true})
}

// oneAtATime is for periodic work of which the queue has one job until that is done. The
// uniqueness is not by period: the minute would be part of its key, and a job that was
// done in a minute to come, by a clock that was wrong then, would keep the job of that
// minute from being done.
var oneAtATime = river.UniqueOpts{ByState: []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
	rivertype.JobStateRunning, rivertype.JobStateScheduled,
}}

// periodicWorker is River's worker for it.
type periodicWorker[T river.JobArgs] struct {
	river.WorkerDefaults[T]
	timeout  time.Duration // negative: none
	round    func(context.Context) error
	inFlight *inFlight
}

// Timeout implements river.Worker.
func (w *periodicWorker[T]) Timeout(*river.Job[T]) time.Duration { return w.timeout }

// Work does one round.
func (w *periodicWorker[T]) Work(ctx context.Context, job *river.Job[T]) error {
	defer w.inFlight.add(job.ID)()
	return w.round(ctx)
}
