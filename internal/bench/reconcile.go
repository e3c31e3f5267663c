package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/jobvault/jobvault/internal/githubsim"
)

// The maxima of the numbers of reconciling and backfilling.
const (
	wantSecondSweep = 1.0  // requests for each 100 runs
	wantBackfill    = 1.05 // requests a job beyond the listing of runs
	backfillRunJobs = 40   // jobs a run of the backfill
)

// history is a simulated GitHub with a past, and a database and a bucket for it.
type history struct {
	sim      *githubsim.Server
	day      githubsim.Day
	url      string // of the database
	settings []string
}

func (l *lab) history(ctx context.Context, name string, h githubsim.History) (*history, error) {
	sim, err := githubsim.Start(githubsim.Options{Seed: 3})
	if err != nil {
		return nil, err
	}
	url, err := l.database(ctx, name)
	if err != nil {
		return nil, errors.Join(err, sim.Close())
	}
	made := &history{sim: sim, day: sim.AddHistory(h), url: url}
	made.settings = l.historySettings(made, name)
	return made, nil
}

func (l *lab) historySettings(h *history, name string) []string {
	return []string{
		"JOBVAULT_DATABASE_URL=" + h.url, "JOBVAULT_GITHUB_API_URL=" + h.sim.URL(), "JOBVAULT_GITHUB_TOKEN=" + h.sim.Token(),
		"JOBVAULT_BUCKET_URL=file://" + l.dir + "/" + name, "JOBVAULT_RECONCILE_EVERY=never",
		fmt.Sprintf("JOBVAULT_ARCHIVE_WORKERS=%d", archiveWorkers),
	}
}

// measureReconcile sends webhooks as badly as GitHub does and counts what one
// reconcile leaves open, what is wrong, and what the next one costs.
func measureReconcile(ctx context.Context, l *lab) ([]row, error) {
	now := time.Now()
	h, err := l.history(ctx, "reconcile", githubsim.History{
		Seed: 6, Jobs: l.scale.history, Runs: l.scale.history * 3 / 20, Begin: now.Add(-60 * time.Hour), End: now.Add(-30 * time.Minute),
	})
	if err != nil {
		return nil, err
	}
	defer h.sim.Close()
	h.settings = append(h.settings, "JOBVAULT_GITHUB_HOOKS="+h.day.Repositories[0].Owner+"/421337")
	s, err := l.startServer(ctx, h.settings...)
	if err != nil {
		return nil, err
	}
	defer s.abandon()
	if err := h.deliverBadly(ctx, s.url+"/webhook"); err != nil {
		return nil, err
	}
	first, err := h.reconcileOnce(ctx, l)
	if err != nil {
		return nil, err
	}
	second, err := h.reconcileAgain(ctx, l)
	if err != nil {
		return nil, err
	}
	_, err = s.stop()
	return []row{first, second}, err
}

// reconcileOnce counts what is open or wrong once a reconcile has ended and all that it
// caused is done.
func (h *history) reconcileOnce(ctx context.Context, l *lab) (row, error) {
	took, err := l.command(ctx, h.settings, "reconcile")
	if err != nil {
		return row{}, err
	}
	h.sim.AwaitRedeliveries()
	if err := awaitQuiet(ctx, h.url); err != nil {
		return row{}, err
	}
	open, wrong, err := h.compare(ctx)
	return row{
		what: fmt.Sprintf("%d jobs in %d runs, 5 %% of deliveries refused, 3 %% never sent, 10 %% twice, shuffled: after one reconcile", l.scale.history, l.scale.history*3/20),
		ours: fmt.Sprintf("%d open, %d wrong", open, wrong), against: "–", ratio: "–", wanted: "0 open, 0 wrong; it took " + took.Round(time.Second).String(),
		missed: open+wrong > 0,
	}, err
}

// reconcileAgain counts the requests of a reconcile that finds nothing new.
func (h *history) reconcileAgain(ctx context.Context, l *lab) (row, error) {
	again, err := h.second(ctx, l, "reconcile")
	if err != nil {
		return row{}, err
	}
	forced, err := h.second(ctx, l, "reconcile", "--since", "70h")
	return row{
		what: "requests of the second sweep for 100 runs", ours: fmt.Sprintf("%.2f", again), against: "–", ratio: "–",
		wanted: fmt.Sprintf("≤ %.0f; made to list all of them anew: %.2f", wantSecondSweep, forced), missed: again > wantSecondSweep,
	}, err
}

// deliverBadly sends the webhooks as GitHub does.
func (h *history) deliverBadly(ctx context.Context, url string) error {
	h.sim.SetHook(url, benchSecret)
	results := githubsim.Send(ctx, url, h.day.Deliveries, githubsim.SendOptions{
		Secret: benchSecret, Refused: .05, Lost: .03, Duplicates: .1, Shuffle: true, Seed: 1, Concurrency: 16,
	})
	for _, r := range results {
		if r.Err != nil || r.Status != http.StatusAccepted && r.Status != http.StatusBadGateway {
			return fmt.Errorf("delivery: %d, %w", r.Status, r.Err)
		}
	}
	// Long enough ago to be asked for again.
	h.sim.RecordAt(time.Now().Add(-10*time.Minute), results...)
	return nil
}

