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

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

// service is a running jobvault: what `serve` starts and `demo` plays with.
type service struct {
	config    config
	logger    *slog.Logger
	database  *database
	db        *store.DB
	archive   *archive.Archive
	clock     *store.Clock // Postgres' time
	github    *ghapi.Clients
	watch     *ingest.Watch // of the clock, and with it the workers
	receiver  *ingest.Receiver
	lookup    http.Handler // nil: this process answers no readers
	guard     *removalGuard
	metrics   *ingest.Metrics
	manifests *upkeep.ManifestMetrics
	registry  *prometheus.Registry
	http      *http.Server
	listener  net.Listener
	failed    chan error // the HTTP server's end, if it ends by itself
}

// startService starts everything that the settings ask for. On an error nothing
// is left running.
func startService(ctx context.Context, c config, logger *slog.Logger) (*service, error) {
	s := &service{config: c, logger: logger, registry: prometheus.NewRegistry(), failed: make(chan error, 1)}
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	// The address first: a second jobvault should say so at once.
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("JOBVAULT_LISTEN: %w", err)
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
	if err := s.openStores(ctx); err != nil {
		return err
	}
	s.metrics = ingest.NewMetrics(s.registry)
	s.manifests = upkeep.NewManifestMetrics(s.registry)
	s.registry.MustRegister(ingest.NewBacklog(s.db, s.clock.Now, s.config.repositories.MatchRepository), ingest.NewSkewMetric(s.clock))
	s.guard = startGuard(ctx, &upkeep.RemovalLog{DB: s.db, Archive: s.archive}, s.logger)
	s.registry.MustRegister(s.guard.metric())
	if err := s.startWatch(ctx); err != nil {
		return err
	}
	if s.config.has(roleReceive) {
		if err := s.openReceiver(); err != nil {
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

// poolSize is how many connections to Postgres a process has at most. Workers
// mostly wait for GitHub, and share them.
func poolSize(workers int) int32 { return int32(min(workers, 16) + 8) }

// openStores connects to Postgres, brings its schema up, and opens the bucket.
func (s *service) openStores(ctx context.Context) error {
	var err error
	if s.database, err = openDatabase(ctx, s.config, own, poolSize(s.config.workers), s.logger); err != nil {
		return err
	}
	applied, err := s.database.migrateUp(ctx)
	if err != nil {
		return err
	}
	if len(applied) > 0 {
		s.logger.InfoContext(ctx, "database schema brought up", "applied", applied)
	}
	if s.db, err = store.New(s.database.pool); err != nil {
		return err
	}
	if s.clock, err = s.db.NewClock(ctx, nil); err != nil {
		return err
	}
	s.archive, err = openArchive(s.config)
	if err != nil {
		return err
	}
	// A bucket that does not exist, or cannot lock, is a mistake; one that is away comes back.
	b := s.archive.Bucket()
	checking, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	switch err := b.Check(checking); {
	case errors.Is(err, bucket.ErrNotFound), errors.Is(err, bucket.ErrNoLock):
		return fmt.Errorf("JOBVAULT_BUCKET_URL: %w", err)
	case err != nil:
		s.logger.WarnContext(ctx, "the bucket does not answer yet", ingest.KeyError, err)
	}
	s.logger.InfoContext(ctx, "stores open", "bucket", b.String(), "embedded_postgres", s.database.embedded != nil)
	return nil
}

// openArchive opens the bucket of the settings.
func openArchive(c config) (*archive.Archive, error) {
	var b bucket.Bucket
	var err error
	if c.BucketURL == "" {
		b, err = bucket.OpenDir(c.bucketDir())
	} else {
		b, err = bucket.Open(c.BucketURL)
	}
	if err != nil {
		return nil, fmt.Errorf("JOBVAULT_BUCKET_URL: %w", err)
	}
	return archive.New(b, c.logLimit)
}

// startWatch starts the workers, where this process has any and its clock is right.
func (s *service) startWatch(ctx context.Context) error {
	c := ingest.WatchConfig{Clock: s.clock, Grace: s.config.shutdown, Logger: s.logger}
	var err error
	if s.config.has(roleWork) {
		if s.github, err = openGitHub(s.config, s.db, s.clock); err != nil {
			return err
		}
		c.Workers = &ingest.WorkersConfig{
			DB: s.db, Parallel: s.config.workers, Logger: s.logger, Metrics: s.metrics, Clock: s.clock,
			Selected:   s.config.repositories.MatchRepository,
			Archiver:   s.config.archiver(s.db, s.archive, s.github, s.clock, s.logger, s.metrics),
			Reconciler: s.config.reconciler(s.config.sweeper(s.db, s.archive, s.github, s.clock, s.logger, s.metrics)),
			Periodic: []ingest.Periodic{
				(&upkeep.Manifests{DB: s.db, Archive: s.archive, Logger: s.logger, Metrics: s.manifests}).Periodic(),
				(&upkeep.Remover{DB: s.db, Archive: s.archive}).Periodic(s.logger),
			},
		}
	}
	s.watch, err = ingest.StartWatch(ctx, c)
	return err
}

func (s *service) openReceiver() error {
	config := ingest.ReceiverConfig{
		Secrets: s.config.secrets, Selected: s.config.repositories.MatchRepository, DB: s.db, Logger: s.logger, Metrics: s.metrics,
	}
	config.Accepted = s.watch.Wake
	var err error
	s.receiver, err = ingest.NewReceiver(config)
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
	if s.receiver != nil {
		s.receiver.Close()
	}
	working.Wait()
	if s.guard != nil {
		s.guard.close()
	}
	if s.github != nil {
		s.github.Close()
	}
	var derr error
	if s.database != nil {
		derr = s.database.close()
	}
	return errors.Join(werr, herr, derr)
}
