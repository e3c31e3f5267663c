package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/store"
)

// Timing of the guard.
const (
	firstLookWait = 5 * time.Second // how long a start waits for the first look to end
	lookEvery     = time.Minute
	retryPause    = 5 * time.Second // after one that failed, and twice as long each time, up to lookEvery
	lookTimeout   = 30 * time.Minute
)

// errNotLooked is the guard's error before its first look.
var errNotLooked = errors.New("the log of removals in the bucket was not looked at yet")

// removalGuard keeps readers from a database that may be older than removals: until it
// has heard of all that the bucket records, and whenever it is found to have been
// restored under a running process. Receiving does not wait for it.
type removalGuard struct {
	log    *upkeep.RemovalLog
	logger *slog.Logger
	stop   context.CancelFunc
	done   chan struct{}

	mu   sync.Mutex
	err  error // nil: the database may be read
	seen int64 // the last record that the database was seen to know
}

// startGuard starts to look, and waits a little for the first look to end.
func startGuard(ctx context.Context, log *upkeep.RemovalLog, logger *slog.Logger) *removalGuard {
	g := &removalGuard{log: log, logger: logger, done: make(chan struct{}), err: errNotLooked}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	g.stop = stop
	first := make(chan struct{})
	go g.run(running, first)
	select {
	case <-first:
	case <-time.After(firstLookWait):
		logger.WarnContext(ctx, "readers wait until the log of removals in the bucket was looked at")
	case <-ctx.Done():
	}
	return g
}

func (g *removalGuard) run(ctx context.Context, first chan<- struct{}) {
	defer close(g.done)
	pause := retryPause
	for look := 0; ; look++ {
		err := g.look(ctx)
		if look == 0 {
			close(first)
		}
		switch {
		case err == nil:
			pause = retryPause
		case ctx.Err() == nil:
			g.logger.ErrorContext(ctx, "whether the database is older than removals of logs cannot be told", ingest.KeyError, err, "readers", g.readers())
		}
		next := lookEvery
		if err != nil {
			next, pause = pause, min(2*pause, lookEvery)
		}
		select {
		case <-time.After(next):
		case <-ctx.Done():
			return
		}
	}
}

// readers says in the log what becomes of them.
func (g *removalGuard) readers() string {
	if g.state() == nil {
		return "answered"
	}
	return "refused"
}

// look has the database hear of what is new. The first look, and one after a failure,
// is at all of the log.
func (g *removalGuard) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	known, _, err := g.log.Head(ctx)
	if err != nil {
		g.settle(0, err)
		return err
	}
	g.notice(known)
	hear := g.log.CatchUp
	if g.state() != nil {
		hear = g.log.Confirm
	}
	jobs, err := hear(ctx)
	if jobs > 0 {
		g.logger.WarnContext(ctx, "the database is older than removals that the bucket tells of; they are done in it now", ingest.KeyCount, jobs)
	}
	if err == nil {
		known, _, err = g.log.Head(ctx)
	}
	g.settle(known, err)
	return err
}

// notice shuts the gate if the database knows less than it did: it was restored.
func (g *removalGuard) notice(known int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if known < g.seen && g.err == nil {
		g.err = errNotLooked
	}
}

// settle opens the gate, or shuts it. A bucket or a Postgres that is away says nothing
// against a database that had heard of everything; a Postgres that answers with an error
// does: it may be one of before there was a log of removals, restored just now.
func (g *removalGuard) settle(known int64, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case err == nil:
		g.err, g.seen = nil, known
	case g.err != nil || errors.Is(err, upkeep.ErrRemovalsBroken) || store.Answered(err):
		g.err = err
	}
}

// state is why the database may not be read; nil: it may.
func (g *removalGuard) state() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// ready is what /readyz says of it.
func (g *removalGuard) ready() string {
	switch err := g.state(); {
	case err == nil:
		return "ok"
	case errors.Is(err, upkeep.ErrRemovalsBroken):
		return "broken"
	}
	return "away"
}

// metric is 1 while readers are refused.
func (g *removalGuard) metric() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "jobvault_readers_refused", Help: "1 while readers are refused because the database may be older than removals of logs; the log says why. Else 0.",
	}, func() float64 {
		if g.state() == nil {
			return 0
		}
		return 1
	})
}

// close ends the looking.
func (g *removalGuard) close() {
	g.stop()
	<-g.done
}

// refusal is the answer to readers. It gives no internals away.
const refusal = "jobvault does not know yet whether its database is older than removals of logs, and shows nothing before it does; /readyz and its log say more"

// guarded refuses readers while the database may not be read.
func (g *removalGuard) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if g.state() == nil {
			next.ServeHTTP(w, req)
			return
		}
		w.Header().Set("Retry-After", "10")
		if strings.HasPrefix(req.URL.Path, "/api/v3/") {
			writeStatus(w, http.StatusServiceUnavailable, map[string]string{"message": refusal})
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, refusal, http.StatusServiceUnavailable)
	})
}
