package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"github.com/jobvault/jobvault/store"
)

// claimPoll is how soon the jobs of a dead worker are seen.
const claimPoll = 5 * time.Second

// WorkersConfig is what the workers need.
type WorkersConfig struct {
	DB       *store.DB
	Archiver *Archiver // of these workers alone
	Parallel int       // archive jobs at once; at least 1
	// Backfill is how many less urgent archive jobs may run besides; 0: half as
	// many.
	Backfill   int
	Reconciler *Reconciler // nil: this process does no rounds and starts none
	// Temporary is a process that helps for a while: it leaves the rounds to those
	// that stay, but sees to it, as any may that leads the queue, that they are due.
	Temporary bool
	Periodic  []Periodic // other periodic work
	// Selected says by its name whether a repository is archived; nil: all are.
	Selected func(fullName string) bool
	// Clock is what snoozes and periods are counted from; nil: this process's own, for
	// tests.
	Clock   *store.Clock
	Logger  *slog.Logger // of the workers and of River; required
	Metrics *Metrics     // of this process; required
}

// Workers run the delivery worker and the archive jobs of this process.
type Workers struct {
	config  WorkersConfig
	id      string
	deliver *DeliveryWorker
	river   *river.Client[pgx.Tx]
	cancel  context.CancelFunc // of the claim
	halt    context.CancelFunc // of the delivery worker
	stop    func()             // ends waits for limits
	running sync.WaitGroup
	claim   *store.Claimant
}

