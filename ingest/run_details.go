package ingest

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

// detailsAtOnce is how many descriptions of runs are put into the bucket at the same time.
const detailsAtOnce = 8

// keepDetails puts the runs whose attempt has completed into the bucket as they were
// listed, each attempt once; their rows note it last. What fails for one run does not keep
// the others from being kept.
func (w *sweep) keepDetails(ctx context.Context, runs []ghapi.Run) error {
	completed := make(map[archive.RunKey]ghapi.Run)
	var ids, attempts []int64
	for _, r := range runs {
		if isRun(r) && r.Status == store.StatusCompleted {
			completed[archive.RunKey{RepositoryID: w.repo.ID, RunID: r.ID, RunAttempt: r.Attempt}] = r
			ids, attempts = append(ids, r.ID), append(attempts, r.Attempt)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	missing, err := w.DB.WithoutRunDetails(ctx, w.repo.ID, ids, attempts)
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(detailsAtOnce)
	for _, d := range missing {
		g.Go(func() error {
			key := record.KeyOfRunDetails(d)
			err := PutRunDetails(gctx, w.DB, w.Archive, key, completed[key].Raw)
			if gctx.Err() != nil {
				return gctx.Err()
			}
			if err != nil {
				w.fail(fmt.Errorf("run %d: %w", d.RunID, err))
			}
			return nil
		})
	}
	return g.Wait()
}

// PutRunDetails puts an attempt of a run into the bucket as GitHub described it, and then
// notes it in its row. If the bucket has a description already, that one stays.
func PutRunDetails(ctx context.Context, db *store.DB, a *archive.Archive, key archive.RunKey, raw []byte) error {
	kept, err := a.PutRun(ctx, key, raw)
	if err != nil {
		return err
	}
	return db.RecordRunDetails(ctx, record.RunDetailsOf(kept, key))
}
