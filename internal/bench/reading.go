package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/lookup/access"
	"github.com/jobvault/jobvault/lookup/rest"
	"github.com/jobvault/jobvault/store"
)

const (
	wantLines    = 100.0
	wantStream   = 0.7
	readLines    = 200
	smallRead    = 64 << 20
	wantReadMore = 32.0 // MiB
)

// measureReading compares reading a log over HTTP with zstd reading the same object:
// lines from its middle, and all of it. It also measures the memory that this takes.
func measureReading(ctx context.Context, l *lab) ([]row, error) {
	zstd, err := exec.LookPath("zstd")
	if err != nil {
		return nil, fmt.Errorf("install the package zstd: %w", err)
	}
	r := reading{lab: l, zstd: zstd}
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	lines, err := r.lines(ctx)
	if err != nil {
		return nil, err
	}
	whole, err := r.whole(ctx)
	if err != nil {
		return nil, err
	}
	memory, err := r.memory(ctx)
	if err != nil {
		return nil, err
	}
	return append(append(lines, whole), memory), nil
}

// reading is a large log, job 1, and a small one, job 2.
type reading struct {
	*lab
	zstd     string
	settings []string
	bucket   string
	object   string // the large log's
}

func (r *reading) prepare(ctx context.Context) error {
	var err error
	r.settings, r.bucket, err = r.archiveLogs(ctx, "reading", githubsim.LogStyle{ANSI: true}, r.scale.readLog, min(smallRead, r.scale.readLog))
	if err != nil {
		return err
	}
	found, err := filepath.Glob(filepath.Join(r.bucket, "v1", "*", "*", "*", "1", "log.zst"))
	if err != nil || len(found) != 1 {
		return fmt.Errorf("the log in %s: %v, %w", r.bucket, found, err)
	}
	r.object = found[0]
	return nil
}

func (r *reading) serve(ctx context.Context) (*server, error) {
	return r.startServer(ctx, append(r.settings, "JOBVAULT_ROLES=lookup")...)
}

func logPath(job int) string {
	return fmt.Sprintf("/api/v3/repos/%s/%s/actions/jobs/%d/logs", benchRepository.Owner, benchRepository.Name, job)
}

// lines measures some from the middle of the large log.
func (r *reading) lines(ctx context.Context) ([]row, error) {
	s, err := r.serve(ctx)
	if err != nil {
		return nil, err
	}
	defer s.abandon()
	lines, err := s.linesOf(ctx, 1)
	if err != nil {
		return nil, err
	}
	first := lines / 2
	last := first + readLines - 1
	path := fmt.Sprintf("%s?lines=%d-%d", logPath(1), first, last)
	got, ours, err := s.fetchTimes(ctx, path)
	if err != nil {
		return nil, err
	}
	want, theirs, err := r.sedTimes(ctx, first, last)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(got, want) {
		return nil, fmt.Errorf("lines %d to %d: %d bytes, sed has %d", first, last, len(got), len(want))
	}
	reads, err := r.countReads(ctx, path)
	if err != nil {
		return nil, err
	}
	if _, err := s.stop(); err != nil {
		return nil, err
	}
	ratio := median(theirs) / median(ours)
	return []row{
		{
			what: fmt.Sprintf("%d lines from the middle of a log of %d MiB, over HTTP", readLines, r.scale.readLog>>20),
			ours: fmt.Sprintf("%.1f ms", 1000*median(ours)), against: fmt.Sprintf("%.0f ms zstd -dc | sed -n", 1000*median(theirs)),
			ratio: fmt.Sprintf("%.0f", ratio), wanted: fmt.Sprintf("≥ %.0f", wantLines), missed: ratio < wantLines,
		},
		{what: "range reads of the bucket for those lines", ours: strconv.FormatInt(reads, 10), against: "–", ratio: "–", wanted: "≤ 1", missed: reads > 1},
	}, nil
}

// sedTimes cuts the same lines out of the object with zstd and sed.
func (r *reading) sedTimes(ctx context.Context, first, last int64) (want []byte, took []float64, err error) {
	for range r.scale.logTurns {
		started := time.Now()
		peer := exec.CommandContext(ctx, "sh", "-c", fmt.Sprintf(`"$0" -dc "$1" | sed -n '%d,%dp;%dq'`, first, last, last), r.zstd, r.object)
		if want, err = peer.Output(); err != nil {
			return nil, nil, fmt.Errorf("zstd -dc | sed: %w", err)
		}
		took = append(took, time.Since(started).Seconds())
	}
	return want, took, nil
}