// NewWorkers prepares the workers; Start starts them.
func NewWorkers(c WorkersConfig) (*Workers, error) {
	stopping := make(chan struct{})
	c.Archiver.stopping, c.Archiver.selected = stopping, c.Selected
	w := &Workers{config: c, id: "jobvault-" + uuid.NewString(), stop: sync.OnceFunc(func() { close(stopping) })}
	var err error
	if w.deliver, err = NewDeliveryWorker(c.DB, c.Logger, c.Metrics); err != nil {
		return nil, err
	}
	w.deliver.Selected = c.Selected
	queue, err := w.queueConfig()
	if err != nil {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	if w.river, err = river.NewClient(riverpgxv5.New(c.DB.Pool()), queue); err != nil {
		return nil, fmt.Errorf("ingest: queue: %w", err)
	}
	return w, nil
}

// queueConfig is what this process works on, and what it starts if it leads the queue.
func (w *Workers) queueConfig() (*river.Config, error) {
	c := w.config
	config := &river.Config{
		ID:     w.id,
		Schema: store.QueueSchema,
		Queues: map[string]river.QueueConfig{
			store.ArchiveQueue:  {MaxWorkers: c.Parallel},
			store.RecheckQueue:  {MaxWorkers: max(c.Parallel/4, 1)},
			store.BackfillQueue: {MaxWorkers: cmp.Or(c.Backfill, max(c.Parallel/2, 1))},
			river.QueueDefault:  {MaxWorkers: 2},
		},
		Workers:    river.NewWorkers(),
		JobTimeout: -1, // see Archiver.Timeout
		// The ledger remembers what was done; the queue need not.
		CompletedJobRetentionPeriod: time.Hour,
		Logger:                      slog.New(riverLogHandler{c.Logger.Handler()}),
		Hooks:                       []rivertype.Hook{&store.DueNow{}},
	}
	if c.Clock != nil {
		config.Test.Time = store.QueueTime{Clock: c.Clock}
	}
	if err := river.AddWorkerSafely(config.Workers, c.Archiver); err != nil {
		return nil, err
	}
	if err := river.AddWorkerSafely(config.Workers, NewRechecker(c.Archiver)); err != nil {
		return nil, err
	}
	for _, p := range c.periodic() {
		if err := p.add(config.Workers, &c.Archiver.inFlight); err != nil {
			return nil, err
		}
		if p.Queue != "" && !c.Temporary {
			config.Queues[p.Queue] = river.QueueConfig{MaxWorkers: 1}
		}
		if p.Every > 0 {
			config.PeriodicJobs = append(config.PeriodicJobs, p.schedule())
		}
	}
	return config, nil
}

// periodic is all periodic work.
func (c WorkersConfig) periodic() []Periodic {
	rounds := cmp.Or(c.Reconciler, &Reconciler{}).periodic()
	if c.Reconciler == nil {
		rounds.Queue = "" // left to others; River is told of its kind, as it discards what it does not know
	}
	return append([]Periodic{requeue(c.DB, c.Logger, c.Archiver.Now), rollUp(c.DB, c.Logger, c.Metrics, c.Archiver.stopping), rounds}, c.Periodic...)
}

// Wake tells the workers that a delivery was committed. It never blocks.
func (w *Workers) Wake() { w.deliver.Wake() }

// Start starts all workers. They go on until Stop; the context bounds the start
// only.
func (w *Workers) Start(ctx context.Context) error {
	var err error
	if w.claim, err = w.config.DB.NewClaimant(ctx, w.id); err != nil {
		return err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w.cancel = cancel
	if err := w.river.Start(running); err != nil {
		cancel()
		return errors.Join(fmt.Errorf("ingest: start queue: %w", err), w.claim.Close(ctx))
	}
	delivering, halt := context.WithCancel(running)
	w.halt = halt
	w.running.Go(func() { w.deliver.Run(delivering) })
	w.running.Go(func() { w.keepClaim(running) })
	return nil
}

// Stop stops claiming at once, lets running jobs finish until the context ends,
// and then cancels them, which gives them back to the queue. It returns when
// all are done, some seconds after the context at the latest.
func (w *Workers) Stop(ctx context.Context) error {
	w.halt()
	w.stop()
	err := w.river.Stop(ctx)
	if err != nil && ctx.Err() != nil {
		hard, cancelHard := context.WithTimeout(context.Background(), hardStop)
		defer cancelHard()
		err = w.river.StopAndCancel(hard)
	}
	w.cancel()
	w.running.Wait()
	closing, cancelClosing := context.WithTimeout(context.Background(), hardStop)
	defer cancelClosing()
	// Last: once the lock is gone, others take over what is marked as running.
	if w.claim != nil {
		err = errors.Join(err, w.claim.Close(closing))
	}
	return err
}

// hardStop is how long cancelled jobs have to give themselves back.
const hardStop = 5 * time.Second

// claimTime bounds one look after the claims.
const claimTime = 20 * time.Second

// keepClaim holds this process's lock and gives back jobs that nobody works on, or that
// nobody could for as long as no snooze lasts. It does not wait for the queue's own
// periodic jobs, as those may be what is stuck.
func (w *Workers) keepClaim(ctx context.Context) {
	pulled := time.Time{}
	for ; ctx.Err() == nil; wait(ctx, claimPoll) {
		if time.Since(pulled) >= requeueEvery {
			w.pullBack(ctx)
			pulled = time.Now()
		}
		n, err := w.releaseJobs(ctx)
		if err != nil && ctx.Err() == nil {
			w.config.Logger.WarnContext(ctx, "worker announces itself again", KeyError, err)
			w.renewClaim(ctx)
		}
		if n > 0 {
			w.config.Metrics.takenOver.Add(float64(n))
			w.config.Logger.WarnContext(ctx, "jobs that nobody worked on given back", KeyCount, n)
		}
	}
}

// releaseJobs gives back the jobs of dead workers, and what this one lost.
func (w *Workers) releaseJobs(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, claimTime)
	defer cancel()
	dead, err := w.claim.ReleaseDead(ctx)
	if err != nil {
		return dead, err
	}
	lost, err := w.claim.ReleaseLost(ctx, w.config.Archiver.inFlight.list())
	return dead + lost, err
}

// lateSlack is what a row may be due later than the longest snooze: jitter, and the
// clock of a process that is right enough.
const lateSlack = 2 * store.MaxSkew

// pullBack has rows be due now that a wrong clock left in the future.
func (w *Workers) pullBack(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, claimTime)
	defer cancel()
	n, err := w.config.DB.PullBack(ctx, store.LatestDue{
		Completed: maxPause + lateSlack, Troubled: longestPause + lateSlack, Open: maxPatience + lateSlack, Periodic: maxPause + lateSlack, Immediate: lateSlack,
	})
	switch {
	case ctx.Err() != nil:
	case err != nil:
		w.config.Logger.WarnContext(ctx, "the queue was not looked through for rows due too late", KeyError, err)
	case n > 0:
		w.config.Logger.WarnContext(ctx, "rows of the queue that were due later than anything waits are due now: a clock was wrong", KeyCount, n)
	}
}

func (w *Workers) renewClaim(ctx context.Context) {
	closing, cancel := context.WithTimeout(ctx, hardStop)
	defer cancel()
	// The connection is broken already; an error says no more.
	_ = w.claim.Close(closing)
	w.claim = nil
	for ; ctx.Err() == nil; wait(ctx, claimPoll) {
		claim, err := w.config.DB.NewClaimant(ctx, w.id)
		if err == nil {
			w.claim = claim
			return
		}
	}
}
