package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

// workbench is what the commands have that look after the archive: beside a
// running jobvault, or alone.
type workbench struct {
	config   config
	logger   *slog.Logger
	database *database
	db       *store.DB
	archive  *archive.Archive
	clock    *store.Clock // Postgres' time
	github   *ghapi.Clients
	metrics  *ingest.Metrics
}

// workbenchNeeds is what a command cannot do without.
type workbenchNeeds struct {
	github bool // a token or an App
	clock  bool // that is near enough to Postgres'
}

// withWorkbench runs a command with the stores open and their schema up. It fails with
// store.SkewError if this machine's clock and Postgres' are too far apart: what such a
// command does, it decides by the time. needsGitHub says that it cannot do without a
// token or an App.
func withWorkbench(ctx context.Context, e *environment, needsGitHub bool, f func(*workbench) error) error {
	return runWorkbench(ctx, e, workbenchNeeds{github: needsGitHub, clock: true}, f)
}

func runWorkbench(ctx context.Context, e *environment, needs workbenchNeeds, f func(*workbench) error) error {
	c, err := e.settings.load()
	if needs.github {
		err = errors.Join(err, c.needGitHub())
	}
	if err != nil {
		return err
	}
	b := &workbench{config: c, logger: quietLogger(c, e.stderr), metrics: ingest.NewMetrics(prometheus.NewRegistry())}
	err = b.open(ctx)
	if err == nil && needs.clock {
		err = b.clock.Err()
	}
	if err == nil {
		err = f(b)
	}
	if b.github != nil {
		b.github.Close()
	}
	if b.database != nil {
		err = errors.Join(err, b.database.close())
	}
	return err
}

func (b *workbench) open(ctx context.Context) error {
	var err error
	if b.database, err = openDatabase(ctx, b.config, borrow, poolSize(b.config.workers), b.logger); err != nil {
		return err
	}
	if _, err := b.database.migrateUp(ctx); err != nil {
		return err
	}
	if b.db, err = store.New(b.database.pool); err != nil {
		return err
	}
	if b.clock, err = b.db.NewClock(ctx, nil); err != nil {
		return err
	}
	if b.archive, err = openArchive(b.config); err != nil {
		return err
	}
	checking, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if err := b.archive.Bucket().Check(checking); err != nil {
		return fmt.Errorf("JOBVAULT_BUCKET_URL: %w", err)
	}
	b.github, err = openGitHub(b.config, b.db, b.clock)
	return err
}

// openGitHub makes the clients, which share GitHub's limits with all replicas.
// What they remember of limits is by Postgres' time, which is one for all.
func openGitHub(c config, db *store.DB, clock *store.Clock) (*ghapi.Clients, error) {
	c.github.Limits, c.github.Now = ingest.NewSharedLimits(db), clock.Now
	return ghapi.New(c.github)
}

func (c config) sweeper(db *store.DB, a *archive.Archive, github *ghapi.Clients, clock *store.Clock, logger *slog.Logger, metrics *ingest.Metrics) *ingest.Sweeper {
	owners, names := c.repositories.Named()
	return &ingest.Sweeper{
		DB: db, Archive: a, GitHub: github, Selected: c.repositories.MatchRepository,
		Named:  ingest.Named{Owners: owners, Repositories: names},
		Logger: logger, Metrics: metrics, Now: clock.Now,
	}
}

func (c config) archiver(db *store.DB, a *archive.Archive, github *ghapi.Clients, clock *store.Clock, logger *slog.Logger, metrics *ingest.Metrics) *ingest.Archiver {
	return &ingest.Archiver{
		DB: db, Archive: a, GitHub: github, Deadline: c.deadline, Logger: logger, Metrics: metrics, Now: clock.Now,
	}
}

// reconciler is what the rounds are made of; nil where the settings want none.
func (c config) reconciler(s *ingest.Sweeper) *ingest.Reconciler {
	if c.reconcile <= 0 {
		return nil
	}
	return &ingest.Reconciler{Sweeper: s, Hooks: c.hooks, Every: c.reconcile}
}

func (b *workbench) sweeper() *ingest.Sweeper {
	return b.config.sweeper(b.db, b.archive, b.github, b.clock, b.logger, b.metrics)
}

func (b *workbench) manifests() *upkeep.Manifests {
	return &upkeep.Manifests{DB: b.db, Archive: b.archive, Logger: b.logger}
}

func (b *workbench) remover() *upkeep.Remover {
	return &upkeep.Remover{DB: b.db, Archive: b.archive}
}

// periodic is what the queue does again and again besides reconciling.
func (b *workbench) periodic() []ingest.Periodic {
	return []ingest.Periodic{b.manifests().Periodic(), b.remover().Periodic(b.logger)}
}

// hearRemovals has the database hear of all removals that the bucket tells of: before
// it is read, or anything is decided by what it says.
func (b *workbench) hearRemovals(ctx context.Context) error {
	return hearRemovals(ctx, b.db, b.archive, b.logger)
}

// named finds the repositories that flags name, OWNER/NAME each.
func (b *workbench) named(ctx context.Context, s *ingest.Sweeper, names []string) ([]store.Repository, error) {
	var rs []store.Repository
	for _, name := range names {
		if !b.config.repositories.MatchRepository(name) {
			return nil, usageError{fmt.Errorf("--repo=%s: JOBVAULT_REPOSITORIES=%q does not select it", name, b.config.Repositories)}
		}
		r, err := s.Find(ctx, name)
		if err != nil {
			return nil, err
		}
		rs = append(rs, r)
	}
	return rs, nil
}

// working runs f while this process archives what is in the queue. A jobvault
// that serves does so too, if there is one. If this machine's clock turns out to be wrong
// meanwhile, the context that f gets ends, and it fails with store.SkewError.
func (b *workbench) working(ctx context.Context, f func(context.Context) error) error {
	workers, err := ingest.NewWorkers(ingest.WorkersConfig{
		DB: b.db, Parallel: b.config.workers, History: b.config.workers, Logger: b.logger, Metrics: b.metrics, Clock: b.clock,
		Selected:   b.config.repositories.MatchRepository,
		Archiver:   b.config.archiver(b.db, b.archive, b.github, b.clock, b.logger, b.metrics),
		Reconciler: b.config.reconciler(b.sweeper()), Periodic: b.periodic(), Temporary: true,
	})
	if err != nil {
		return err
	}
	if err := workers.Start(ctx); err != nil {
		return err
	}
	working, stop := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		b.clock.Watch(working, func(skew error) {
			if skew != nil {
				stop(skew)
			}
		})
	})
	err = f(working)
	var skew *store.SkewError
	if cause := context.Cause(working); errors.As(cause, &skew) {
		err = cause
	}
	stop(nil)
	watching.Wait()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.config.shutdown)
	defer cancel()
	return errors.Join(err, workers.Stop(stopping))
}
