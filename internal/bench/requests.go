package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/jobvault/jobvault/internal/githubsim"
)

const (
	// wantLiveRequests is the most that a job of the demo's day may cost, reconciling not
	// counted.
	wantLiveRequests = 1.35
	requestRunJobs   = 7   // jobs a run of the backfill
	dayJobs          = 400 // as in the demo
)

// beforeRequests is the last commit before jobs of an attempt were described by one list.
const beforeRequests = "f0ef547"

// measureRequests counts what a job costs in requests to GitHub, beside the commit before:
// live, with the reconciling that follows, and in a backfill.
func measureRequests(ctx context.Context, l *lab) ([]row, error) {
	other := *l
	other.before, other.earlier = cmp.Or(l.before, beforeRequests), new(earlier)
	before, err := other.labBefore(ctx)
	if err != nil {
		return l.unlessShallow(nil, err, "requests a job, compared with a commit before")
	}
	var live, back [2]spent
	for i, side := range []*lab{before, l} {
		if live[i], err = side.liveRequests(ctx, fmt.Sprintf("requests_live_%d", i)); err != nil {
			return nil, err
		}
		if back[i], err = side.backfillRequests(ctx, fmt.Sprintf("requests_backfill_%d", i)); err != nil {
			return nil, err
		}
	}
	name := before.earlier.name()
	rows := []row{
		compareRequests(fmt.Sprintf("the demo's day, %d jobs, delivered at once: requests a job", live[1].jobs), name, live[0].archiving(), live[1].archiving()),
		compareRequests("the same, and what one reconcile afterwards has to pay for", name, live[0], live[1]),
		compareRequests(fmt.Sprintf("backfill of %d jobs in runs of %d: requests a job", back[1].jobs, requestRunJobs), name, back[0], back[1]),
	}
	rows[0].wanted = fmt.Sprintf("≤ %.2f; %s", wantLiveRequests, rows[0].wanted)
	rows[0].missed = rows[0].missed || live[1].archiving().perJob() > wantLiveRequests
	return rows, nil
}

// spent is what archiving cost in requests that count for GitHub's limit.
type spent struct {
	jobs  int
	by    map[githubsim.Endpoint]int64
	free  int64                        // answered 304, which costs nothing
	first map[githubsim.Endpoint]int64 // of by, those before the reconcile
	wrong int                          // jobs that are open, or settled in the wrong state
}

func (s spent) archiving() spent {
	s.by, s.free = s.first, 0
	return s
}

func (s spent) perJob() float64 {
	var n int64
	for _, count := range s.by {
		n += count
	}
	return float64(n-s.free) / float64(s.jobs)
}

func (s spent) String() string {
	var parts []string
	for _, e := range slices.Sorted(maps.Keys(s.by)) {
		parts = append(parts, fmt.Sprintf("%s %d", e, s.by[e]))
	}
	if s.free > 0 {
		parts = append(parts, fmt.Sprintf("of these free %d", s.free))
	}
	return fmt.Sprintf("%.3f (%s)", s.perJob(), strings.Join(parts, ", "))
}

func compareRequests(what, before string, was, now spent) row {
	return row{
		what: what, ours: now.String(), against: was.String() + " at " + before, ratio: fmt.Sprintf("%.2f", now.perJob()/was.perJob()),
		wanted: fmt.Sprintf("%d open or wrong", now.wrong), missed: now.wrong > 0 || now.perJob() > was.perJob(),
	}
}

// requestsOf are the requests so far, of the API alone.
func requestsOf(sim *githubsim.Server) map[githubsim.Endpoint]int64 {
	all := sim.Requests()
	delete(all, githubsim.EndpointBlob)
	return all
}

// countFree counts the answers that say that nothing has changed.
func countFree(ctx context.Context, l *lab, settings []string, sim *githubsim.Server, args ...string) (int64, error) {
	before := sim.Unchanged()
	_, err := l.command(ctx, settings, args...)
	return sim.Unchanged() - before, err
}

// liveRequests delivers the demo's day, and reconciles when all that it caused is done.
func (l *lab) liveRequests(ctx context.Context, name string) (spent, error) {
	sim, err := githubsim.Start(githubsim.Options{Seed: 1})
	if err != nil {
		return spent{}, err
	}
	defer sim.Close()
	h := &history{sim: sim, day: sim.PlayableDay(1, dayJobs, 3<<20)}
	if h.url, err = l.database(ctx, name); err != nil {
		return spent{}, err
	}
	h.settings = l.historySettings(h, name)
	s, err := l.startServer(ctx, h.settings...)
	if err != nil {
		return spent{}, err
	}
	defer s.abandon()
	for _, r := range githubsim.Send(ctx, s.url+"/webhook", h.day.Deliveries, githubsim.SendOptions{Secret: benchSecret, Concurrency: 16}) {
		if r.Err != nil || r.Status != http.StatusAccepted {
			return spent{}, fmt.Errorf("delivery: %d, %w", r.Status, r.Err)
		}
	}
	if err := awaitQuiet(ctx, h.url); err != nil {
		return spent{}, err
	}
	result := spent{jobs: len(h.day.Jobs), first: requestsOf(sim)}
	if result.free, err = countFree(ctx, l, h.settings, sim, "reconcile"); err != nil {
		return spent{}, err
	}
	result.by = requestsOf(sim)
	open, wrong, err := h.compare(ctx)
	result.wrong = open + wrong
	if err != nil {
		return spent{}, err
	}
	_, err = s.stop()
	return result, err
}

// backfillRequests archives a past that no webhook told of.
func (l *lab) backfillRequests(ctx context.Context, name string) (spent, error) {
	now := time.Now()
	h, err := l.history(ctx, name, githubsim.History{
		Seed: 7, Jobs: l.scale.history, Runs: l.scale.history / requestRunJobs, Begin: now.AddDate(0, 0, -80), End: now.AddDate(0, 0, -10), NoDeliveries: true,
	})
	if err != nil {
		return spent{}, err
	}
	defer h.sim.Close()
	free, err := countFree(ctx, l, h.settings, h.sim, "backfill", "--org", h.day.Repositories[0].Owner, "--since", "85d")
	if err != nil {
		return spent{}, err
	}
	open, wrong, err := h.compare(ctx)
	return spent{jobs: len(h.day.Jobs), by: requestsOf(h.sim), free: free, wrong: open + wrong}, err
}
