package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/jobvault/jobvault/internal/githubsim"
)

const (
	archiveWorkers = 32
	archiveLogSize = 20 << 10
	wantRequests   = 2.0
)

// measureArchive counts jobs from delivery to settled ledger, and what a job costs in
// REST requests. To find what bounds the rate, it measures twice: as a user would run it,
// and with everything in memory.
func measureArchive(ctx context.Context, l *lab) ([]row, error) {
	var jobs []githubsim.Job
	for id := range int64(l.scale.jobs) {
		jobs = append(jobs, benchJob(id+1, githubsim.GeneratedLog(uint64(id), archiveLogSize, githubsim.LogStyle{})))
	}
	disk, err := archiveJobs(ctx, l, "archive", l.dir+"/archive", jobs)
	if err != nil {
		return nil, err
	}
	rows := []row{
		{
			what: fmt.Sprintf("jobs with a %d KB log, from delivery to settled ledger, %d workers", archiveLogSize>>10, archiveWorkers),
			ours: fmt.Sprintf("%.0f/s", disk.rate), against: "–", ratio: "–", wanted: "reported: " + disk.bounds(),
		},
		{
			what: "REST requests per archived job", ours: fmt.Sprintf("%.3f", disk.requests), against: "–", ratio: "–",
			wanted: fmt.Sprintf("≤ %.0f", wantRequests), missed: disk.requests > wantRequests,
		},
	}
	const memory = "/dev/shm"
	if _, err := os.Stat(memory); err != nil {
		return rows, nil
	}
	dir, err := os.MkdirTemp(memory, "jobvault-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	ram, err := archiveJobs(ctx, l, "archive_in_memory", dir, jobs)
	if err != nil {
		return nil, err
	}
	return append(rows, row{
		what: "the same with the bucket in memory", ours: fmt.Sprintf("%.0f/s", ram.rate), against: fmt.Sprintf("%.0f/s on the disk", disk.rate),
		ratio: fmt.Sprintf("%.2f", ram.rate/disk.rate), wanted: "what syncing files costs; " + ram.bounds(),
	}), nil
}

// archived is what one run of archiveJobs measured.
type archived struct {
	cost             // of jobvault itself
	rate     float64 // jobs a second
	requests float64 // REST requests a job
	all      float64 // cores that were busy in all, on average
}

func (a archived) bounds() string {
	text := fmt.Sprintf("jobvault %.1f cores", a.cpu.Seconds()/a.wall.Seconds())
	if a.all > 0 {
		text += fmt.Sprintf(", all processes %.1f of %d", a.all, runtime.NumCPU())
	}
	return text
}

// archiveJobs runs the deliveries of jobs through a jobvault with its bucket in a folder.
func archiveJobs(ctx context.Context, l *lab, database, dir string, jobs []githubsim.Job) (archived, error) {
	sim, err := githubsim.Start(githubsim.Options{Seed: 2})
	if err != nil {
		return archived{}, err
	}
	defer sim.Close()
	sim.AddRepository(benchRepository)
	var deliveries []githubsim.Delivery
	for _, job := range jobs {
		sim.AddJob(job)
		deliveries = append(deliveries, sim.Deliveries(job)...)
	}
	url, err := l.database(ctx, database)
	if err != nil {
		return archived{}, err
	}
	s, err := l.startServer(ctx, "JOBVAULT_DATABASE_URL="+url, "JOBVAULT_GITHUB_API_URL="+sim.URL(), "JOBVAULT_GITHUB_TOKEN="+sim.Token(),
		fmt.Sprintf("JOBVAULT_ARCHIVE_WORKERS=%d", archiveWorkers), "JOBVAULT_BUCKET_URL=file://"+dir)
	if err != nil {
		return archived{}, err
	}
	defer s.abandon()
	started, busy := time.Now(), busyTime()
	for _, r := range githubsim.Send(ctx, s.url+"/webhook", deliveries, githubsim.SendOptions{Secret: benchSecret, Concurrency: 16}) {
		if r.Err != nil || r.Status != 202 {
			return archived{}, fmt.Errorf("delivery: %d, %w", r.Status, r.Err)
		}
	}
	if err := awaitArchived(ctx, url, len(jobs)); err != nil {
		return archived{}, err
	}
	took := time.Since(started)
	busy = busyTime() - busy
	cpu, err := s.stop()
	if err != nil {
		return archived{}, err
	}
	n, requests := float64(len(jobs)), sim.Requests()
	return archived{
		cost: cost{took, cpu}, rate: n / took.Seconds(), requests: float64(requests[githubsim.EndpointJob]+requests[githubsim.EndpointLog]) / n,
		all: busy.Seconds() / took.Seconds(),
	}, nil
}

// busyTime returns how long all cores together have been busy since the machine started;
// 0 if the kernel does not say.
func busyTime() time.Duration {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(stat), "\n")
	var ticks int64
	for i, field := range strings.Fields(line)[1:] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0
		}
		if i != 3 && i != 4 && i < 8 { // idle, waiting for the disk; guests count twice
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond // a tick is a hundredth of a second
}

// awaitArchived returns when the given number of jobs is archived.
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
