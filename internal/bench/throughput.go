package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
)

const wantThroughput = 1.0

// measureThroughput compares a log's whole way into the bucket with zstd compressing the
// same bytes from a file to a file.
func measureThroughput(ctx context.Context, l *lab) ([]row, error) {
	zstd, err := exec.LookPath("zstd")
	if err != nil {
		return nil, fmt.Errorf("install the package zstd: %w", err)
	}
	sim, job, err := simulateLog(l.scale.logSize)
	if err != nil {
		return nil, err
	}
	defer sim.Close()
	raw := filepath.Join(l.dir, "raw.log")
	if err := writeLog(raw, job.Log); err != nil {
		return nil, err
	}
	var ours, theirs, ratios []float64
	var stored int64
	for turn := range l.scale.logTurns {
		started := time.Now()
		peer := exec.CommandContext(ctx, zstd, "-3", "--single-thread", "-q", "-f", raw, "-o", raw+".zst")
		if out, err := peer.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("zstd: %w: %s", err, out)
		}
		their := mbPerSecond(job.Log.Size(), time.Since(started))
		started = time.Now()
		log, err := archiveLog(ctx, sim.URL(), sim.Token(), "file://"+filepath.Join(l.dir, fmt.Sprintf("bucket-%d", turn)), job.ID)
		if err != nil {
			return nil, err
		}
		our := mbPerSecond(job.Log.Size(), time.Since(started))
		if log.SHA256 != job.Log.SHA256() {
			return nil, errors.New("what was archived is not what was served")
		}
		stored = log.StoredBytes
		ours, theirs, ratios = append(ours, our), append(theirs, their), append(ratios, our/their)
	}
	compressed, err := os.Stat(raw + ".zst")
	if err != nil {
		return nil, err
	}
	return throughputRows(l.scale.logSize, median(ours), median(theirs), median(ratios), stored, compressed.Size()), nil
}

// throughputRows compares the speeds, in MB/s, and what became of the log's size.
func throughputRows(size int64, ours, theirs, ratio float64, stored, compressed int64) []row {
	return []row{
		{
			what: fmt.Sprintf("one log of %d MiB: fetched, hashed, indexed, compressed, in the bucket", size>>20),
			ours: fmt.Sprintf("%.0f MB/s", ours), against: fmt.Sprintf("%.0f MB/s zstd -3 --single-thread, file to file", theirs),
			ratio: fmt.Sprintf("%.2f", ratio), wanted: fmt.Sprintf("≥ %.1f", wantThroughput), missed: ratio < wantThroughput,
		},
		{
			what: "size of that log in the bucket", ours: fmt.Sprintf("%.1f MB", float64(stored)/1e6),
			against: fmt.Sprintf("%.1f MB zstd -3", float64(compressed)/1e6),
			ratio:   fmt.Sprintf("%.2f", float64(stored)/float64(compressed)), wanted: "reported",
		},
	}
}

// simulateLog starts a GitHub with one job that has a log of the size.
func simulateLog(size int64) (*githubsim.Server, githubsim.Job, error) {
	sim, err := githubsim.Start(githubsim.Options{Seed: 1})
	if err != nil {
		return nil, githubsim.Job{}, err
	}
	sim.AddRepository(benchRepository)
	job := benchJob(1, githubsim.GeneratedLog(1, size, githubsim.LogStyle{ANSI: true}))
	sim.AddJob(job)
	return sim, job, nil
}

func writeLog(path string, log githubsim.Log) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, log.Reader())
	return errors.Join(err, f.Close())
}

// archiveLog takes a log from GitHub into a bucket, as the archive worker does.
func archiveLog(ctx context.Context, api, token, bucketURL string, jobID int64) (archive.Log, error) {
	clients, err := ghapi.New(ghapi.Config{BaseURL: api, Token: token, Concurrency: 50, UserAgent: "jobvault-bench"})
	if err != nil {
		return archive.Log{}, err
	}
	defer clients.Close()
	b, err := bucket.Open(bucketURL)
	if err != nil {
		return archive.Log{}, err
	}
	a, err := archive.New(b, 1<<40)
	if err != nil {
		return archive.Log{}, err
	}
	client, err := clients.For(ctx, nil, benchRepository.Owner, benchRepository.Name)
	if err != nil {
		return archive.Log{}, err
	}
	body, err := client.OpenLog(ctx, benchRepository.Owner, benchRepository.Name, jobID)
	if err != nil {
		return archive.Log{}, err
	}
	key := archive.JobKey{RepositoryID: benchRepository.ID, RunID: 1, RunAttempt: 1, JobID: jobID}
	log, err := a.PutLog(ctx, key, body)
	return log, errors.Join(err, body.Close())
}

func mbPerSecond(n int64, d time.Duration) float64 { return float64(n) / 1e6 / d.Seconds() }
