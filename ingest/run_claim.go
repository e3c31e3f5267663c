package ingest

import (
	"cmp"
	"context"
	"time"

	"github.com/jobvault/jobvault/internal/ghapi"
)

// claimPatience is how long a sweep waits for another that lists the same run: that takes
// seconds, unless it is a backfill that GitHub keeps waiting.
const claimPatience = 30 * time.Second

// claimPause is the time between two tries to claim a run.
const claimPause = 50 * time.Millisecond

// claimRun returns which attempts of a run need not be listed, once no other sweep is
// listing it: what that one has come to is known then, and not asked for again. Without an
// error, the caller calls release when it has listed the others.
func (w *sweep) claimRun(ctx context.Context, r ghapi.Run) (complete map[int64]bool, release func(), err error) {
	release = func() {}
	giveUp := time.Now().Add(cmp.Or(w.Patience, claimPatience))
	for {
		// Of most runs there is nothing to list, nor to claim.
		if complete, err = w.completeAttempts(ctx, r); err != nil || len(complete) >= int(r.Attempt) {
			return complete, release, err
		}
		claimed, err := w.claims.Try(ctx, r.ID)
		if err != nil { // it costs requests, and harms nothing
			w.Logger.DebugContext(ctx, "a run is listed without a claim", "run", r.ID, KeyError, err)
			return complete, release, ctx.Err()
		}
		if claimed {
			break
		}
		if time.Now().After(giveUp) {
			return complete, release, nil
		}
		select {
		case <-time.After(claimPause):
		case <-ctx.Done():
			return nil, release, ctx.Err()
		}
	}
	release = func() { _ = w.claims.Release(ctx, r.ID) } // after an error it is lost as well
	// Another may have ended between the look and the claim.
	if complete, err = w.completeAttempts(ctx, r); err != nil {
		release()
		return nil, func() {}, err
	}
	return complete, release, nil
}

// completeAttempts are a run's attempts that need not be listed again.
func (w *sweep) completeAttempts(ctx context.Context, r ghapi.Run) (map[int64]bool, error) {
	complete, err := w.DB.CompleteAttempts(ctx, []int64{r.ID})
	return complete[r.ID], err
}
