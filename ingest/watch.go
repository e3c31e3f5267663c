package ingest

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/jobvault/jobvault/store"
)

// WatchConfig is what a Watch needs.
type WatchConfig struct {
	Clock   *store.Clock   // of the database that the workers work on
	Workers *WorkersConfig // nil: this process has none, and only its clock is watched
	Grace   time.Duration  // what running work has to finish when the clock is found wrong
	Logger  *slog.Logger   // of stops and starts; required
}

// Watch has this process work only while its clock and Postgres' agree. When they do not,
// it stops the workers as a shutdown does, which leaves the work to other processes, and
// says so in the log; when they agree again, it starts them again.
type Watch struct {
	config  WatchConfig
	stop    context.CancelFunc
	running sync.WaitGroup

	workers atomic.Pointer[Workers] // nil: they do not work
	told    time.Time               // when the log last said that the clock is wrong; zero: it is right
}

// tellAgain is how often it is repeated in the log that the clock is wrong.
const tellAgain = 5 * time.Minute

// StartWatch compares the clocks, starts the workers if they agree, and goes on until
// Stop; the context bounds the start only. It fails if Postgres does not answer or the
// workers do not start; a wrong clock is no error, nor is a Postgres that only reads.
func StartWatch(ctx context.Context, c WatchConfig) (*Watch, error) {
	w := &Watch{config: c}
	err := c.Clock.Check(ctx)
	if skew := c.Clock.Err(); skew != nil {
		w.tell(ctx, skew)
	} else if err == nil {
		err = w.start(ctx)
	}
	if store.OnlyReads(err) {
		c.Logger.ErrorContext(ctx, "Postgres only reads: this process does not work until it writes", KeyError, err)
		err = nil
	}
	if err != nil && c.Clock.Err() == nil {
		return nil, err
	}
	watching, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w.stop = cancel
	w.running.Go(func() { c.Clock.Watch(watching, func(skew error) { w.turn(watching, skew) }) })
	return w, nil
}

// Wake tells the workers that a delivery was committed. It never blocks.
func (w *Watch) Wake() {
	if workers := w.workers.Load(); workers != nil {
		workers.Wake()
	}
}

// Stop stops watching and working, as Workers.Stop does.
func (w *Watch) Stop(ctx context.Context) error {
	w.stop()
	w.running.Wait()
	if workers := w.workers.Swap(nil); workers != nil {
		return workers.Stop(ctx)
	}
	return nil
}

// turn has the workers work, or not.
func (w *Watch) turn(ctx context.Context, skew error) {
	if skew != nil {
		w.tell(ctx, skew)
		w.pause(ctx)
		return
	}
	if !w.told.IsZero() {
		w.told = time.Time{}
		w.config.Logger.InfoContext(ctx, "the clock is right again", KeySkew, w.config.Clock.Skew())
	}
	if err := w.start(ctx); err != nil && ctx.Err() == nil {
		w.config.Logger.ErrorContext(ctx, "the workers do not start yet", KeyError, err)
	}
}

func (w *Watch) tell(ctx context.Context, skew error) {
	if !w.told.IsZero() && time.Since(w.told) < tellAgain {
		return
	}
	w.told = time.Now()
	w.config.Logger.ErrorContext(ctx, "a clock is wrong: this process does not work and removes nothing until it is right; webhooks are received", KeyError, skew)
}

func (w *Watch) start(ctx context.Context) error {
	if w.config.Workers == nil || w.workers.Load() != nil {
		return nil
	}
	workers, err := NewWorkers(*w.config.Workers)
	if err != nil {
		return err
	}
	if err := workers.Start(ctx); err != nil {
		return err
	}
	w.workers.Store(workers)
	return nil
}

func (w *Watch) pause(ctx context.Context) {
	workers := w.workers.Swap(nil)
	if workers == nil {
		return
	}
	stopping, cancel := context.WithTimeout(ctx, w.config.Grace)
	defer cancel()
	if err := workers.Stop(stopping); err != nil && ctx.Err() == nil {
		w.config.Logger.ErrorContext(ctx, "not all work was given back", KeyError, err)
	}
}

// NewSkewMetric tells how far this process's clock is ahead of Postgres'; register it.
func NewSkewMetric(c *store.Clock) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "jobvault_clock_skew_seconds",
		Help: "How far this process's clock is ahead of Postgres' (negative: behind). Beyond 60, either way, it does not work and removes nothing.",
	}, func() float64 { return c.Skew().Seconds() })
}
