package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/riverqueue/river"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

// Archiver fetches completed jobs and their logs. It is River's worker for
// store.ArchiveArgs. Working on a job twice, also at the same time, is harmless.
type Archiver struct {
	river.WorkerDefaults[store.ArchiveArgs]
	DB       *store.DB
	Archive  *archive.Archive // where logs and job.json go
	GitHub   *ghapi.Clients
	Deadline time.Duration // how long after completed_at a 404 log is asked for again; 0: not beyond what it takes to believe it
	// DeniedDays is on how many distinct days GitHub may refuse us a job, or not be reached,
	// before it is missing; 0: not beyond the first.
	DeniedDays int
	Logger     *slog.Logger
	Metrics    *Metrics
	Now        func() time.Time // Postgres' time, as store.Clock has it

	inFlight  inFlight
	listings  attemptListings
	selected  func(fullName string) bool // of jobs that no webhook told of; nil: all are
	replacing sync.Mutex                 // held while a damaged log is replaced
	stopping  <-chan struct{}            // nil: a limit is not waited for
}

// Timeout is none: what is bounded is how long nothing moves, in ghapi and
// archive, as a log may take as long as it takes.
func (a *Archiver) Timeout(*river.Job[store.ArchiveArgs]) time.Duration { return -1 }

// NextRetry is when to try again after a failure of our own: what GitHub answers puts the
// job off, and is none.
func (a *Archiver) NextRetry(job *river.Job[store.ArchiveArgs]) time.Time {
	pause := backoff(job.Attempt)
	return a.Now().Add(pause + jitter(pause/2))
}

// Work archives one job. What it returns is for River: nil when the ledger is
// settled, a snooze (which costs no attempt) or a failure.
func (a *Archiver) Work(ctx context.Context, job *river.Job[store.ArchiveArgs]) error {
	defer a.inFlight.add(job.ID)()
	priority := store.Priority(job.Priority)
	for moved := false; ; {
		t := &task{Archiver: a, id: job.Args.JobID, again: job.Args.Again, priority: priority, logger: a.Logger.With(KeyJob, job.Args.JobID)}
		err := t.run(ghapi.WithPriority(ctx, ghapi.Priority(priority)))
		if err != nil && ctx.Err() != nil {
			// Shutting down: given back as it was.
			return river.JobSnooze(0)
		}
		if t.moved && !moved && err == nil {
			moved = true
			continue
		}
		if t.limited == 0 || priority != store.PriorityBackfill || a.stopping == nil {
			return err
		}
		var stopped bool
		if priority, stopped = a.await(ctx, job.ID, t.limited); stopped {
			return river.JobSnooze(0)
		}
	}
}

// awaitPoll is how soon a job of a backfill that waits for its limit sees that it has
// become more urgent.
const awaitPoll = 2 * time.Second

// await keeps a job of a backfill until a limit ends, or it has become more urgent.
// If all that a long backfill has left were put off instead, each would be read
// and written again every hour.
func (a *Archiver) await(ctx context.Context, id int64, pause time.Duration) (priority store.Priority, stopped bool) {
	end := time.After(pause)
	poll := time.NewTicker(awaitPoll)
	defer poll.Stop()
	for {
		select {
		case <-a.stopping:
			return 0, true
		case <-ctx.Done():
			return 0, true
		case <-end:
			return store.PriorityBackfill, false
		case <-poll.C:
			// Without an answer it waits on.
			if now, err := a.DB.PriorityOf(ctx, id); err == nil && now != store.PriorityBackfill {
				return now, false
			}
		}
	}
}

// task is the work on one job.
type task struct {
	*Archiver
	id            int64
	again         bool // a missing job is asked for once more
	priority      store.Priority
	logger        *slog.Logger
	known         store.JobToArchive
	client        *ghapi.Client
	key           archive.JobKey
	facts         store.Facts   // as the REST API tells them, or all that is known
	detailsStored bool          // job.json is in the bucket
	limited       time.Duration // how long GitHub's limit keeps it; 0: none does, or it is put off for longer
	moved         bool          // a missing job was asked for where its repository is no more
	asked         time.Time     // before the log was asked for; zero: it was not
	direct        bool          // the log is not known to come from a server that behaves as GitHub
}