// countReads answers the same request in this process, over a bucket that counts what is
// read.
func (r *reading) countReads(ctx context.Context, path string) (int64, error) {
	pool, err := store.OpenPool(ctx, r.settings[0][len("JOBVAULT_DATABASE_URL="):], 4)
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	db, err := store.New(pool)
	if err != nil {
		return 0, err
	}
	b, err := bucket.OpenDir(r.bucket)
	if err != nil {
		return 0, err
	}
	counting := &countingBucket{Bucket: b}
	a, err := archive.New(counting, 1<<40)
	if err != nil {
		return 0, err
	}
	logger := slog.New(slog.DiscardHandler)
	h, err := rest.New(ctx, rest.Config{
		DB: db, Gate: access.Loopback(db), Sender: lookup.NewSender(lookup.Logs{DB: db, Archive: a}, logger), Logger: logger,
		Base: func(req *http.Request) string { return "http://" + req.Host },
	})
	if err != nil {
		return 0, err
	}
	s := httptest.NewServer(h)
	defer s.Close()
	_, err = fetch(ctx, s.URL+path)
	return counting.reads.Load(), err
}

type countingBucket struct {
	bucket.Bucket
	reads atomic.Int64
}

func (c *countingBucket) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	c.reads.Add(1)
	return c.Bucket.Get(ctx, key, offset, length)
}

// whole measures all of the large log, to a file on both sides.
func (r *reading) whole(ctx context.Context) (row, error) {
	s, err := r.serve(ctx)
	if err != nil {
		return row{}, err
	}
	defer s.abandon()
	var ours, theirs, ratios []float64
	sink := filepath.Join(r.dir, "read.log")
	for range r.scale.logTurns {
		started := time.Now()
		if out, err := exec.CommandContext(ctx, r.zstd, "-dc", "-q", "-f", r.object, "-o", sink).CombinedOutput(); err != nil {
			return row{}, fmt.Errorf("zstd -dc: %w: %s", err, out)
		}
		their := mbPerSecond(r.scale.readLog, time.Since(started))
		started = time.Now()
		if err := download(ctx, s.url+logPath(1), sink); err != nil {
			return row{}, err
		}
		our := mbPerSecond(r.scale.readLog, time.Since(started))
		ours, theirs, ratios = append(ours, our), append(theirs, their), append(ratios, our/their)
	}
	_, err = s.stop()
	ratio := median(ratios)
	return row{
		what: fmt.Sprintf("a log of %d MiB streamed to a client, which writes it to a file", r.scale.readLog>>20),
		ours: fmt.Sprintf("%.0f MB/s", median(ours)), against: fmt.Sprintf("%.0f MB/s zstd -dc to a file", median(theirs)),
		ratio: fmt.Sprintf("%.2f", ratio), wanted: fmt.Sprintf("≥ %.1f", wantStream), missed: ratio < wantStream,
	}, err
}

// memory compares the peak memory of a server that has sent the large log with that of
// one that has sent the small one.
func (r *reading) memory(ctx context.Context) (row, error) {
	var peaks [2]float64
	for i := range peaks {
		s, err := r.serve(ctx)
		if err != nil {
			return row{}, err
		}
		defer s.abandon()
		if err := download(ctx, s.url+logPath(i+1), os.DevNull); err != nil {
			return row{}, err
		}
		if peaks[i], err = peakOf(s.cmd.Process.Pid); err != nil {
			return row{}, err
		}
		if _, err := s.stop(); err != nil {
			return row{}, err
		}
	}
	more := peaks[0] - peaks[1]
	return row{
		what: fmt.Sprintf("peak memory of the server that streams a log of %d MiB", r.scale.readLog>>20), ours: fmt.Sprintf("%.1f MiB", peaks[0]),
		against: fmt.Sprintf("%.1f MiB with one of %d MiB", peaks[1], min(smallRead, r.scale.readLog)>>20), ratio: fmt.Sprintf("%+.1f MiB", more),
		wanted: fmt.Sprintf("≤ +%.0f MiB", wantReadMore), missed: more > wantReadMore,
	}, nil
}

// plain is a client that asks for no compression.
var plain = &http.Client{Transport: &http.Transport{DisableCompression: true}}

func request(ctx context.Context, address string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := plain.Do(req)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.Join(fmt.Errorf("%s: %s", req.URL.Path, resp.Status), resp.Body.Close())
	}
	return resp, err
}

func fetch(ctx context.Context, address string) ([]byte, error) {
	resp, err := request(ctx, address)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(resp.Body)
	return b, errors.Join(err, resp.Body.Close())
}

func download(ctx context.Context, address, path string) error {
	resp, err := request(ctx, address)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return errors.Join(err, resp.Body.Close())
	}
	_, err = io.Copy(f, resp.Body)
	return errors.Join(err, f.Close(), resp.Body.Close())
}
