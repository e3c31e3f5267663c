package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// sample is a log as jobvault has put it into a bucket.
type sample struct {
	path   string // of log.zst
	raw    []byte // what it is of
	first  int    // bytes of raw in the first frame
	frames int
}

// writeSamples archives logs of some sizes in a bucket below dir.
func writeSamples(ctx context.Context, dir string, sizes []int64) ([]*sample, error) {
	b, err := bucket.OpenDir(filepath.Join(dir, "bucket"))
	if err != nil {
		return nil, err
	}
	a, err := archive.New(b, slices.Max(sizes))
	if err != nil {
		return nil, err
	}
	var samples []*sample
	for i, size := range sizes {
		text := githubsim.GeneratedLog(1, size, githubsim.LogStyle{})
		log, err := a.PutLog(ctx, archive.JobKey{RepositoryID: 1, RunID: 1, RunAttempt: 1, JobID: int64(i) + 1}, text.Reader())
		if err != nil {
			return nil, err
		}
		s := &sample{path: filepath.Join(dir, "bucket", filepath.FromSlash(log.Key)), raw: text.Bytes(), frames: len(log.FrameOffsets)}
		if s.first, err = s.firstFrame(log.FrameOffsets); err != nil {
			return nil, err
		}
		samples = append(samples, s)
	}
	return samples, nil
}

// firstFrame decodes the first frame alone, and returns how many bytes it has.
func (s *sample) firstFrame(offsets []int64) (n int, err error) {
	if len(offsets) < 2 {
		return len(s.raw), nil
	}
	stored, err := os.ReadFile(s.path)
	if err != nil {
		return 0, err
	}
	decoder, err := zstd.NewReader(nil)
	if err != nil {
		return 0, err
	}
	defer decoder.Close()
	frame, err := decoder.DecodeAll(stored[:offsets[1]], nil)
	if err == nil && len(frame) > len(s.raw) {
		err = errors.New("the first frame is longer than the log")
	}
	return len(frame), err
}
