package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

// hunt looks for jobs in some repositories, archives them, and shows how far it
// is: what backfill and reconcile have in common.
type hunt struct {
	b            *workbench
	what         string
	repositories []store.Repository
	since, until time.Time // of the runs that count; zero: open
	share        float64   // of GitHub's limit that it may use
	sweep        func(context.Context, store.Repository) (ingest.SweepResult, error)
	json         bool
	out, err     io.Writer

	meter *meter
	found ingest.SweepResult
}

// huntTick is how often the database is asked how far it is, unless that takes
// long itself.
const (
	huntTick     = time.Second
	huntTickCost = 20 // a pause is so many times what the last look took
)

// run lists, waits until what was found is settled or waits for something that
// may be hours away, and sums up. It sums up too when it is stopped.
func (h *hunt) run(ctx context.Context) error {
	h.meter = newMeter(h.err, h.what)
	err := h.b.working(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		listing := make(chan error, 1)
		go func() { defer close(listing); listing <- h.list(ctx) }()
		err := h.follow(ctx, listing)
		cancel()
		for range listing { // until it has ended
		}
		return err
	})
	h.meter.end()
	if ctx.Err() != nil {
		err = fmt.Errorf("stopped; the same command goes on from here: %w", ctx.Err())
	}
	summing, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTime)
	defer cancel()
	tallies, terr := h.tally(summing)
	if terr != nil {
		return errors.Join(err, terr)
	}
	perr := h.print(tallies)
	for _, t := range tallies {
		if err == nil && (t.State == store.LogPending || t.State == store.LogDenied) && t.Jobs > 0 {
			err = errUnsettled
		}
	}
	return errors.Join(err, perr)
}

// list sweeps one repository after the other. A limit is waited for; what else
// fails does not keep the next repository from being looked at.
func (h *hunt) list(ctx context.Context) error {
	var errs []error
	for _, r := range h.repositories {
		for {
			swept, err := h.sweep(ctx, r)
			h.found.Runs += swept.Runs
			h.found.Attempts += swept.Attempts
			var e *ghapi.Error
			if errors.As(err, &e) && e.Class == ghapi.RateLimited && ctx.Err() == nil {
				h.pause(ctx, e.RetryAt)
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
	}
	return errors.Join(errs...)
}

// leastPause is how long a limit is waited for at least.
const leastPause = time.Second

func (h *hunt) pause(ctx context.Context, until time.Time) {
	t := time.NewTimer(max(until.Sub(h.b.clock.Now()), leastPause))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// follow shows how far it is until the listing has ended and nothing waits.
func (h *hunt) follow(ctx context.Context, listing <-chan error) error {
	tick := time.NewTimer(huntTick)
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
		done, err := h.look(ctx, listed)
		if done {
			return failed
		}
		if err == nil {
			troubles = 0
			tick.Reset(max(huntTick, huntTickCost*time.Since(began)))
			continue
		}
		// Postgres may be away for a moment; the work goes on by itself.
		if troubles++; troubles > mostTroubles {
			return errors.Join(failed, err)
		}
		tick.Reset(huntTick)
	}
}

// mostTroubles is how many looks may fail one after the other.
const mostTroubles = 60

// look shows how far it is, and tells whether nothing waits any more.
func (h *hunt) look(ctx context.Context, listed bool) (done bool, err error) {
	tallies, err := h.tally(ctx)
	if err != nil {
		return false, err
	}
	h.show(ctx, tallies, listed)
	if !listed {
		return false, nil
	}
	waiting, err := h.b.db.Waiting(ctx, h.ids(), h.since, h.until)
	return err == nil && waiting == 0, err
}

func (h *hunt) ids() []int64 {
	ids := make([]int64, len(h.repositories))
	for i, r := range h.repositories {
		ids[i] = r.ID
	}
	return ids
}

func (h *hunt) tally(ctx context.Context) ([]store.Tally, error) {
	return h.b.db.TallyRuns(ctx, h.ids(), h.since, h.until)
}

func (h *hunt) show(ctx context.Context, tallies []store.Tally, listed bool) {
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
	limit, wait := h.limitLeft(ctx, int(all-settled))
	if !listed {
		wait = -1
	}
	h.meter.set(int(settled), int(all), humanize.IBytes(uint64(max(size, 0)))+limit, wait)
}

// limitLeft tells of GitHub's limit, as far as there is one, and how long so many
// requests take at least.
func (h *hunt) limitLeft(ctx context.Context, requests int) (text string, wait time.Duration) {
	limits, err := h.b.db.RateLimits(ctx)
	if err != nil {
		return "", 0
	}
	now := h.b.clock.Now()
	for _, l := range limits {
		share := int(h.share * float64(l.RequestLimit))
		mine := l.Remaining - (l.RequestLimit - share)
		switch {
		case l.ClosedUntil.After(now):
			text += fmt.Sprintf(", GitHub wants a pause until %s", l.ClosedUntil.Format(time.TimeOnly))
			wait = max(wait, l.ClosedUntil.Sub(now))
		case l.RequestLimit == 0 || !l.ResetAt.After(now):
		case mine <= 0:
			text += fmt.Sprintf(", our share of %d requests an hour is used until %s", l.RequestLimit, l.ResetAt.Format(time.TimeOnly))
		default:
			text += fmt.Sprintf(", %d of %d requests left until %s", l.Remaining, l.RequestLimit, l.ResetAt.Format(time.TimeOnly))
		}
		if more := requests - max(mine, 0); l.RequestLimit > 0 && l.ResetAt.After(now) && more > 0 {
			wait = max(wait, l.ResetAt.Sub(now)+time.Duration((more-1)/max(share, 1))*time.Hour)
		}
	}
	return text, wait
}

// print sums up by state.
func (h *hunt) print(tallies []store.Tally) error {
	if h.json {
		return jsonEncoder(h.out).Encode(map[string]any{
			"repositories": len(h.repositories), "runs": h.found.Runs, "attempts": h.found.Attempts, "states": tallies,
		})
	}
	fmt.Fprintf(h.out, "%d repositories, %d runs listed, jobs of %d attempts listed now\n", len(h.repositories), h.found.Runs, h.found.Attempts)
	w := tabwriter.NewWriter(h.out, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "STATE\tJOBS\tRAW\t")
	for _, t := range tallies {
		fmt.Fprintf(w, "%s\t%d\t%s\t\n", t.State, t.Jobs, humanize.IBytes(uint64(max(t.RawBytes, 0))))
	}
	return w.Flush()
}
