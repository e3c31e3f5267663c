package ingest

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/jobvault/jobvault/store"
)

// Backlog reports what waits, and what is known of GitHub's limits, as of each
// scrape.
type Backlog struct {
	db         *store.DB
	now        func() time.Time
	selected   func(fullName string) bool
	deliveries *prometheus.Desc
	unsettled  *prometheus.Desc
	oldest     *prometheus.Desc
	queue      *prometheus.Desc
	sweepAge   *prometheus.Desc
	failing    *prometheus.Desc
	unlisted   *prometheus.Desc
	remaining  *prometheus.Desc
	manifest   *prometheus.Desc
	removals   *prometheus.Desc
}

// NewBacklog makes the collector; register it. Sweeps are told of repositories that
// are selected: of others, the age of the last one would grow for ever. Ages are counted
// to now, which is Postgres' time.
func NewBacklog(db *store.DB, now func() time.Time, selected func(fullName string) bool) *Backlog {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("jobvault_"+name, help, labels, nil)
	}
	return &Backlog{
		db:         db,
		now:        now,
		selected:   selected,
		deliveries: desc("deliveries_waiting", "Deliveries committed and not yet turned into rows."),
		unsettled:  desc("jobs_unsettled", "Completed jobs whose log is not settled, by ledger state.", "state"),
		oldest:     desc("oldest_unsettled_seconds", "Time since the completion of the job that has waited longest; 0: none waits."),
		queue:      desc("queue_depth", "Archive jobs in the queue, those that wait for a limit or a retry included."),
		sweepAge:   desc("sweep_age_seconds", "Time since the last successful sweep of the repository that has gone longest without, those left out whose last one failed."),
		failing:    desc("sweeps_failing", "Repositories whose last sweep failed."),
		unlisted:   desc("sweeps_given_up", "Repositories whose listing of runs is given up: it fails or is refused on more days than are waited for, and which runs there are is not known."),
		remaining:  desc("rate_limit_remaining", "Requests that GitHub's limit leaves for now, by installation; 0: the token, or the App itself.", "installation"),
		manifest:   desc("manifest_age_seconds", "Time since the end of the day of the last manifest: above 93600, 26 hours, one is overdue. Missing: there is none yet."),
		removals:   desc("unfinished_removals", "Removed logs of which the bucket has something still; log_removals.error says why. Those that a legal hold keeps included."),
	}
}

// Describe names the metrics.
func (b *Backlog) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{b.deliveries, b.unsettled, b.oldest, b.queue, b.sweepAge, b.failing, b.unlisted, b.remaining, b.manifest, b.removals} {
		ch <- d
	}
}

// scrapeTime bounds the questions of one scrape.
const scrapeTime = 5 * time.Second

// Collect asks Postgres. While that is away the metrics are missing.
func (b *Backlog) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	for _, part := range []struct {
		missing *prometheus.Desc // what is said to be missing if the part cannot be collected
		collect func(context.Context, gauges) error
	}{
		{b.deliveries, b.collectWaiting}, {b.failing, b.collectSweeps}, {b.manifest, b.collectManifest},
		{b.removals, b.collectRemovals}, {b.remaining, b.collectLimits},
	} {
		if err := part.collect(ctx, ch); err != nil {
			ch <- prometheus.NewInvalidMetric(part.missing, err)
			return // the next would wait for the same Postgres
		}
	}
}

// gauges takes the gauges of one scrape.
type gauges chan<- prometheus.Metric

func (g gauges) set(d *prometheus.Desc, value float64, labels ...string) {
	g <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func (b *Backlog) collectWaiting(ctx context.Context, g gauges) error {
	backlog, err := b.db.Backlog(ctx)
	if err != nil {
		return err
	}
	g.set(b.deliveries, float64(backlog.Deliveries))
	g.set(b.unsettled, float64(backlog.Pending), store.LogPending)
	g.set(b.unsettled, float64(backlog.Denied), store.LogDenied)
	g.set(b.oldest, b.since(backlog.OldestPending))
	g.set(b.queue, float64(backlog.Queued))
	return nil
}

func (b *Backlog) collectSweeps(ctx context.Context, g gauges) error {
	ends, err := b.db.SweepEnds(ctx)
	if err != nil {
		return err
	}
	failing, unlisted, oldest := b.sweeps(ends)
	g.set(b.failing, float64(failing))
	g.set(b.unlisted, float64(unlisted))
	if oldest != nil {
		g.set(b.sweepAge, b.since(oldest))
	}
	return nil
}

func (b *Backlog) collectManifest(ctx context.Context, g gauges) error {
	last, err := b.db.LastManifest(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	g.set(b.manifest, b.now().Sub(last.Date.AddDate(0, 0, 1)).Seconds())
	return nil
}

func (b *Backlog) collectRemovals(ctx context.Context, g gauges) error {
	unfinished, err := b.db.CountUnfinishedRemovals(ctx)
	if err != nil {
		return err
	}
	g.set(b.removals, float64(unfinished))
	return nil
}

// collectLimits leaves out limits of which nothing is known. What was left of one that
// has begun anew since does not count: all of it is.
func (b *Backlog) collectLimits(ctx context.Context, g gauges) error {
	limits, err := b.db.RateLimits(ctx)
	if err != nil {
		return err
	}
	for _, l := range limits {
		if l.RequestLimit == 0 {
			continue
		}
		left := l.Remaining
		if !l.ResetAt.After(b.now()) {
			left = l.RequestLimit
		}
		g.set(b.remaining, float64(left), strconv.FormatInt(l.InstallationID, 10))
	}
	return nil
}

// sweeps counts the repositories whose last sweep failed, and those whose listing is given
// up, and finds the oldest success of the others.
func (b *Backlog) sweeps(ends []store.SweepEnd) (failing, unlisted int, oldest *time.Time) {
	for _, e := range ends {
		switch {
		case !e.HasName || !b.selected(e.Owner+"/"+e.Name): // it is not swept
		case e.GivenUp:
			unlisted++
		case e.Failing:
			failing++
		case e.SucceededAt != nil && (oldest == nil || e.SucceededAt.Before(*oldest)):
			oldest = e.SucceededAt
		}
	}
	return failing, unlisted, oldest
}

// since is how long ago a moment is, in seconds; 0 for none.
func (b *Backlog) since(at *time.Time) float64 {
	if at == nil {
		return 0
	}
	return max(b.now().Sub(*at).Seconds(), 0)
}
