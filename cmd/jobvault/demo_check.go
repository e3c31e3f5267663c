package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/store"
)

// awaitSettled shows how many jobs are settled until all are.
func awaitSettled(ctx context.Context, show *progress, db *store.DB, jobs int) error {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	show.begin("archiving", jobs)
	for {
		states, err := db.LogStates(ctx)
		if err != nil {
			return err
		}
		settled := 0
		for state, n := range states {
			if state != store.LogPending && state != store.LogDenied {
				settled += n
			}
		}
		show.set(settled)
		if settled >= jobs {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("only %d of %d jobs are settled: %w", settled, jobs, ctx.Err())
		}
	}
}

// checkDay compares the ledger and every archived object with what the
// simulator served, and returns how many logs it compared.
func checkDay(ctx context.Context, s *service, day githubsim.Day) (int, error) {
	checked := 0
	for _, j := range day.Jobs {
		entry, err := s.db.JobLog(ctx, j.ID)
		if err != nil {
			return checked, err
		}
		if entry.State != day.Expected[j.ID] {
			return checked, fmt.Errorf("job %d is %s, but GitHub's answers mean %s", j.ID, entry.State, day.Expected[j.ID])
		}
		if entry.State != store.LogArchived {
			continue
		}
		if err := checkLog(ctx, s, entry, j.Log); err != nil {
			return checked, err
		}
		checked++
	}
	return checked, nil
}

func checkLog(ctx context.Context, s *service, entry store.JobLog, served githubsim.Log) (err error) {
	want := served.SHA256()
	body, err := s.archive.OpenLog(ctx, *entry.ObjectKey)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	sum := sha256.New()
	if _, err := io.Copy(sum, body); err != nil {
		return err
	}
	if got := sum.Sum(nil); !bytes.Equal(got, want[:]) || !bytes.Equal(entry.SHA256, want[:]) {
		return fmt.Errorf("job %d: served %x, in the ledger %x, in the bucket %x", entry.JobID, want, entry.SHA256, got)
	}
	return nil
}
