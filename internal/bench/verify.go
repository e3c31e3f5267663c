package main

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jobvault/jobvault/internal/githubsim"
)

const (
	wantVerify     = 0.8
	verifyLogSize  = 5 << 20
	verifyLogCount = 200
)

// measureVerify compares `jobvault verify --deep`, which reads ledger and bucket and
// compares digests, lines and frames, with `zstd -t` over the same objects.
func measureVerify(ctx context.Context, l *lab) ([]row, error) {
	zstd, err := exec.LookPath("zstd")
	if err != nil {
		return nil, fmt.Errorf("install the package zstd: %w", err)
	}
	settings, bucket, err := l.archiveLogs(ctx, "verify", githubsim.LogStyle{ANSI: true}, slices.Repeat([]int64{l.scale.verifyLog}, verifyLogCount)...)
	if err != nil {
		return nil, err
	}
	var files []string
	err = filepath.WalkDir(bucket, func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, "/log.zst") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	raw := l.scale.verifyLog * int64(len(files))
	var ours, theirs, ratios []float64
	for range l.scale.logTurns {
		started := time.Now()
		if out, err := exec.CommandContext(ctx, zstd, append([]string{"-t", "-q"}, files...)...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("zstd -t: %w: %s", err, out)
		}
		their := mbPerSecond(raw, time.Since(started))
		took, err := l.command(ctx, settings, "verify", "--deep")
		if err != nil {
			return nil, err
		}
		our := mbPerSecond(raw, took)
		ours, theirs, ratios = append(ours, our), append(theirs, their), append(ratios, our/their)
	}
	ratio := median(ratios)
	return []row{{
		what: fmt.Sprintf("verify --deep of %d logs of %d MiB: the whole command", len(files), l.scale.verifyLog>>20),
		ours: fmt.Sprintf("%.0f MB/s", median(ours)), against: fmt.Sprintf("%.0f MB/s zstd -t", median(theirs)),
		ratio: fmt.Sprintf("%.2f", ratio), wanted: fmt.Sprintf("≥ %.1f", wantVerify), missed: ratio < wantVerify,
	}}, nil
}

// archiveLogs archives logs of a style and of these sizes, of jobs 1, 2, ..., in a database
// and a bucket of a name, and returns the settings with which they are found, and the
// folder of the bucket.
func (l *lab) archiveLogs(ctx context.Context, name string, style githubsim.LogStyle, sizes ...int64) (settings []string, bucket string, err error) {
	sim, err := githubsim.Start(githubsim.Options{Seed: 4})
	if err != nil {
		return nil, "", err
	}
	defer sim.Close()
	sim.AddRepository(benchRepository)
	var deliveries []githubsim.Delivery
	for i, size := range sizes {
		job := benchJob(int64(i+1), githubsim.GeneratedLog(uint64(i), size, style))
		sim.AddJob(job)
		deliveries = append(deliveries, sim.Deliveries(job)...)
	}
	url, err := l.database(ctx, name)
	if err != nil {
		return nil, "", err
	}
	bucket = filepath.Join(l.dir, name+"-bucket")
	settings = []string{"JOBVAULT_DATABASE_URL=" + url, "JOBVAULT_BUCKET_URL=file://" + bucket}
	s, err := l.startServer(ctx, append(settings, "JOBVAULT_GITHUB_API_URL="+sim.URL(), "JOBVAULT_GITHUB_TOKEN="+sim.Token())...)
	if err != nil {
		return nil, "", err
	}
	defer s.abandon()
	for _, r := range githubsim.Send(ctx, s.url+"/webhook", deliveries, githubsim.SendOptions{Secret: benchSecret, Concurrency: 16}) {
		if r.Err != nil || r.Status != http.StatusAccepted {
			return nil, "", fmt.Errorf("delivery: %d, %w", r.Status, r.Err)
		}
	}
	if err := awaitArchived(ctx, url, len(sizes)); err != nil {
		return nil, "", err
	}
	_, err = s.stop()
	return settings, bucket, err
}
