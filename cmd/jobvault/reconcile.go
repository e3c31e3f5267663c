package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

type reconcileCmd struct {
	Repo  []string `help:"Only this repository, OWNER/NAME; may be given more than once."`
	Since string   `help:"Look at runs created at or after, where that is further back than the last sweep: a date, a time, or how long ago."`
	JSON  bool     `help:"The summary as one JSON object."`
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
	return withWorkbench(ctx, e, true, func(b *workbench) error {
		since, err := parseTime("--since", c.Since, b.clock.Now())
		if err != nil {
			return err
		}
		s := b.sweeper()
		rerr := c.redeliver(ctx, e, b, s)
		rs, err := c.repositories(ghapi.WithPriority(ctx, ghapi.Sweep), b, s)
		if err != nil && len(rs) == 0 {
			return errors.Join(rerr, err)
		}
		h := &hunt{
			b: b, what: "reconcile", repositories: rs, since: since, share: 1, json: c.JSON, out: e.stdout, err: e.stderr,
			sweep: func(ctx context.Context, r store.Repository) (ingest.SweepResult, error) {
				return s.Recent(ctx, r, since)
			},
		}
		_, serr := b.db.EnqueueStale(ctx, b.clock.Now())
		return errors.Join(rerr, err, serr, h.run(ctx))
	})
}

// redeliver asks for failed deliveries again. They come to the jobvault that
// serves.
func (c reconcileCmd) redeliver(ctx context.Context, e *environment, b *workbench, s *ingest.Sweeper) error {
	var errs []error
	for _, h := range b.config.hooks {
		done, err := s.Redeliver(ctx, h)
		if err != nil {
			errs = append(errs, fmt.Errorf("hook %s: %w", h, err))
			continue
		}
		fmt.Fprintf(e.stderr, "- hook %s: %d deliveries failed and never came, %d asked for again\n", h, done.Failed, done.Asked)
	}
	return errors.Join(errs...)
}

func (c reconcileCmd) repositories(ctx context.Context, b *workbench, s *ingest.Sweeper) ([]store.Repository, error) {
	if len(c.Repo) == 0 {
		rs, err := s.Repositories(ctx)
		if err == nil && len(rs) == 0 {
			err = fmt.Errorf("no repository is known: none in the database, and JOBVAULT_REPOSITORIES=%q names none", b.config.Repositories)
		}
		return rs, err
	}
	return b.named(ctx, s, c.Repo)
}
