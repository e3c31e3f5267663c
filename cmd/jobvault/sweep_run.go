package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

// sweepRun looks for jobs in some repositories, archives them, and shows its progress:
// what backfill and reconcile have in common.
type sweepRun struct {
	s            *session
	what         string
	repositories []store.Repository
	since, until time.Time // of the runs that count; zero: open
	share        float64   // of GitHub's limit that it may use
	retry        bool      // also ask again for what is missing or denied
	priority     store.Priority
	sweep        func(context.Context, store.Repository) (ingest.SweepResult, error)
	unlisted     func(context.Context, store.Repository) (int, error) // asks once more for lists that were given up; with retry
	json         bool
	out, err     io.Writer

	progress *movingProgress
	found    ingest.SweepResult
	retried  int // jobs
	relisted int // attempts

	mu     sync.Mutex
	untold []int64 // see ingest.SweepResult; what of them is found counts, whenever they were created
}

// The database is asked for the progress every lookInterval, or less often where that
// takes long itself.
const (
	lookInterval   = time.Second
	lookCostFactor = 20 // a pause is at least this many times as long as the last look
)

// run lists, waits until what was found is settled or waits for something that
// may be hours away, and sums up. It sums up too when it is stopped.
func (r *sweepRun) run(ctx context.Context) error {
	r.progress = newMovingProgress(r.err, r.what)
	err := r.s.working(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		listing := make(chan error, 1)
		go func() { defer close(listing); listing <- r.list(ctx) }()
		err := r.follow(ctx, listing)
		cancel()
		for range listing { // until it has ended
		}
		return err
	})
	r.progress.end()
	if ctx.Err() != nil {
		err = fmt.Errorf("stopped; the same command goes on from here: %w", ctx.Err())
	}
	summing, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
	defer cancel()
	tallies, terr := r.tally(summing)
	if terr != nil {
		return errors.Join(err, terr)
	}
	perr := r.print(tallies)
	for _, t := range tallies {
		if err == nil && (t.State == store.LogPending || t.State == store.LogDenied) && t.Jobs > 0 {
			err = errUnsettled
		}
	}
	return errors.Join(err, perr)
}

