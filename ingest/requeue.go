package ingest

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jobvault/jobvault/store"
)

// Timing of the requeueing.
const (
	requeueEvery = time.Minute
	requeueTime  = 10 * time.Minute // of one round
)

// requeueArgs name the periodic work that brings back what the queue lost.
type requeueArgs struct{}

func (requeueArgs) Kind() string { return "requeue" }

// requeue enqueues completed jobs that the ledger holds as pending or denied and that have
// no row in the queue, and rechecks likewise: nothing is forgotten because a queue gave up.
// Lists of attempts that nobody asks for any more are forgotten.
func requeue(db *store.DB, logger *slog.Logger, now func() time.Time) Periodic {
	return NewPeriodic(requeueArgs{}, "", requeueEvery, requeueTime, func(ctx context.Context) error {
		n, err := db.RequeuePending(ctx)
		rechecks, rerr := db.RequeueRechecks(ctx)
		if n += rechecks; n > 0 {
			logger.WarnContext(ctx, "jobs brought back to the queue", KeyCount, n)
		}
		return errors.Join(err, rerr, db.ForgetAttemptLists(ctx, now().Add(-maxJobLife)))
	})
}
