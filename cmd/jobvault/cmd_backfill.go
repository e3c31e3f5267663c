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

type backfillCmd struct {
	Repo  []string `help:"Archive jobs of this repository. May be repeated." xor:"what" required:"" placeholder:"OWNER/NAME"`
	Org   string   `help:"Archive jobs of all repositories of an organisation or user that JOBVAULT_REPOSITORIES selects." xor:"what" required:"" placeholder:"OWNER"`
	Since string   `help:"Archive jobs of runs created at or after TIME: a date (2026-03-31), a time (2026-03-31T14:00:00Z) or a duration back from now (36h, 7d)." required:"" placeholder:"TIME"`
	Until string   `help:"Archive jobs of runs created before TIME, given as for --since. Without it, or in the future: now." placeholder:"TIME"`
	Retry bool     `help:"Also ask again, once and now, for the logs that the ledger calls missing or denied, and for lists of jobs that were given up, as after a change of the token or its rights."`
	JSON  bool     `help:"Print the summary as one JSON object."`
}

// Help is kong's: examples and exit status.
func (backfillCmd) Help() string {
	return helpText(`jobvault backfill --org=acme --since=90d
jobvault backfill --repo=acme/rocket --since=2026-01-01 --until=2026-02-01`, "0 if every job found is settled, 1 if one is not or the command failed, 2 if it was used wrongly.")
}

// Run lists the runs of a time range and archives their jobs, at low
// priority. Ctrl-C stops it; the same command goes on where it was, and asks
// GitHub for nothing that is settled but the listing of runs.
func (c backfillCmd) Run(ctx context.Context, e *environment) error {
	if _, _, err := c.timeRange(time.Now()); err != nil {
		return err
	}
	for _, repo := range c.Repo {
		if err := checkFullName(repo); err != nil {
			return err
		}
	}
	return runSession(ctx, e, maintenanceNeeds.mayBegin().withGitHub(), func(s *session) error {
		since, until, err := c.timeRange(s.clock.Now())
		if err != nil {
			return err
		}
		sweeper := s.sweeper()
		sweeper.Eager = true
		rs, err := c.repositories(ghapi.WithPriority(ctx, ghapi.Backfill), s, sweeper)
		if err != nil {
			return err
		}
		r := &sweepRun{
			s: s, what: "backfill", repositories: rs, since: since, until: until, share: s.config.github.BackfillShare,
			retry: c.Retry, priority: store.PriorityBackfill,
			json: c.JSON, out: e.stdout, err: e.stderr,
			sweep: func(ctx context.Context, r store.Repository) (ingest.SweepResult, error) {
				return sweeper.Backfill(ctx, r, since, until)
			},
			unlisted: func(ctx context.Context, r store.Repository) (int, error) {
				return sweeper.RetryUnlisted(ctx, r, since, until)
			},
		}
		return r.run(ctx)
	})
}

// timeRange is what --since and --until mean at a time.
func (c backfillCmd) timeRange(now time.Time) (since, until time.Time, err error) {
	if since, err = parseTime("--since", c.Since, now); err != nil {
		return since, until, err
	}
	if until, err = parseTime("--until", c.Until, now); err != nil {
		return since, until, err
	}
	if until.IsZero() || until.After(now) {
		until = now // what is not yet there was not looked at
	}
	if !since.Before(until) {
		err = usageError{fmt.Errorf("--since=%q is not before --until=%q", c.Since, c.Until)}
	}
	return since, until, err
}

// repositories are those that the flags name.
func (c backfillCmd) repositories(ctx context.Context, s *session, sweeper *ingest.Sweeper) ([]store.Repository, error) {
	if c.Org != "" {
		rs, err := sweeper.Owned(ctx, c.Org)
		if err == nil && len(rs) == 0 {
			err = fmt.Errorf("%s has no repository that we see and JOBVAULT_REPOSITORIES=%q selects", c.Org, s.config.Repositories)
		}
		return rs, err
	}
	return s.repositoriesNamed(ctx, sweeper, c.Repo)
}

// errUnsettled says that not every job is accounted for.
var errUnsettled = errors.New("not every job is settled")