// list sweeps one repository after the other. It waits for rate limits; any other error
// does not keep it from the next repository.
func (r *sweepRun) list(ctx context.Context) error {
	var errs []error
	for _, repo := range r.repositories {
		listed := make(map[int64]bool) // a sweep that waited for a limit lists runs again
		var untold []int64
		for {
			swept, err := r.sweep(ctx, repo)
			untold = append(untold, r.count(listed, swept)...)
			var e *ghapi.Error
			if errors.As(err, &e) && e.Class == ghapi.RateLimited && ctx.Err() == nil {
				r.pause(ctx, e.RetryAt)
				continue
			}
			if err != nil {
				errs = append(errs, err)
			}
			break
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if r.retry {
			n, err := r.s.db.RetryRuns(ctx, store.ListedRuns{Repositories: []int64{repo.ID}, Since: r.since, Until: r.until, Also: untold}, r.priority)
			errs = append(errs, err)
			r.retried += n
			n, err = r.unlisted(ctx, repo)
			errs = append(errs, err)
			r.relisted += n
		}
	}
	return errors.Join(errs...)
}

// minPause is the shortest wait for a rate limit.
const minPause = time.Second

func (r *sweepRun) pause(ctx context.Context, until time.Time) {
	t := time.NewTimer(max(until.Sub(r.s.clock.Now()), minPause))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// follow shows the progress until the listing has ended and no job waits.
func (r *sweepRun) follow(ctx context.Context, listing <-chan error) error {
	tick := time.NewTimer(lookInterval)
	defer tick.Stop()
	listed, troubles := false, 0
	var failed error
	for {
		select {
		case failed = <-listing:
			listed, listing = true, nil
		case <-tick.C:
		case <-ctx.Done():
			if !listed {
				failed = <-listing // for the same reason
			}
			return errors.Join(ctx.Err(), failed)
		}
		began := time.Now()
		done, err := r.look(ctx, listed)
		if done {
			return failed
		}
		if err == nil {
			troubles = 0
			tick.Reset(max(lookInterval, lookCostFactor*time.Since(began)))
			continue
		}
		// Postgres may be away for a moment; the work goes on by itself.
		if troubles++; troubles > maxFailedLooks {
			return errors.Join(failed, err)
		}
		tick.Reset(lookInterval)
	}
}

// maxFailedLooks bounds how many looks may fail in a row.
const maxFailedLooks = 60

// look shows the progress, and reports whether no job waits any more.
func (r *sweepRun) look(ctx context.Context, listed bool) (done bool, err error) {
	waiting := 1
	if listed { // asked first, so that the last thing shown is that none waits
		if waiting, err = r.s.db.Waiting(ctx, r.runs()); err != nil {
			return false, err
		}
	}
	tallies, err := r.tally(ctx)
	if err != nil {
		return false, err
	}
	r.show(ctx, tallies, listed)
	return waiting == 0, nil
}

// count adds what a sweep has listed, but for the runs that were listed before. It returns
// those that count whatever their time is.
func (r *sweepRun) count(before map[int64]bool, swept ingest.SweepResult) []int64 {
	untold := slices.DeleteFunc(slices.Clone(swept.Untold), func(run int64) bool { return before[run] })
	for _, run := range swept.Listed {
		if !before[run] {
			before[run] = true
			r.found.Runs++
		}
	}
	r.found.Attempts += swept.Attempts
	r.mu.Lock()
	defer r.mu.Unlock()
	r.untold = append(r.untold, untold...)
	return untold
}

// runs are those whose jobs count.
func (r *sweepRun) runs() store.ListedRuns {
	ids := make([]int64, len(r.repositories))
	for i, repo := range r.repositories {
		ids[i] = repo.ID
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return store.ListedRuns{Repositories: ids, Since: r.since, Until: r.until, Also: slices.Clone(r.untold)}
}

func (r *sweepRun) tally(ctx context.Context) ([]store.Tally, error) {
	return r.s.db.TallyRuns(ctx, r.runs())
}

func (r *sweepRun) show(ctx context.Context, tallies []store.Tally, listed bool) {
	var settled, all, size int64
	for _, t := range tallies {
		size += t.RawBytes
		if t.State == store.Running {
			continue
		}
		all += t.Jobs
		if t.State != store.LogPending && t.State != store.LogDenied {
			settled += t.Jobs
		}
	}
	limit, wait := r.limitLeft(ctx, int(all-settled))
	if !listed {
		wait = -1
	}
	r.progress.set(int(settled), int(all), humanize.IBytes(uint64(max(size, 0)))+limit, wait)
}

// print sums up by state.
func (r *sweepRun) print(tallies []store.Tally) error {
	if r.json {
		return jsonEncoder(r.out).Encode(map[string]any{
			"repositories": len(r.repositories), "runs": r.found.Runs, "attempts": r.found.Attempts, "retried": r.retried, "relisted": r.relisted, "states": tallies,
		})
	}
	fmt.Fprintf(r.out, "%d repositories, %d runs listed, jobs of %d attempts listed now\n", len(r.repositories), r.found.Runs, r.found.Attempts)
	if r.retry {
		fmt.Fprintf(r.out, "%d jobs asked for again that were missing or denied\n", r.retried)
		if r.relisted > 0 {
			fmt.Fprintf(r.out, "%d attempts asked for again whose jobs could not be listed\n", r.relisted)
		}
	}
	w := tabwriter.NewWriter(r.out, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "STATE\tJOBS\tRAW\t")
	for _, t := range tallies {
		fmt.Fprintf(w, "%s\t%d\t%s\t\n", t.State, t.Jobs, humanize.IBytes(uint64(max(t.RawBytes, 0))))
	}
	return w.Flush()
}
