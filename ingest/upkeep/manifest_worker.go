package upkeep

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/ingest"
)

// manifestArgs name the periodic work that writes manifests.
type manifestArgs struct{}

func (manifestArgs) Kind() string { return "manifest" }

// Periodic writes what is due, every ten minutes. Its queue is its own: the first
// manifest of a large archive takes long.
func (m *Manifests) Periodic() ingest.Periodic {
	return ingest.NewPeriodic(manifestArgs{}, "manifest", 10*time.Minute, 0, m.round)
}

// round writes what is due. What fails is told, and left to the next round.
func (m *Manifests) round(ctx context.Context) error {
	err := m.WriteDue(ctx, func(archive.Manifest) {})
	switch {
	case err == nil || errors.Is(err, ErrManifestsBusy):
		return nil
	case ctx.Err() != nil:
		return river.JobSnooze(0)
	}
	m.Metrics.countFailed()
	m.Logger.ErrorContext(ctx, "no manifest could be written", ingest.KeyError, err)
	return river.JobCancel(err) // the next round comes by itself
}
