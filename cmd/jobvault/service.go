package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/ingest/upkeep"
)

// service is a running jobvault: what `serve` starts and `demo` plays with.
type service struct {
	session
	watch    *ingest.Watch    // of the clock, and with it the workers
	webhook  *ingest.Receiver // nil: this process receives nothing
	lookup   http.Handler     // nil: this process answers no readers
	guard    *removalGuard    // nil: nothing is read
	probe    *storeProbe
	registry *prometheus.Registry
	http     *http.Server
	listener net.Listener
	failed   chan error // the HTTP server's end, if it ends by itself
}

// startService starts everything that the settings ask for. On an error nothing
// is left running.
func startService(ctx context.Context, c config, logger *slog.Logger) (*service, error) {
	s := &service{session: session{config: c, logger: logger}, registry: prometheus.NewRegistry(), failed: make(chan error, 1)}
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	// The address first: a second jobvault should say so at once.
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Given.setting("JOBVAULT_LISTEN"), err)
	}
	s.listener = listener
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.stop(), closeListener(listener))
	}
	return s, nil
}

// closeListener closes what the HTTP server has not closed.
func closeListener(l net.Listener) error {
	if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func (s *service) start(ctx context.Context) error {
	s.metrics = ingest.NewMetrics(s.registry)
	if err := s.open(ctx, s.config.serveNeeds()); err != nil {
		return err
	}
	s.logger.InfoContext(ctx, "stores open", "bucket", s.archive.Bucket().String(), "embedded_postgres", s.database.embedded != nil)
	s.manifests = upkeep.NewManifestMetrics(s.registry)
	s.registry.MustRegister(ingest.NewBacklog(s.db, s.clock.Now, s.config.repositories.MatchRepository), ingest.NewSkewMetric(s.clock))
	if err := s.startProbe(ctx); err != nil {
		return err
	}
	if s.newer != nil {
		s.receiveOnly(ctx)
	} else {
		s.guard = startGuard(ctx, s.removalLog(), s.logger)
		s.registry.MustRegister(s.guard.metric())
	}
	if err := s.startWatch(ctx); err != nil {
		return err
	}
	if s.config.has(roleReceive) {
		var err error
		if s.webhook, err = s.receiver(s.watch.Wake); err != nil {
			return err
		}
	}
	if s.config.has(roleLookup) {
		if err := s.openLookup(ctx); err != nil {
			return err
		}
	}
	s.serveHTTP()
	return nil
}

// serveNeeds is what a process that serves needs. A bucket that is away, and a clock that
// is wrong, do not keep it from starting: receiving goes on, and /readyz says what is wrong.
func (c config) serveNeeds() needs {
	schema := migratedSchema
	if c.has(roleReceive) {
		schema = receivingSchema
	}
	return needs{
		database: ownDatabase, schema: schema, manyConns: true, bucket: existingBucket, clock: anyClock,
		github: c.has(roleWork) || c.has(roleLookup) && c.ReadAuth == readGitHub,
	}
}

// startProbe finds out what the store can do, by writing only where this process does.
func (s *service) startProbe(ctx context.Context) error {
	wait := firstProbeWait
	if s.bucketAway {
		wait = 0
	}
	var err error
	if s.probe, err = startProbe(ctx, s.archive.Bucket(), s.config.has(roleWork), wait, s.logger); err != nil {
		return fmt.Errorf("%s: %w", s.config.Given.setting("JOBVAULT_BUCKET_URL"), err)
	}
	return nil
}

// startWatch starts the workers, where this process has any and its clock is right.
func (s *service) startWatch(ctx context.Context) error {
	c := ingest.WatchConfig{Clock: s.clock, Grace: s.config.shutdown, Logger: s.logger}
	if s.config.has(roleWork) {
		workers := s.workers()
		c.Workers = &workers
	}
	var err error
	s.watch, err = ingest.StartWatch(ctx, c)
	return err
}

// url is where the service listens.
func (s *service) url() string { return "http://" + s.listener.Addr().String() }

// stop stops claiming and receiving at once. Running work and requests have the
// shutdown time-out; what runs then is cancelled and given back, which takes some
// seconds more, as does an embedded Postgres.
func (s *service) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.config.shutdown)
	defer cancel()
	var working sync.WaitGroup
	var werr, herr error
	if s.watch != nil {
		working.Go(func() {
			if err := s.watch.Stop(ctx); err != nil {
				werr = fmt.Errorf("stop workers: %w", err)
			}
		})
	}
	if s.http != nil {
		if err := s.http.Shutdown(ctx); err != nil {
			herr = errors.Join(fmt.Errorf("stop HTTP: %w", err), s.http.Close())
		}
	}
	if s.webhook != nil {
		s.webhook.Close()
	}
	working.Wait()
	if s.guard != nil {
		s.guard.close()
	}
	if s.probe != nil {
		s.probe.close()
	}
	return errors.Join(werr, herr, s.close())
}
