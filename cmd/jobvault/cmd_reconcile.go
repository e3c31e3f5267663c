package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

type reconcileCmd struct {
	Repo  []string `help:"Check only this repository. May be repeated." placeholder:"OWNER/NAME"`
	Since string   `help:"Also list runs created at or after TIME, if that is earlier than the last sweep: a date (2026-03-31), a time (2026-03-31T14:00:00Z) or a duration back from now (36h, 7d)." placeholder:"TIME"`
	Retry bool     `help:"Also ask again, once and now, for the logs of all listed runs (with --since: of those since) that the ledger calls missing or denied, and for lists of jobs that were given up, as after a change of the token or its rights."`
	JSON  bool     `help:"Print the summary as one JSON object."`
}

// Help is kong's: examples and exit status.
func (reconcileCmd) Help() string {
	return helpText(`jobvault reconcile
jobvault reconcile --repo=acme/rocket --since=7d
jobvault reconcile --retry`, "0 if every job found is settled, 1 if one is not or the command failed, 2 if it was used wrongly.")
}

// Run does what a serving jobvault does by itself from time to time, now, and
// waits until what it found is archived.
func (c reconcileCmd) Run(ctx context.Context, e *environment) error {
	if err := checkTime("--since", c.Since); err != nil {
		return err
	}
	for _, repo := range c.Repo {
		if err := checkFullName(repo); err != nil {
			return err
		}
	}
	return runSession(ctx, e, maintenanceNeeds.mayBegin().withGitHub(), func(s *session) error {
		since, err := parseTime("--since", c.Since, s.clock.Now())
		if err != nil {
			return err
		}
		sweeper := s.sweeper()
		sweeper.Eager = true
		rerr := c.redeliver(ctx, e, s, sweeper)
		rs, err := c.repositories(ghapi.WithPriority(ctx, ghapi.Sweep), s, sweeper)
		if err != nil && len(rs) == 0 {
			return errors.Join(rerr, err)
		}
		r := &sweepRun{
			s: s, what: "reconcile", repositories: rs, since: since, share: 1, retry: c.Retry, priority: store.PrioritySweep, json: c.JSON, out: e.stdout, err: e.stderr,
			sweep: func(ctx context.Context, r store.Repository) (ingest.SweepResult, error) {
				return sweeper.Recent(ctx, r, since)
			},
			unlisted: func(ctx context.Context, r store.Repository) (int, error) {
				return sweeper.RetryUnlisted(ctx, r, since, time.Time{})
			},
		}
		_, serr := s.db.EnqueueStale(ctx, s.clock.Now())
		return errors.Join(rerr, err, serr, r.run(ctx))
	})
}

// redeliver asks for failed deliveries again. They come to the jobvault that
// serves.
func (c reconcileCmd) redeliver(ctx context.Context, e *environment, s *session, sweeper *ingest.Sweeper) error {
	var errs []error
	for _, h := range s.config.hooks {
		done, err := sweeper.Redeliver(ctx, h)
		if err != nil {
			errs = append(errs, fmt.Errorf("hook %s: %w", h, err))
			continue
		}
		fmt.Fprintf(e.stderr, "- hook %s: %d deliveries failed and never came, %d asked for again\n", h, done.Failed, done.Asked)
	}
	return errors.Join(errs...)
}

func (c reconcileCmd) repositories(ctx context.Context, s *session, sweeper *ingest.Sweeper) ([]store.Repository, error) {
	if len(c.Repo) == 0 {
		rs, err := sweeper.Repositories(ctx)
		if err == nil && len(rs) == 0 {
			err = fmt.Errorf("no repository is known: none in the database, and JOBVAULT_REPOSITORIES=%q names none", s.config.Repositories)
		}
		return rs, err
	}
	return s.repositoriesNamed(ctx, sweeper, c.Repo)
}
