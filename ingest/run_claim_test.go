package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/store"
)

// countLists counts, by path, how often the jobs of an attempt are asked for.
func countLists(gh *githubsim.Server) (counted func() map[string]int) {
	var mu sync.Mutex
	lists := make(map[string]int)
	gh.OnRequest(func(e githubsim.Endpoint, r *http.Request) {
		if e == attempts {
			mu.Lock()
			defer mu.Unlock()
			lists[r.URL.Path]++
		}
	})
	return func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(lists)
	}
}

// Several sweeps over the same time, as a serving jobvault's and two backfills, list each
// attempt once, and each of them ends with all of it known.
func TestSweepsTogetherListEachAttemptOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	repo := r.knowRepository()
	const runs = 150
	begin := time.Now().Add(-time.Hour)
	skippedRuns(r.GitHub, begin, runs)
	lists := countLists(r.GitHub)
	errs := make(chan error)
	for _, sweep := range []func(context.Context) error{
		func(ctx context.Context) error { _, err := r.Sweeper().Recent(ctx, repo, time.Time{}); return err },
		func(ctx context.Context) error {
			_, err := r.Sweeper().Backfill(ctx, repo, begin.Add(-time.Minute), time.Now())
			return err
		},
		func(ctx context.Context) error {
			_, err := r.Sweeper().Backfill(ctx, repo, begin.Add(-time.Hour), time.Now())
			return err
		},
	} {
		go func() {
			err := sweep(t.Context())
			if known := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM run_attempts WHERE complete`); err == nil && known != runs {
				err = fmt.Errorf("a sweep has ended when %d of %d attempts were known", known, runs)
			}
			errs <- err
		}()
	}
	for range 3 {
		r.Check(<-errs)
	}
	asked := lists()
	if len(asked) != runs {
		t.Errorf("%d attempts listed, want %d", len(asked), runs)
	}
	for path, n := range asked {
		if n != 1 {
			t.Errorf("%s was listed %d times", path, n)
		}
	}
}

// held claims a run as a sweep of another process does.
func (r *rig) held(run int64) *store.RunClaims {
	r.T.Helper()
	c := r.DB.NewRunClaims()
	r.T.Cleanup(func() { r.Check(c.Close()) })
	claimed, err := c.Try(r.T.Context(), run)
	r.Check(err)
	if !claimed {
		r.T.Fatalf("run %d is claimed", run)
	}
	return c
}

// What another sweep has claimed and does not come to an end with, as its process died or
// GitHub keeps it waiting, is listed all the same.
func TestAClaimOfOthersKeepsNobodyForLong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		patience time.Duration
		then     func(*store.RunClaims) error
	}{
		{"its process dies", time.Hour, func(c *store.RunClaims) error { return c.Close() }},
		{"it waits", 100 * time.Millisecond, func(*store.RunClaims) error { return nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, ingesttest.Options{})
			repo := r.knowRepository()
			skippedRuns(r.GitHub, time.Now().Add(-time.Hour), 3)
			lists := countLists(r.GitHub)
			other := r.held(50_001)
			swept := make(chan error)
			go func() {
				s := r.Sweeper()
				s.Patience = c.patience
				_, err := s.Recent(t.Context(), repo, time.Time{})
				swept <- err
			}()
			r.Await(time.Minute, `SELECT count(*) >= 2 FROM run_attempts`) // of the other runs
			r.Check(errors.Join(c.then(other), <-swept))
			if asked := lists(); len(asked) != 3 || r.jobs() != 3 {
				t.Errorf("%d jobs of %v", r.jobs(), asked)
			}
		})
	}
}

// A sweep that is stopped while it waits for another's claim ends at once.
func TestAWaitForAClaimEndsWithItsContext(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	repo := r.knowRepository()
	skippedRuns(r.GitHub, time.Now().Add(-time.Hour), 2)
	r.held(50_000)
	ctx, cancel := context.WithCancel(t.Context())
	swept := make(chan error)
	go func() {
		s := r.Sweeper()
		s.Patience = time.Hour
		_, err := s.Recent(ctx, repo, time.Time{})
		swept <- err
	}()
	r.Await(time.Minute, `SELECT count(*) = 1 FROM run_attempts`) // of the other run
	cancel()
	if err := <-swept; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	if ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM sweeps WHERE succeeded_at IS NOT NULL`) != 0 {
		t.Error("the sweep counts as done")
	}
}