func (t *task) run(ctx context.Context) error {
	var err error
	if t.known, err = t.DB.JobToArchive(ctx, t.id); err != nil {
		return err
	}
	switch s := t.known.Log.State; {
	case s == store.LogPending, s == store.LogDenied, s == store.LogMissing && t.again:
	default:
		return nil
	}
	t.logger = t.logger.With(KeyRepository, t.known.Repository.FullName())
	t.key = record.KeyOf(t.known.Job)
	if !t.known.Repository.HasName {
		// Whoever has the name now knows nothing of the job, and its 404 is no answer.
		now, err := ResolveRepository(ctx, t.DB, t.GitHub, t.known.Repository)
		if err != nil {
			return t.handleError(ctx, targetRepository, err)
		}
		t.known.Repository = now
	}
	repo := t.known.Repository
	if t.client, err = t.GitHub.For(ctx, repo.InstallationID, repo.Owner, repo.Name); err != nil {
		return t.handleError(ctx, targetRepository, err)
	}
	done, err := t.fetchDetails(ctx)
	if err != nil || !done {
		return err
	}
	return t.archiveLog(ctx)
}

// fetchDetails fetches the job, by itself or with others of its attempt, keeps it, and
// writes its rows, unless a listing or an earlier try did. It returns false with the outcome
// if there is nothing more to do now.
func (t *task) fetchDetails(ctx context.Context) (bool, error) {
	if t.known.Job.FetchedAt == nil && !t.undescribed() {
		if err := t.describeByList(ctx); err != nil {
			return false, err
		}
	}
	repo := t.known.Repository
	steps, err := t.DB.Steps(ctx, t.id)
	if err != nil {
		return false, err
	}
	t.facts = store.Facts{Repository: repo, Job: t.known.Job, Steps: steps}
	if t.known.Job.FetchedAt != nil {
		t.detailsStored = true
		return true, nil
	}
	if t.undescribed() {
		return true, nil
	}
	job, err := t.client.Job(ctx, repo.Owner, repo.Name, t.id)
	if err != nil {
		return t.handleJobError(ctx, err)
	}
	facts, err := t.factsOf(job)
	if err != nil {
		return t.handleJobError(ctx, err)
	}
	if facts.Job.Status != store.StatusCompleted {
		return t.notCompleted(ctx, facts, job.Raw)
	}
	return t.keepDetails(ctx, facts, job.Raw)
}

// maxJobLife is how long a job can be before GitHub ends it: 35 days, the
// approvals that it waited for included, and a day for GitHub to say so.
const maxJobLife = 36 * 24 * time.Hour

// notCompleted handles an API that is behind its own webhooks, or never comes
// to an end of a job. What it says so far is written. A job that has completed by
// the webhooks' account for longer than a log is waited for, or that cannot be
// alive any more, is settled by what its log says.
func (t *task) notCompleted(ctx context.Context, facts store.Facts, raw []byte) (bool, error) {
	if t.known.Log.State == store.LogMissing {
		return false, nil // and stays so: what may be a part of a log is not archived
	}
	if err := t.DB.RecordFetched(ctx, facts, t.Now()); store.IsBadData(err) {
		return t.handleJobError(ctx, t.unusable(err))
	} else if err != nil {
		return false, err
	}
	if at := t.known.Job.CompletedAt; at != nil && t.age(at) > t.Deadline {
		return true, nil
	}
	age := t.age(facts.Job.CreatedAt, facts.Job.StartedAt)
	if age > maxJobLife {
		return t.keepDetails(ctx, facts, raw)
	}
	reason := fmt.Sprintf("the REST API says %s still", facts.Job.Status)
	err := t.DB.NoteAttempt(ctx, store.Attempt{JobID: t.id, Status: http.StatusOK, Reason: reason, Trouble: store.NotYet, At: t.Now()})
	if err != nil {
		return false, err
	}
	return false, river.JobSnooze(t.patience(age))
}

