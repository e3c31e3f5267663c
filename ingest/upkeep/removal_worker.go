package upkeep

import (
	"context"
	"log/slog"
	"time"

	"github.com/jobvault/jobvault/ingest"
	"github.com/riverqueue/river"
)

// Timing of the rounds that finish removals.
const (
	removalEvery    = time.Minute
	removalRound    = 10 * time.Minute // of one round; the rest is for the next
	removalMaxRound = 10000            // removals in a round
)

// removalArgs name the periodic work that finishes removals.
type removalArgs struct{}

func (removalArgs) Kind() string { return "removal" }

// Periodic finishes the removals that are due, every minute. It decides of no log that
// it goes. Its queue is its own: what a bucket does not let go may take long.
func (m *Remover) Periodic(logger *slog.Logger) ingest.Periodic {
	return ingest.NewPeriodic(removalArgs{}, "removal", removalEvery, 0, func(ctx context.Context) error { return m.round(ctx, logger) })
}

// round tells the log of removals what it does not know, and finishes what is due. What
// stays unfinished is told, and waits longer each time.
func (m *Remover) round(ctx context.Context, logger *slog.Logger) error {
	round, cancel := context.WithTimeout(ctx, removalRound)
	defer cancel()
	finished, err := m.FinishDue(round, removalMaxRound, func(u Unfinished) {
		logger.WarnContext(ctx, "a removal is not finished", ingest.KeyJob, u.JobID, ingest.KeyError, u.Error)
	})
	if finished > 0 {
		logger.InfoContext(ctx, "removals finished", ingest.KeyCount, finished)
	}
	switch {
	case err == nil || round.Err() != nil && ctx.Err() == nil:
		return nil
	case ctx.Err() != nil:
		return river.JobSnooze(0)
	}
	logger.ErrorContext(ctx, "removals could not be finished", ingest.KeyError, err)
	return river.JobCancel(err) // the next round comes by itself
}
