package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/google/go-github/v60/github"
	"github.com/riverqueue/river"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/ingest/ghapi"
	"github.com/jobvault/jobvault/store"
)

// Archiver fetches completed jobs and their logs. It is River's worker for
// store.ArchiveArgs. Working on a job twice, also at the same time, is harmless.
type Archiver struct {
	river.WorkerDefaults[store.ArchiveArgs]
	DB       *store.DB
	Archive  *archive.Archive
	GitHub   *ghapi.Clients
	Deadline time.Duration // how long after completed_at a 404 log is asked for again
	Logger   *slog.Logger
	Metrics  *Metrics
	Now      func() time.Time

	running sync.Map // River's id of each job that is worked on
}

// Timeout is none: what is bounded is how long nothing moves, in ghapi and
// archive, as a log may take as long as it takes.
func (a *Archiver) Timeout(*river.Job[store.ArchiveArgs]) time.Duration { return -1 }

// NextRetry is when to try again after a failure.
func (a *Archiver) NextRetry(job *river.Job[store.ArchiveArgs]) time.Time {
	pause := backoff(job.Attempt)
	return a.Now().Add(pause + jitter(pause/2))
}

// Work archives one job. What it returns is for River: nil when the ledger is
// settled, a snooze (which costs no attempt) or a failure.
func (a *Archiver) Work(ctx context.Context, job *river.Job[store.ArchiveArgs]) error {
	a.running.Store(job.ID, nil)
	defer a.running.Delete(job.ID)
	t := &task{Archiver: a, id: job.Args.JobID, logger: a.Logger.With(KeyJob, job.Args.JobID)}
	err := t.run(ctx)
	if err != nil && ctx.Err() != nil {
		// Shutting down: given back as it was.
		return river.JobSnooze(0)
	}
	return err
}

// runningIDs lists River's ids of the jobs that are worked on right now.
func (a *Archiver) runningIDs() []int64 {
	ids := []int64{}
	a.running.Range(func(id, _ any) bool {
		ids = append(ids, id.(int64))
		return true
	})
	return ids
}

// task is the work on one job.
type task struct {
	*Archiver
	id     int64
	logger *slog.Logger
	known  store.JobToArchive
	client *ghapi.Client
	key    archive.JobKey
	facts  store.Facts // as the REST API tells them
}

func (t *task) run(ctx context.Context) error {
	var err error
	if t.known, err = t.DB.JobToArchive(ctx, t.id); err != nil {
		return err
	}
	if s := t.known.Log.State; s != store.LogPending && s != store.LogDenied {
		return nil
	}
	t.logger = t.logger.With(KeyRepository, t.known.Repository.FullName())
	t.setKey(t.known.Job)
	repo := t.known.Repository
	if t.client, err = t.GitHub.For(ctx, repo.InstallationID, repo.Owner, repo.Name); err != nil {
		return t.refused(ctx, askedJob, err)
	}
	done, err := t.fetchDetails(ctx)
	if err != nil || !done {
		return err
	}
	return t.archiveLog(ctx)
}

// setKey names the job in the bucket.
func (t *task) setKey(j store.Job) {
	t.key = archive.JobKey{RepositoryID: j.RepositoryID, RunID: j.RunID, RunAttempt: 1, JobID: j.ID}
	if j.RunAttempt != nil {
		t.key.RunAttempt = *j.RunAttempt
	}
}

// fetchDetails fetches the job, keeps it, and writes its rows, unless an earlier
// try did. It returns false with the outcome if there is nothing more to do now.
func (t *task) fetchDetails(ctx context.Context) (bool, error) {
	repo := t.known.Repository
	if t.known.Job.FetchedAt != nil {
		steps, err := t.DB.Steps(ctx, t.id)
		t.facts = store.Facts{Repository: repo, Job: t.known.Job, Steps: steps}
		return err == nil, err
	}
	job, err := t.client.Job(ctx, repo.Owner, repo.Name, t.id)
	if err != nil {
		return false, t.refused(ctx, askedJob, err)
	}
	if t.facts, err = factsOfJob(job.WorkflowJob, repo); err != nil {
		return false, t.refused(ctx, askedJob, fmt.Errorf("job %d from the REST API: %w", t.id, err))
	}
	if t.facts.Job.Status != store.StatusCompleted {
		return false, t.notCompleted(ctx)
	}
	if t.facts.Job.RunAttempt == nil {
		t.facts.Job.RunAttempt = t.known.Job.RunAttempt
	}
	t.setKey(t.facts.Job)
	if err := t.keepDetails(ctx, job.Raw); err != nil {
		return false, t.refused(ctx, askedJob, err)
	}
	return true, t.DB.RecordFetched(ctx, t.facts, t.Now())
}