// maxPatience is the longest wait before a job that may well be alive is asked for again.
const maxPatience = 24 * time.Hour

// patience is how long to wait for a job to complete: the older, the longer.
func (t *task) patience(age time.Duration) time.Duration {
	if at := t.known.Job.CompletedAt; at != nil {
		return min(max(t.age(at)/4, firstPause), maxBackoff)
	}
	return min(max(age/4, maxBackoff), maxPatience)
}

// archiveLog decides whether there can be a log, fetches it, and settles.
func (t *task) archiveLog(ctx context.Context) error {
	if neverRan(t.facts) {
		return t.settle(ctx, store.Settlement{State: store.LogNone, Reason: "skipped: it never ran"})
	}
	// What somebody removed is not fetched again for a database that is older than that.
	is, kept, err := AdoptRemoval(ctx, t.DB, t.Archive, t.key, t.Now())
	if errors.Is(err, bucket.ErrUnreadable) {
		return t.handleError(ctx, targetLog, errors.Join(err, errDamagedRecord))
	}
	if is || err != nil {
		return err
	}
	log, err := t.putLog(ctx)
	if err == nil {
		err = t.storeWebhookJob(ctx)
	}
	if err != nil {
		return t.handleError(ctx, targetLog, err)
	}
	s := record.SettlementOf(t.id, log, t.Now())
	s.Settled, s.AskedAt = kept, t.asked
	if s.Recheck, err = t.mayGrow(ctx, log); err != nil {
		return err
	}
	return t.settle(ctx, s)
}

// neverRan tells a job that was skipped before a runner had it. Gitea gives a job to a
// runner to find out that its condition is false: then there is a log.
func neverRan(f store.Facts) bool {
	c := f.Job.Conclusion
	return c != nil && *c == "skipped" && (f.Job.RunnerID == nil && f.Job.RunnerName == nil || len(f.Steps) == 0)
}

// putLog streams the log from GitHub into the bucket. A log that a killed
// worker left there complete is taken as it is; one that is damaged gives way, as
// the ledger does not call it archived.
func (t *task) putLog(ctx context.Context) (archive.Log, error) {
	has, err := t.Archive.HasLog(ctx, t.key)
	if err != nil {
		return archive.Log{}, err
	}
	if has {
		log, err := t.adoptLog(ctx)
		if !isDamaged(err) {
			return log, err
		}
		return t.replaceDamaged(ctx, t.id, t.adoptLog, func(ctx context.Context, guarded func(io.Reader) io.Reader) (archive.Log, error) {
			return t.fetchLog(ctx, func(ctx context.Context, key archive.JobKey, r io.Reader) (archive.Log, error) {
				return t.Archive.RestoreLog(ctx, key.Log(), guarded(r), nil)
			})
		})
	}
	log, err := t.fetchLog(ctx, t.Archive.PutLog)
	if errors.Is(err, bucket.ErrExists) {
		return t.adoptLog(ctx)
	}
	return log, err
}

// fetchLog asks GitHub for the log, and puts it.
func (t *task) fetchLog(ctx context.Context, put func(context.Context, archive.JobKey, io.Reader) (archive.Log, error)) (archive.Log, error) {
	repo := t.known.Repository
	t.asked = t.Now()
	body, err := t.client.OpenLog(ctx, repo.Owner, repo.Name, t.id)
	if err != nil {
		return archive.Log{}, err
	}
	t.direct = body.Direct
	log, err := put(ctx, t.key, body)
	return log, errors.Join(err, body.Close())
}

// adoptLog takes what is in the bucket: the log, or the longer one that had taken its place
// before the database was lost. One of these that is damaged is put again when it is asked
// for again.
func (t *task) adoptLog(ctx context.Context) (archive.Log, error) {
	t.direct = true // nobody says where it came from
	log, _, err := t.Archive.AdoptLogs(ctx, t.key, func(string) (time.Time, error) { return t.Now(), nil })
	if log.Key != "" && errors.Is(err, bucket.ErrUnreadable) && !errors.Is(err, archive.ErrFilters) {
		err = nil
	}
	return log, err
}
