package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest"
)

// Timing of the store's probe. It costs the store seventeen requests, some more with versions.
const (
	firstProbeWait = 5 * time.Second  // how long a start waits for the first to end, if the bucket answers
	probeTimeout   = 2 * time.Minute  // of one
	probeAgain     = time.Hour        // after one that was well, if anybody asks for readiness
	probeRetry     = 30 * time.Second // after one that failed
)

// storeProbe knows whether the bucket can hold an archive. It probes at the start and then,
// rarely, when readiness is asked for; in between it answers what it found last.
type storeProbe struct {
	bucket bucket.Bucket
	logger *slog.Logger
	now    func() time.Time
	ctx    context.Context // of the probes; ends with close
	stop   context.CancelFunc
	probes sync.WaitGroup

	mu      sync.Mutex
	running bool
	write   bool      // whether the next one writes
	ended   time.Time // the last one; zero: none has
	err     error
	lacks   []bucket.Lack
}

// startProbe begins the first probe, and waits for it to end, but not for long. It writes if
// this process does. It fails with bucket.ErrUnfit; a store that does not answer, or refuses
// something, may do better later.
func startProbe(ctx context.Context, b bucket.Bucket, write bool, wait time.Duration, logger *slog.Logger) (*storeProbe, error) {
	p := &storeProbe{bucket: b, write: write, logger: logger, now: time.Now}
	p.ctx, p.stop = context.WithCancel(context.WithoutCancel(ctx))
	select {
	case <-p.begin():
	case <-time.After(wait):
		logger.WarnContext(ctx, "the store was not probed yet")
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if errors.Is(p.err, bucket.ErrUnfit) {
		return p, p.err
	}
	return p, nil
}

// begin starts a probe unless one runs. The channel is closed at its end; nil if there is
// none to wait for.
func (p *storeProbe) begin() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running || p.ctx.Err() != nil {
		return nil
	}
	p.running = true
	write, done := p.write, make(chan struct{})
	p.probes.Go(func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(p.ctx, probeTimeout)
		defer cancel()
		lacks, err := p.bucket.Probe(ctx, write)
		p.end(write, lacks, err)
	})
	return done
}

// end keeps what a probe found, and tells the log what is new. What one that wrote found
// lacking stays known beside those that only read, which do not find it.
func (p *storeProbe) end(wrote bool, lacks []bucket.Lack, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = false
	if p.ctx.Err() != nil {
		return
	}
	first := p.ended.IsZero()
	switch {
	case err != nil:
		p.logger.ErrorContext(p.ctx, "the store's probe failed", ingest.KeyError, err)
	case first || p.err != nil:
		for _, l := range lacks {
			level := slog.LevelWarn
			if l.Harmless {
				level = slog.LevelInfo
			}
			p.logger.Log(p.ctx, level, l.String())
		}
	}
	if err == nil && wrote {
		p.lacks = lacks
	}
	for _, l := range lacks {
		p.write = p.write && !l.Once
	}
	p.ended, p.err = p.now(), err
}

// ready says in words what was found last, and whether the process is ready with it. If
// that was long ago, another probe begins, for the next who asks.
func (p *storeProbe) ready() (words string, ok bool) {
	p.mu.Lock()
	ended, err, lacks := p.ended, p.err, p.lacks
	p.mu.Unlock()
	every := probeAgain
	if err != nil {
		every = probeRetry
	}
	if p.now().Sub(ended) >= every {
		p.begin()
	}
	switch {
	case ended.IsZero():
		return "not probed yet", false
	case errors.Is(err, bucket.ErrUnfit):
		return "unfit for an archive, the log says why", false
	case errors.Is(err, bucket.ErrRefused):
		return "refuses what is needed, the log says what to allow", false
	case err != nil:
		return "the last probe failed, the log says why", false
	}
	var harmful []string
	for _, l := range lacks {
		if !l.Harmless {
			harmful = append(harmful, l.String())
		}
	}
	return strings.Join(append([]string{"ok"}, harmful...), "; "), true
}

// close ends the probe that runs. It removes what it has written.
func (p *storeProbe) close() {
	p.stop()
	p.probes.Wait()
}