// keepDetails puts the job into the bucket. If a killed worker did so already,
// what it kept is the truth from now on, so that the rows can always be made
// again from the bucket.
func (t *task) keepDetails(ctx context.Context, raw []byte) error {
	kept, err := t.Archive.PutDetails(ctx, t.key, raw)
	if err != nil || string(kept) == string(raw) {
		return err
	}
	var job github.WorkflowJob
	if err := json.Unmarshal(kept, &job); err != nil {
		return fmt.Errorf("job.json of job %d in the bucket: %w", t.id, err)
	}
	facts, err := factsOfJob(&job, t.known.Repository)
	if err != nil {
		return fmt.Errorf("job.json of job %d in the bucket: %w", t.id, err)
	}
	t.facts = facts
	return nil
}

// notCompleted waits for an API that is behind its own webhooks. What it says
// so far is written.
func (t *task) notCompleted(ctx context.Context) error {
	if err := t.DB.RecordFetched(ctx, t.facts, t.Now()); err != nil {
		return err
	}
	reason := fmt.Sprintf("the REST API says %s still", t.facts.Job.Status)
	if err := t.DB.NoteAttempt(ctx, t.id, false, http.StatusOK, reason); err != nil {
		return err
	}
	// The older the job, the longer the pause.
	pause := longPause
	if at := t.known.Job.CompletedAt; at != nil {
		pause = min(max(t.Now().Sub(*at)/4, firstPause), longPause)
	}
	return river.JobSnooze(pause)
}

// archiveLog decides whether there can be a log, fetches it, and settles.
func (t *task) archiveLog(ctx context.Context) error {
	if c := t.facts.Job.Conclusion; c != nil && *c == "skipped" {
		return t.settle(ctx, store.Settlement{State: store.LogNone, Reason: "skipped: it never ran"})
	}
	log, err := t.putLog(ctx)
	if err != nil {
		return t.refused(ctx, askedLog, err)
	}
	return t.settle(ctx, store.Settlement{
		State: store.LogArchived, HTTPStatus: 200, Asked: true, Steps: stepLines(log.Index, t.facts.Steps),
		Reason: truncatedReason(log),
		Object: &store.Object{
			Key: log.Key, RawBytes: log.RawBytes, StoredBytes: log.StoredBytes, Lines: log.Lines, SHA256: log.SHA256,
			FrameLines: log.FrameLines, FrameOffsets: log.FrameOffsets, Truncated: log.Truncated, ArchivedAt: t.Now(),
		},
	})
}

func truncatedReason(log archive.Log) string {
	if !log.Truncated {
		return ""
	}
	return fmt.Sprintf("cut at %d bytes, the limit that is set", log.RawBytes)
}

// putLog streams the log from GitHub into the bucket. A log that a killed
// worker left there complete is taken as it is.
func (t *task) putLog(ctx context.Context) (archive.Log, error) {
	if has, err := t.Archive.HasLog(ctx, t.key); err != nil {
		return archive.Log{}, err
	} else if has {
		return t.Archive.Describe(ctx, t.key)
	}
	repo := t.known.Repository
	body, err := t.client.OpenLog(ctx, repo.Owner, repo.Name, t.id)
	if err != nil {
		return archive.Log{}, err
	}
	log, err := t.Archive.PutLog(ctx, t.key, body)
	err = errors.Join(err, body.Close())
	if errors.Is(err, archive.ErrExists) {
		return t.Archive.Describe(ctx, t.key)
	}
	return log, err
}
