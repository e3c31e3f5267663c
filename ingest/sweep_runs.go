package ingest

import (
	"context"
	"errors"
	"fmt"

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
			err := w.sweepRun(gctx, r)
			if err == nil || gctx.Err() != nil || ghapi.IsRateLimited(err) || errors.Is(err, errOtherRepository) {
				return err
			}
			w.fail(fmt.Errorf("run %d: %w", r.ID, err))
			return nil
		})
	}
	return g.Wait()
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
	if len(w.failed) < maxFailures {
		w.failed = append(w.failed, err)
	}
}

func (w *sweep) hasFailed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.failed) > 0
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
// last listed, if this sweep has not listed them.
func (w *sweep) recheckUnfinished(ctx context.Context) error {
	attempts, err := w.DB.OpenAttempts(ctx, w.repo.ID, w.Now(), openBatch)
	if err != nil {
		return err
	}
	looked := make(map[int64]bool)
	for _, a := range attempts {
		if looked[a.RunID] {
			continue
		}
		looked[a.RunID] = true
		r, err := w.client.Run(ctx, w.repo.Owner, w.repo.Name, a.RunID)
		if ghapi.IsNotFound(err) {
			if err := w.checkRepository(ctx); err != nil {
				return err
			}
			// Deleted, if it still is in an hour. Its jobs are asked for one by one.
			a.Gone, a.SweptAt = true, w.Now()
			if err := w.DB.RecordAttempt(ctx, a, nil, w.priority); err != nil {
				return err
			}
			continue
		}
		if err == nil {
			if r.CreatedAt.IsZero() {
				r.CreatedAt = a.RunCreatedAt
			}
			err = errors.Join(w.recordRuns(ctx, r), w.sweepRun(ctx, r))
		}
		if err != nil && (ctx.Err() != nil || ghapi.IsRateLimited(err) || errors.Is(err, errOtherRepository)) {
			return err
		}
		if err != nil {
			w.fail(fmt.Errorf("run %d: %w", a.RunID, err))
		}
	}
	return nil
}
