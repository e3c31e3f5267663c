package main

import (
	"fmt"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/lookup"
)

// This file is where the parts of jobvault are put together: each from the settings and
// from what the session has open.

// poolSize is how many connections to Postgres a process has at most. Workers mostly
// wait for GitHub, and share them.
func poolSize(workers int) int32 { return int32(min(workers, 16) + 8) }

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
		return nil, fmt.Errorf("%s: %w", c.Given.setting("JOBVAULT_BUCKET_URL"), err)
	}
	return archive.New(b, c.logLimit)
}

// openGitHub makes the clients, which share GitHub's limits with all replicas. What they
// remember of limits is by Postgres' time, which is one for all.
func (s *session) openGitHub() error {
	c := s.config.github
	c.Limits, c.Now, c.Requested = ingest.NewSharedLimits(s.db), s.clock.Now, s.metrics.Requested
	var err error
	s.github, err = ghapi.New(c)
	return err
}

func (s *session) archiver() *ingest.Archiver {
	return &ingest.Archiver{
		DB: s.db, Archive: s.archive, GitHub: s.github, Deadline: s.config.deadline, DeniedDays: s.config.deniedDays,
		Logger: s.logger, Metrics: s.metrics, Now: s.clock.Now,
	}
}

func (s *session) sweeper() *ingest.Sweeper {
	owners, names := s.config.repositories.Named()
	return &ingest.Sweeper{
		DB: s.db, Archive: s.archive, GitHub: s.github, Selected: s.config.repositories.MatchRepository,
		Named:  ingest.Named{Owners: owners, Repositories: names},
		Logger: s.logger, Metrics: s.metrics, Now: s.clock.Now, DeniedDays: s.config.deniedDays,
	}
}

// reconciler runs the periodic rounds; nil where the settings want none.
func (s *session) reconciler() *ingest.Reconciler {
	if s.config.reconcile <= 0 {
		return nil
	}
	return &ingest.Reconciler{Sweeper: s.sweeper(), Hooks: s.config.hooks, Every: s.config.reconcile}
}

// workers is the configuration of the workers that archive what is in the queue.
func (s *session) workers() ingest.WorkersConfig {
	return ingest.WorkersConfig{
		DB: s.db, Parallel: s.config.workers, Logger: s.logger, Metrics: s.metrics, Clock: s.clock,
		Selected:   s.config.repositories.MatchRepository,
		Archiver:   s.archiver(),
		Reconciler: s.reconciler(),
		Periodic:   []ingest.Periodic{s.manifestWriter().Periodic(), s.remover().Periodic(s.logger)},
	}
}

// receiver takes deliveries, and calls accepted after each one that it stored.
func (s *session) receiver(accepted func()) (*ingest.Receiver, error) {
	return ingest.NewReceiver(ingest.ReceiverConfig{
		Secrets: s.config.secrets, Selected: s.config.repositories.MatchRepository, DB: s.db,
		Accepted: accepted, Logger: s.logger, Metrics: s.metrics,
	})
}

func (s *session) manifestWriter() *upkeep.Manifests {
	return &upkeep.Manifests{DB: s.db, Archive: s.archive, Logger: s.logger, Metrics: s.manifests}
}

// remover has no archive in a session without one: then it can plan, but not remove.
func (s *session) remover() *upkeep.Remover { return &upkeep.Remover{DB: s.db, Archive: s.archive} }

func (s *session) removalLog() *upkeep.RemovalLog {
	return &upkeep.RemovalLog{DB: s.db, Archive: s.archive}
}

func (s *session) verifier() *upkeep.Verifier {
	return &upkeep.Verifier{DB: s.db, Archive: s.archive, GitHub: s.github, Now: s.clock.Now}
}

func (s *session) rebuilder() *upkeep.Rebuilder {
	return &upkeep.Rebuilder{DB: s.db, Archive: s.archive}
}

func (s *session) reindexer() *upkeep.Reindexer {
	return &upkeep.Reindexer{DB: s.db, Archive: s.archive}
}

func (s *session) logs() lookup.Logs { return lookup.Logs{DB: s.db, Archive: s.archive} }

func (s *session) evidence() lookup.Evidence {
	return lookup.Evidence{Logs: s.logs(), Subject: subject(), Now: s.clock.Now}
}
