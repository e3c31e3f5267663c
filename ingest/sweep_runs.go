package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

// What a sweep does with single runs: those that it has listed, and those that were still
// going when they were last listed.

// runsAtOnce is how many runs of a repository are looked at at the same time.
const runsAtOnce = 4

// visit looks at the runs of one page. What fails for one run does not keep the
// others from being looked at, unless GitHub wants a pause.
func (w *sweep) visit(ctx context.Context, runs []ghapi.Run) error {
	for _, r := range runs {
		if r.CreatedAt.IsZero() && !w.listed[r.ID] {
			w.untold = append(w.untold, r.ID)
		}
		w.listed[r.ID] = true
	}
	if err := w.recordRuns(ctx, runs...); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(runsAtOnce)
	for _, r := range runs {
		g.Go(func() error {
			if gctx.Err() != nil {
				return gctx.Err()
			}
			return w.settleRun(gctx, r.ID, w.sweepRun(gctx, r))
		})
	}
	return g.Wait()
}

// settleRun says what an error about one run is for the sweep: its end, or something that it
// remembers and goes on.
func (w *sweep) settleRun(ctx context.Context, run int64, err error) error {
	if err == nil {
		return nil
	}
	err = &runError{run, err}
	if stops(ctx, err) {
		return err
	}
	w.fail(err)
	return nil
}

// recordRuns writes what a listing says of runs beside their jobs: who and what started
// them. Those that cannot be runs are left to sweepRun, which refuses them.
func (w *sweep) recordRuns(ctx context.Context, runs ...ghapi.Run) error {
	var listed []store.ListedRun
	for _, r := range runs {
		if isRun(r) {
			listed = append(listed, record.RunOf(r.Raw, r.ID, r.Attempt, w.repo.ID))
		}
	}
	if err := w.DB.RecordRuns(ctx, listed); err != nil {
		return err
	}
	return w.keepDetails(ctx, runs)
}

// isRun says whether a listing's entry can be a run.
func isRun(r ghapi.Run) bool { return r.ID > 0 && r.Attempt > 0 && r.Attempt <= maxRunAttempts }

// maxFailures bounds the errors of single runs that one sweep returns.
const maxFailures = 10

func (w *sweep) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	// A backfill is repeated until it has listed all.
	w.held = w.held || w.priority == store.PriorityBackfill || !isNoted(err)
	if len(w.failed) < maxFailures {
		w.failed = append(w.failed, err)
	}
}

func (w *sweep) hasFailed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.failed) > 0
}

// isHeld says whether something failed that nobody would ask for again if the time of its run
// counted as swept.
func (w *sweep) isHeld() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.held
}

// failure is what failed so far, of single runs.
func (w *sweep) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(w.failed...)
}

// openBatch bounds the unfinished attempts that one sweep checks again.
const openBatch = 200

// recheckUnfinished lists the runs again whose attempts were still going when they were
// last listed, or were asked for in vain, if this sweep has not listed them.
func (w *sweep) recheckUnfinished(ctx context.Context) error {
	attempts, err := w.DB.OpenAttempts(ctx, w.repo.ID, w.Now(), w.Eager, openBatch)
	if err != nil {
		return err
	}
	if err := w.recheckUnlisted(ctx, attempts); err != nil || w.hasFailed() {
		return err
	}
	// Nothing has succeeded while something is only waited for.
	left, err := w.DB.CountUnlisted(ctx, w.repo.ID)
	if err == nil && left > 0 {
		w.fail(&notedError{fmt.Errorf("the jobs of %d attempts could not be listed yet", left)})
	}
	return err
}

// recheckUnlisted lists the runs of these attempts again that this sweep has not listed.
func (w *sweep) recheckUnlisted(ctx context.Context, attempts []store.RunAttempt) error {
	return w.recheckRuns(ctx, slices.DeleteFunc(attempts, func(a store.RunAttempt) bool { return w.listed[a.RunID] }))
}

// recheckRuns lists the runs again that these attempts are of, each once.
func (w *sweep) recheckRuns(ctx context.Context, attempts []store.RunAttempt) error {
	looked := make(map[int64]bool)
	for _, a := range attempts {
		if looked[a.RunID] {
			continue
		}
		looked[a.RunID] = true
		if err := w.settleRun(ctx, a.RunID, w.recheckRun(ctx, a, attempts)); err != nil {
			return err
		}
	}
	return nil
}

// recheckRun lists the run again that an attempt is of; attempts are all that are listed
// again.
func (w *sweep) recheckRun(ctx context.Context, a store.RunAttempt, attempts []store.RunAttempt) error {
	r, err := w.client.Run(ctx, w.repo.Owner, w.repo.Name, a.RunID)
	gone := ghapi.IsNotFound(err)
	if gone {
		err = w.checkRepository(ctx)
	}
	switch {
	case err != nil:
		return w.unknownRun(ctx, a.RunID, attempts, err)
	case gone:
		// Deleted, if it still is in an hour. Its jobs are asked for one by one.
		a.Gone, a.SweptAt = true, w.Now()
		return w.DB.RecordAttempt(ctx, a, nil, w.priority)
	case r.CreatedAt.IsZero():
		r.CreatedAt = a.RunCreatedAt
	}
	return errors.Join(w.recordRuns(ctx, r), w.sweepRun(ctx, r))
}

// unknownRun handles an error of asking for a run: none of its attempts that were to be
// listed again can be.
func (w *sweep) unknownRun(ctx context.Context, run int64, attempts []store.RunAttempt, err error) error {
	tried, terr := w.DB.UnlistedAttempts(ctx, run)
	if terr != nil {
		return errors.Join(err, terr)
	}
	var left []error
	for _, a := range attempts {
		if a.RunID == run {
			left = append(left, w.unlisted(ctx, ghapi.Run{ID: run, Attempt: a.RunAttempt}, a, tried[a.RunAttempt], err))
		}
	}
	return errors.Join(left...)
}

// RetryUnlisted asks once more for the jobs of a repository's attempts whose lists were given
// up, of runs created at or after one time and before another (zero: all), and returns how
// many it asked for. What still cannot be listed stays given up, and is no error. The Sweeper
// must be Eager.
func (s *Sweeper) RetryUnlisted(ctx context.Context, repo store.Repository, since, until time.Time) (asked int, err error) {
	ctx = ghapi.WithPriority(ctx, ghapi.Backfill)
	givenUp, err := s.DB.GivenUpAttempts(ctx, repo.ID, since, until)
	if err != nil || len(givenUp) == 0 {
		return 0, err
	}
	attempts := make([]store.RunAttempt, len(givenUp))
	for i, a := range givenUp {
		attempts[i] = a.RunAttempt
	}
	_, err = s.sweepRepository(ctx, repo, store.PriorityBackfill, asIs, func(ctx context.Context, w *sweep, _ *listing) error {
		return w.recheckRuns(ctx, attempts)
	})
	return len(attempts), err
}
