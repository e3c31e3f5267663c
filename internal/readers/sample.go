package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"

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
	frames string // how many, as the table has it
}

// sampleLog is a log to be written.
type sampleLog struct {
	size int64
	same bool // all lines are the same: frames are so small that a reader has several at once
}

func (l sampleLog) text() githubsim.Log {
	if !l.same {
		return githubsim.GeneratedLog(1, l.size, githubsim.LogStyle{})
	}
	line := "2026-04-01T09:00:00.0000000Z the same again\n"
	return githubsim.TextLog([]byte("\ufeff" + strings.Repeat(line, int(l.size)/len(line))))
}

// writeSamples archives logs in a bucket below dir.
func writeSamples(ctx context.Context, dir string, logs []sampleLog) ([]*sample, error) {
	b, err := bucket.OpenDir(filepath.Join(dir, "bucket"))
	if err != nil {
		return nil, err
	}
	a, err := archive.New(b, 1<<30)
	if err != nil {
		return nil, err
	}
	var samples []*sample
	for i, l := range logs {
		text := l.text()
		log, err := a.PutLog(ctx, archive.JobKey{RepositoryID: 1, RunID: 1, RunAttempt: 1, JobID: int64(i) + 1}, text.Reader())
		if err != nil {
			return nil, err
		}
		s := &sample{path: filepath.Join(dir, "bucket", filepath.FromSlash(log.Key)), raw: text.Bytes(), frames: strconv.Itoa(len(log.FrameOffsets))}
		if l.same {
			s.frames += " small"
		}
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
