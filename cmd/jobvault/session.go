package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/migrations"
	"github.com/jobvault/jobvault/store"
)

// session is what a command works with, beside a serving jobvault or alone; serve works
// with one too. It opens only what the command needs; the rest is nil.
type session struct {
	config    config
	logger    *slog.Logger
	database  *database
	newer     error // migrations.ErrNewer: of the database, only deliveries is used; nil: the schema is this binary's
	db        *store.DB
	archive   *archive.Archive
	clock     *store.Clock // Postgres' time
	github    *ghapi.Clients
	metrics   *ingest.Metrics
	manifests *upkeep.ManifestMetrics
	// bucketAway is true if the bucket did not answer when it was opened.
	bucketAway bool
}

// runSession checks the settings, opens what a command needs, runs it, and closes.
func runSession(ctx context.Context, e *environment, n needs, f func(*session) error) error {
	if err := e.refuseServer(); err != nil {
		return err
	}
	c, err := e.settings.load()
	if n.github {
		err = errors.Join(err, c.needGitHub())
	}
	if err != nil {
		return err
	}
	logger := quietLogger(c, e.stderr)
	c.Stray.warn(logger)
	s := &session{config: c, logger: logger, metrics: ingest.NewMetrics(prometheus.NewRegistry())}
	if err = s.open(ctx, n); err == nil {
		err = f(s)
	}
	return errors.Join(err, s.close())
}

// open opens what is needed. On an error the rest is still to be closed.
func (s *session) open(ctx context.Context, n needs) error {
	if err := s.openDatabase(ctx, n); err != nil {
		return err
	}
	if n.bucket != noBucket {
		if err := s.config.checkBucketMade(n); err != nil {
			return err
		}
		var err error
		if s.archive, err = openArchive(s.config); err != nil {
			return err
		}
		if err := s.checkBucket(ctx, n.bucket); err != nil {
			return err
		}
	}
	if n.github {
		if err := s.openGitHub(); err != nil {
			return err
		}
	}
	if n.clock == rightClock {
		if err := s.clock.Err(); err != nil {
			return err
		}
	}
	if n.removals {
		return s.hearRemovals(ctx)
	}
	return nil
}

// openDatabase connects, sees to the schema, and reads the clock.
func (s *session) openDatabase(ctx context.Context, n needs) error {
	if n.database == noDatabase {
		return nil
	}
	conns := int32(4)
	if n.manyConns {
		conns = poolSize(s.config.workers)
	}
	var err error
	if s.database, err = openDatabase(ctx, s.config, n.database, conns, s.logger); err != nil {
		return err
	}
	switch n.schema {
	case anySchema:
	case currentSchema:
		if err := s.database.checkSchema(ctx); err != nil {
			return err
		}
	case migratedSchema, receivingSchema:
		if err := s.migrate(ctx, n); err != nil {
			return err
		}
	}
	if s.db, err = store.New(s.database.pool); err != nil {
		return err
	}
	if n.clock != noClock {
		s.clock, err = s.db.NewClock(ctx, nil)
	}
	return err
}

// migrate brings the schema up.
func (s *session) migrate(ctx context.Context, n needs) error {
	applied, err := s.database.migrateUp(ctx)
	if errors.Is(err, migrations.ErrNewer) && n.schema == receivingSchema {
		s.newer = err
		return nil
	}
	if err != nil {
		return err
	}
	if len(applied) > 0 {
		s.logger.InfoContext(ctx, "database schema brought up", "applied", applied)
	}
	if len(applied) > 0 || n.database == ownDatabase {
		return s.grantReaders(ctx)
	}
	return nil
}

// grantReaders sees to the role of those who ask in SQL. What may not be done is told, and
// no reason not to go on.
func (s *session) grantReaders(ctx context.Context) error {
	refused, err := s.database.grantReaders(ctx)
	if len(refused.SQL) > 0 {
		s.logger.WarnContext(ctx, "the role for questions in SQL is not complete: jobvault migrate up prints what to run",
			"role", migrations.ReaderRole, "missing", len(refused.SQL), ingest.KeyError, refused.Why)
	}
	return err
}

// checkBucket asks the bucket whether it is there.
func (s *session) checkBucket(ctx context.Context, n bucketNeed) error {
	if n == openBucket {
		return nil
	}
	checking, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	err := s.archive.Bucket().Check(checking)
	// A bucket that does not exist, or cannot lock, is a mistake; one that is away comes back.
	mistake := errors.Is(err, bucket.ErrNotFound) || errors.Is(err, bucket.ErrBucketName) || errors.Is(err, bucket.ErrNoLock)
	switch {
	case err == nil:
		return nil
	case n == existingBucket && !mistake:
		s.bucketAway = true
		s.logger.WarnContext(ctx, "the bucket does not answer yet", ingest.KeyError, err)
		return nil
	}
	return fmt.Errorf("%s: %w", s.config.Given.setting("JOBVAULT_BUCKET_URL"), err)
}

// hearRemovals has the database hear of all removals that the bucket records: it may
// come from a dump that is older than they are. It fails if that cannot be known.
func (s *session) hearRemovals(ctx context.Context) error {
	jobs, err := s.removalLog().CatchUp(ctx)
	if jobs > 0 {
		s.logger.WarnContext(ctx, "the database is older than removals that the bucket tells of; they are done in it now", ingest.KeyCount, jobs)
	}
	if err != nil {
		return fmt.Errorf("nothing is read from a database that may be older than removals of logs: %w", err)
	}
	return nil
}

// close closes what is open.
func (s *session) close() error {
	if s.github != nil {
		s.github.Close()
	}
	if s.database != nil {
		return s.database.close()
	}
	return nil
}
