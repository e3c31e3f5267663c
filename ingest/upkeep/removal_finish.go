package upkeep

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/jobvault/jobvault/store"
)

// finishBatch is how many unfinished removals are listed at once.
const finishBatch = 200

// FinishAll finishes what removals were stopped in the middle, and says how many it
// finished. It calls report for each that stays unfinished, one call at a time, and goes
// on. It fails only if Postgres or the bucket is away, or the log of removals cannot be
// written: before that nothing goes.
func (m *Remover) FinishAll(ctx context.Context, report func(Unfinished)) (finished int, err error) {
	return m.finishThose(ctx, m.DB.UnfinishedRemovals, 0, report)
}

// FinishDue is FinishAll for those that it is time to try again, and that no hold
// keeps, up to limit of them.
func (m *Remover) FinishDue(ctx context.Context, limit int, report func(Unfinished)) (finished int, err error) {
	return m.finishThose(ctx, m.DB.DueRemovals, limit, report)
}

func (m *Remover) finishThose(ctx context.Context, list func(context.Context, int64, int) ([]store.UnfinishedRemoval, error), limit int, report func(Unfinished)) (finished int, err error) {
	one := once(report)
	if err := m.log().Append(ctx, one); err != nil {
		return 0, err
	}
	for after, tried := int64(0), 0; limit == 0 || tried < limit; {
		removals, err := list(ctx, after, finishBatch)
		if err != nil || len(removals) == 0 {
			return finished, err
		}
		ids := make([]int64, len(removals))
		for i, r := range removals {
			ids[i] = r.JobID
		}
		after, tried = ids[len(ids)-1], tried+len(ids)
		n, err := m.finishEach(ctx, ids, one)
		finished += n
		if err != nil {
			return finished, err
		}
	}
	return finished, nil
}

// once calls report one call at a time, and once for each job.
func once(report func(Unfinished)) func(Unfinished) {
	var mu sync.Mutex
	told := make(map[int64]bool)
	return func(u Unfinished) {
		mu.Lock()
		defer mu.Unlock()
		if !told[u.JobID] {
			told[u.JobID] = true
			report(u)
		}
	}
}

// finishEach finishes removals, several at a time.
func (m *Remover) finishEach(ctx context.Context, jobIDs []int64, report func(Unfinished)) (finished int, err error) {
	var mu sync.Mutex
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(retentionParallel)
	for _, id := range jobIDs {
		g.Go(func() error {
			done, left, err := m.finish(gctx, id)
			switch {
			case err != nil:
				return err
			case left != nil:
				report(*left)
			case done:
				mu.Lock()
				defer mu.Unlock()
				finished++
			}
			return nil
		})
	}
	return finished, g.Wait()
}
