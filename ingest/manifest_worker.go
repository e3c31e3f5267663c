package ingest

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"github.com/jobvault/jobvault/archive"
)

// manifestQueue is a queue of its own: the first manifest of a large archive takes
// long.
const manifestQueue = "manifest"

// manifestEvery is how often it is asked what is due.
const manifestEvery = 10 * time.Minute

// manifestArgs is the periodic job, run by one replica, that writes manifests.
type manifestArgs struct{}

func (manifestArgs) Kind() string { return "manifest" }

// InsertOpts lets there be one at a time.
func (manifestArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: manifestQueue, MaxAttempts: 1, UniqueOpts: oneAtATime}
}

// manifestWorker is River's worker for it.
type manifestWorker struct {
	river.WorkerDefaults[manifestArgs]
	manifests *Manifests
	running   *running
}

// Timeout is none, as of an Archiver.
func (w *manifestWorker) Timeout(*river.Job[manifestArgs]) time.Duration { return -1 }

// Work writes what is due. What fails is told, and left to the next round.
func (w *manifestWorker) Work(ctx context.Context, job *river.Job[manifestArgs]) error {
	defer w.running.add(job.ID)()
	err := w.manifests.WriteDue(ctx, func(archive.Manifest) {})
	switch {
	case err == nil || errors.Is(err, ErrManifestsBusy):
		return nil
	case ctx.Err() != nil:
		return river.JobSnooze(0)
	}
	w.manifests.Metrics.manifestsFailed.Inc()
	w.manifests.Logger.ErrorContext(ctx, "no manifest could be written", KeyError, err)
	return river.JobCancel(err) // the next round comes by itself
}