// second runs a sweep again and returns how many requests it made for 100 runs,
// whatever they were for.
func (h *history) second(ctx context.Context, l *lab, args ...string) (float64, error) {
	before := h.requests()
	if _, err := l.command(ctx, h.settings, args...); err != nil {
		return 0, err
	}
	return float64(h.requests()-before) / float64(l.scale.history*3/20) * 100, nil
}

// requests are all but those about hook deliveries.
func (h *history) requests() int64 {
	var n int64
	for e, count := range h.sim.Requests() {
		if e != githubsim.EndpointDeliveries && e != githubsim.EndpointRedeliver {
			n += count
		}
	}
	return n
}

// compare counts the jobs that are not settled, and those that are settled in another
// state than GitHub's answers imply.
func (h *history) compare(ctx context.Context) (open, wrong int, err error) {
	conn, err := pgx.Connect(ctx, h.url)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	type line struct {
		state  string
		sha256 []byte
	}
	ledger := make(map[int64]line)
	rows, err := conn.Query(ctx, `SELECT job_id, state, sha256 FROM job_logs`)
	if err != nil {
		return 0, 0, err
	}
	var id int64
	var l line
	if _, err := pgx.ForEachRow(rows, []any{&id, &l.state, &l.sha256}, func() error {
		ledger[id] = line{l.state, bytes.Clone(l.sha256)}
		return nil
	}); err != nil {
		return 0, 0, err
	}
	for _, j := range h.day.Jobs {
		got, known := ledger[j.ID]
		want := j.Log.SHA256()
		switch {
		case !known || got.state == "pending" || got.state == "denied":
			open++
		case got.state != h.day.Expected[j.ID] || got.state == "archived" && !bytes.Equal(got.sha256, want[:]):
			wrong++
		}
	}
	return open, wrong + max(len(ledger)-len(h.day.Jobs), 0), nil
}

// awaitQuiet returns when no delivery and no archive job waits any more.
func awaitQuiet(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		var busy bool
		if err := conn.QueryRow(ctx, `
			SELECT EXISTS (SELECT FROM deliveries WHERE state = 'received')
			    OR EXISTS (SELECT FROM queue.river_job WHERE kind = 'archive' AND state NOT IN ('completed', 'cancelled', 'discarded'))`).Scan(&busy); err != nil {
			return errors.Join(err, conn.Close(ctx))
		}
		if !busy {
			return conn.Close(ctx)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), conn.Close(context.WithoutCancel(ctx)))
		}
	}
}

// measureBackfill counts how many requests the backfill of a job costs.
func measureBackfill(ctx context.Context, l *lab) ([]row, error) {
	var rows []row
	for _, perRun := range []int{backfillRunJobs, 7} {
		now := time.Now()
		h, err := l.history(ctx, fmt.Sprintf("backfill_%d", perRun), githubsim.History{
			Seed: 7, Jobs: l.scale.history, Runs: l.scale.history / perRun, Begin: now.AddDate(0, 0, -80), End: now.AddDate(0, 0, -10), NoDeliveries: true,
		})
		if err != nil {
			return nil, err
		}
		took, err := l.command(ctx, h.settings, "backfill", "--org", h.day.Repositories[0].Owner, "--since", "85d")
		if err != nil {
			return nil, errors.Join(err, h.sim.Close())
		}
		open, wrong, err := h.compare(ctx)
		requests := h.sim.Requests()
		if err := errors.Join(err, h.sim.Close()); err != nil {
			return nil, err
		}
		n := float64(len(h.day.Jobs))
		cost := float64(requests[githubsim.EndpointLog]+requests[githubsim.EndpointJob]+requests[githubsim.EndpointAttemptJobs]+requests[githubsim.EndpointRunJobs]) / n
		r := row{
			what: fmt.Sprintf("backfill of %d jobs in %d runs: requests a job beyond the listing of runs", l.scale.history, l.scale.history/perRun),
			ours: fmt.Sprintf("%.3f", cost), against: fmt.Sprintf("%.3f: a log each, and a list for each run", 1+1/float64(perRun)), ratio: "–",
			wanted: fmt.Sprintf("%d open, %d wrong, %.0f jobs/s", open, wrong, n/took.Seconds()), missed: open+wrong > 0,
		}
		if perRun == backfillRunJobs {
			r.wanted = fmt.Sprintf("≤ %.2f; %s", wantBackfill, r.wanted)
			r.missed = r.missed || cost > wantBackfill
		} else {
			r.wanted = strings.TrimSpace("reported; " + r.wanted)
		}
		rows = append(rows, r)
	}
	return rows, nil
}
