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
	Repo  []string `help:"Repository, OWNER/NAME; may be given more than once." xor:"what" required:""`
	Org   string   `help:"All repositories of an organisation or user, as far as JOBVAULT_REPOSITORIES selects them." xor:"what" required:""`
	Since string   `help:"Runs created at or after: a date, a time, or how long ago, such as 90d." required:""`
	Until string   `help:"Runs created before: as --since; empty, or in the future: now."`
	JSON  bool     `help:"The summary as one JSON object."`
}

// Run lists the runs of a stretch of the past and archives their jobs, at low
// priority. Ctrl-C stops it; the same command goes on where it was, and asks
// GitHub for nothing that is settled but the listing of runs.
func (c backfillCmd) Run(ctx context.Context, e *environment) error {
	if _, _, err := c.stretch(time.Now()); err != nil {
		return err
	}
	for _, repo := range c.Repo {
		if err := checkFullName(repo); err != nil {
			return err
		}
	}
	return withWorkbench(ctx, e, true, func(b *workbench) error {
		since, until, err := c.stretch(b.clock.Now())
		if err != nil {
			return err
		}
		s := b.sweeper()
		rs, err := c.repositories(ghapi.WithPriority(ctx, ghapi.Backfill), b, s)
		if err != nil {
			return err
		}
		h := &hunt{
			b: b, what: "backfill", repositories: rs, since: since, until: until, share: b.config.github.BackfillShare,
			json: c.JSON, out: e.stdout, err: e.stderr,
			sweep: func(ctx context.Context, r store.Repository) (ingest.SweepResult, error) {
				return s.Past(ctx, r, since, until)
			},
		}
		return h.run(ctx)
	})
}

// stretch is the part of the past that the flags mean at a time.
func (c backfillCmd) stretch(now time.Time) (since, until time.Time, err error) {
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
func (c backfillCmd) repositories(ctx context.Context, b *workbench, s *ingest.Sweeper) ([]store.Repository, error) {
	if c.Org != "" {
		rs, err := s.Owned(ctx, c.Org)
		if err == nil && len(rs) == 0 {
			err = fmt.Errorf("%s has no repository that we see and JOBVAULT_REPOSITORIES=%q selects", c.Org, b.config.Repositories)
		}
		return rs, err
	}
	return b.named(ctx, s, c.Repo)
}

// errUnsettled says that not every job is accounted for.
var errUnsettled = errors.New("not every job is settled")
