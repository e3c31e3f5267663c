package ingest

import (
	"context"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"github.com/jobvault/jobvault/store"
)

// rollUpEvery bounds how much is pending while jobs are archived: what is archived in
// this time. Reading who used an action costs some microseconds for each pending job.
const rollUpEvery = 15 * time.Second

// rollUpArgs name the periodic work that brings the sums of actions up to date.
type rollUpArgs struct{}

func (rollUpArgs) Kind() string { return "rollup" }

// rollUp rolls up until nothing is pending, or stopping is closed, which leaves the rest
// to others. It has no time-out: after a large reindex there is much to do, and each
// transaction has one of its own. What fails is told, and left to the next round.
func rollUp(db *store.DB, logger *slog.Logger, m *Metrics, stopping <-chan struct{}) Periodic {
	return NewPeriodic(rollUpArgs{}, "", rollUpEvery, 0, func(ctx context.Context) error {
		for {
			more, err := db.RollUpActions(ctx)
			switch {
			case ctx.Err() != nil:
				return river.JobSnooze(0)
			case err != nil:
				m.rollUpFailed.Inc()
				logger.ErrorContext(ctx, "the sums of actions could not be brought up to date: what uses tell stays right, and takes longer the more there is", KeyError, err)
				return river.JobCancel(err) // the next round comes by itself
			case !more:
				return nil
			}
			select {
			case <-stopping:
				return river.JobSnooze(0)
			default:
			}
		}
	})
}
