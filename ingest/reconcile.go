package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"github.com/jobvault/jobvault/internal/ghapi"
)

// reconcileQueue is a queue of its own: a sweep may take long, and commands that
// only help to archive do not take it over.
const reconcileQueue = "reconcile"

// reconcileTime bounds one round. What it has come to stays.
const reconcileTime = 6 * time.Hour

// reconcileArgs name the periodic work that makes every job accounted for.
type reconcileArgs struct{}

func (reconcileArgs) Kind() string { return "reconcile" }

// Reconciler looks for what webhooks missed: it has failed deliveries delivered
// again, lists runs, and asks after jobs that have been silent for too long.
type Reconciler struct {
	Sweeper *Sweeper
	Hooks   []ghapi.Hook  // whose failed deliveries are asked for again; none: only runs are listed
	Every   time.Duration // between the starts of two rounds; 0: no round is started
}

// periodic does a round each Every.
func (r *Reconciler) periodic() Periodic {
	return NewPeriodic(reconcileArgs{}, reconcileQueue, r.Every, reconcileTime, r.round)
}

// round does one round. A rate limit puts the rest off; other errors are logged and
// left to the next round.
func (r *Reconciler) round(ctx context.Context) error {
	s := r.Sweeper
	total, err := s.Reconcile(ctx, r.Hooks)
	if total.Asked > 0 || total.Attempts > 0 || total.Stale > 0 {
		s.Logger.InfoContext(ctx, "reconciled", "redeliveries", total.Asked, "runs", total.Runs, "attempts", total.Attempts, "stale", total.Stale)
	}
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return river.JobSnooze(0)
	}
	var limited *ghapi.Error
	if errors.As(err, &limited) && limited.Class == ghapi.RateLimited {
		pause := min(max(limited.RetryAt.Sub(s.Now()), 0), maxPause) + jitter(firstPause)
		s.Logger.InfoContext(ctx, "reconcile waits for GitHub's limit", KeyWait, pause)
		return river.JobSnooze(pause)
	}
	s.Logger.ErrorContext(ctx, "not all could be reconciled", KeyError, err)
	return river.JobCancel(err) // the next round comes by itself
}

// ReconcileResult sums up one round of all hooks and repositories.
type ReconcileResult struct {
	SweepResult
	RedeliverResult
	Repositories int
	Stale        int // silent jobs asked after
}

func (r *ReconcileResult) add(s SweepResult) {
	r.Runs += s.Runs
	r.Attempts += s.Attempts
	r.Jobs += s.Jobs
	r.Pages += s.Pages
}

// Reconcile does one round over all hooks and repositories. One that fails does
// not keep the others from being looked at. If several errors come back and one
// of them is a rate limit, errors.As finds that first.
func (s *Sweeper) Reconcile(ctx context.Context, hooks []ghapi.Hook) (ReconcileResult, error) {
	var total ReconcileResult
	var errs, limits []error
	note := func(err error) {
		switch {
		case ghapi.IsRateLimited(err):
			limits = append(limits, err)
		case err != nil:
			errs = append(errs, err)
		}
	}
	for _, h := range hooks {
		done, err := s.Redeliver(ctx, h)
		total.Failed += done.Failed
		total.Asked += done.Asked
		if err != nil {
			note(fmt.Errorf("hook %s: %w", h, err))
		}
	}
	rs, err := s.Repositories(ghapi.WithPriority(ctx, ghapi.Sweep))
	note(err)
	limited := make(map[int64]bool) // installations; 0: the token
	for _, r := range rs {
		var installation int64
		if r.InstallationID != nil {
			installation = *r.InstallationID
		}
		if ctx.Err() != nil || limited[installation] {
			continue
		}
		swept, err := s.Recent(ctx, r, time.Time{})
		total.Repositories++
		total.add(swept)
		limited[installation] = ghapi.IsRateLimited(err)
		note(err)
	}
	total.Stale, err = s.DB.EnqueueStale(ctx, s.Now())
	note(err)
	return total, errors.Join(append(limits, append(errs, ctx.Err())...)...)
}
