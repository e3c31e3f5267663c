package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/jobvault/jobvault/internal/githubsim"
)

const (
	archiveWorkers = 32
	archiveLogSize = 20 << 10
	wantRequests   = 2.0
)

// measureArchive counts jobs from delivery to settled ledger, and what a job
// costs in REST requests.
func measureArchive(ctx context.Context, l *lab) ([]row, error) {
	sim, err := githubsim.Start(githubsim.Options{Seed: 2})
	if err != nil {
		return nil, err
	}
	defer sim.Close()
	sim.AddRepository(benchRepository)
	var deliveries []githubsim.Delivery
	for id := range int64(l.scale.jobs) {
		job := benchJob(id+1, githubsim.GeneratedLog(uint64(id), archiveLogSize, githubsim.LogStyle{}))
		sim.AddJob(job)
		deliveries = append(deliveries, sim.Deliveries(job)...)
	}
	url, err := l.database(ctx, "archive")
	if err != nil {
		return nil, err
	}
	s, err := l.startServer(ctx, "JOBVAULT_DATABASE_URL="+url, "JOBVAULT_GITHUB_API_URL="+sim.URL(), "JOBVAULT_GITHUB_TOKEN="+sim.Token(),
		fmt.Sprintf("JOBVAULT_ARCHIVE_WORKERS=%d", archiveWorkers))
	if err != nil {
		return nil, err
	}
	started := time.Now()
	for _, r := range githubsim.Send(ctx, s.url+"/webhook", deliveries, githubsim.SendOptions{Secret: benchSecret, Concurrency: 16}) {
		if r.Err != nil || r.Status != 202 {
			return nil, fmt.Errorf("delivery: %d, %w", r.Status, r.Err)
		}
	}
	if err := awaitArchived(ctx, url, l.scale.jobs); err != nil {
		return nil, err
	}
	took := time.Since(started)
	cpu, err := s.stop()
	if err != nil {
		return nil, err
	}
	requests := sim.Requests()
	perJob := float64(requests[githubsim.EndpointJob]+requests[githubsim.EndpointLog]) / float64(l.scale.jobs)
	return []row{
		{
			what: fmt.Sprintf("jobs with a %d KB log, from delivery to settled ledger, %d workers", archiveLogSize>>10, archiveWorkers),
			ours: fmt.Sprintf("%.0f/s", float64(l.scale.jobs)/took.Seconds()), against: "–", ratio: "–",
			wanted: fmt.Sprintf("reported; jobvault's own CPU %.0f%% of one core", 100*cpu.Seconds()/took.Seconds()),
		},
		{
			what: "REST requests per archived job", ours: fmt.Sprintf("%.3f", perJob), against: "–", ratio: "–",
			wanted: fmt.Sprintf("≤ %.0f", wantRequests), missed: perJob > wantRequests,
		},
	}, nil
}

// awaitArchived returns when so many jobs are archived.
func awaitArchived(ctx context.Context, url string, jobs int) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var archived int
		if err := conn.QueryRow(ctx, `SELECT count(*) FROM job_logs WHERE state = 'archived'`).Scan(&archived); err != nil {
			return errors.Join(err, conn.Close(ctx))
		}
		if archived == jobs {
			return conn.Close(ctx)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%d of %d archived: %w", archived, jobs, ctx.Err()), conn.Close(context.WithoutCancel(ctx)))
		}
	}
}
