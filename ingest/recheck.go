package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/riverqueue/river"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

// recheckWithin is how long after its completion a job may still be writing its log: the
// steps that run after a cancellation have minutes.
const recheckWithin = time.Hour

// mayGrow tells whether a log that was just fetched may not have been at its end: its
// runner may still write it, although the job is called completed. Of GitHub that is known
// of jobs that were ended from outside; of other servers, nothing is known. A webhook tells
// by its arrival that a job has just completed, whatever its server's clock says.
func (t *task) mayGrow(ctx context.Context, log archive.Log) (bool, error) {
	job, c := t.facts.Job, t.facts.Job.Conclusion
	if log.Truncated || !t.direct && (c == nil || *c != "cancelled" && *c != "timed_out") {
		return false, nil
	}
	if job.CompletedAt == nil || t.Now().Sub(*job.CompletedAt) <= recheckWithin {
		return true, nil
	}
	return t.DB.HeardCompleted(ctx, t.id, recheckWithin)
}

// Rechecker asks once more for logs that may not have been at their end when they were
// archived. It is River's worker for store.RecheckArgs. A longer log that begins with the
// archived one takes its place; nothing else ever does: no shorter one, none that is as long,
// no other text, no error, and no body that is cut short. Working on a job twice, also at
// the same time, is harmless.
//
// The longer log is complete in the bucket, under a key of its own, before the ledger tells
// of it. One that a killed worker left there is taken without asking again.
type Rechecker struct {
	river.WorkerDefaults[store.RecheckArgs]
	archiver *Archiver
}

// NewRechecker asks as the archiver does, which it shares.
func NewRechecker(a *Archiver) *Rechecker { return &Rechecker{archiver: a} }

// Timeout is none, as the Archiver's.
func (r *Rechecker) Timeout(*river.Job[store.RecheckArgs]) time.Duration { return -1 }

// NextRetry is when to try again after a failure.
func (r *Rechecker) NextRetry(job *river.Job[store.RecheckArgs]) time.Time {
	return r.archiver.Now().Add(recheckPause(job.Attempt))
}

// recheckPause is the pause after a try, the first of which is 1: 2, 8, 32 min and 2 h, so
// that the few tries that there are outlast an hour in which GitHub fails or refuses, or we do.
func recheckPause(tries int) time.Duration {
	pause := maxRetryPause
	if n := max(tries-1, 0); n < 4 {
		pause = min(store.RecheckDelay<<(2*n), maxRetryPause)
	}
	return pause + jitter(pause/4)
}

// Work asks for one job's log again, if it is time. What it returns is for River.
func (r *Rechecker) Work(ctx context.Context, job *river.Job[store.RecheckArgs]) error {
	a := r.archiver
	defer a.inFlight.add(job.ID)()
	due, err := a.DB.DueRecheck(ctx, job.Args.JobID)
	if err != nil || due.DueAt == nil {
		return err
	}
	if wait := due.DueAt.Sub(a.Now()); wait > 0 {
		return river.JobSnooze(min(wait, maxPause))
	}
	c := &recheck{Archiver: a, job: due, key: record.KeyOf(due.Job), began: a.Now()}
	err = c.run(ghapi.WithPriority(ctx, ghapi.Priority(store.PrioritySweep)))
	if err != nil && ctx.Err() != nil {
		return river.JobSnooze(0) // shutting down
	}
	return err
}

// recheck is the work on one log.
type recheck struct {
	*Archiver
	job   store.Recheck
	key   archive.JobKey
	began time.Time // before GitHub was asked
	tries int       // since it became due, this one included
}

// run asks, and notes what came of it.
func (c *recheck) run(ctx context.Context) error {
	if c.job.Log.State == store.LogRemoved {
		// Nothing of it comes back; what an earlier try has put goes, too.
		if err := PurgeLateLog(ctx, c.DB, c.Archive, c.key); err != nil {
			return err
		}
	}
	if c.job.Log.State != store.LogArchived {
		return c.end(ctx, false, "it is "+c.job.Log.State)
	}
	var err error
	if c.tries, err = c.DB.BeginRecheck(ctx, c.job.Job.ID); err != nil {
		return err
	}
	if c.tries == 0 {
		heard := "no answer came"
		if c.job.Outcome != nil {
			heard = *c.job.Outcome
		}
		return c.end(ctx, true, "given up: "+heard)
	}
	log, err := c.longer(ctx)
	if err == nil {
		err = c.lengthen(ctx, log)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	return c.handleError(ctx, err)
}

// archived is what the ledger says of the log.
func (c *recheck) archived() archive.Log {
	return record.LogOf(store.LedgerLine{JobLog: c.job.Log})
}

// longer finds the longer log in the bucket, or else asks for it and puts it there. It fails
// with archive.ErrNotLonger if there is none.
func (c *recheck) longer(ctx context.Context) (archive.Log, error) {
	adopt := func(ctx context.Context) (archive.Log, error) { return c.Archive.AdoptLonger(ctx, c.archived()) }
	log, err := adopt(ctx)
	switch {
	case isDamaged(err):
		return c.replaceDamaged(ctx, c.job.Job.ID, adopt, func(ctx context.Context, guarded func(io.Reader) io.Reader) (archive.Log, error) {
			return c.fetch(ctx, func(ctx context.Context, than archive.Log, r io.Reader) (archive.Log, error) {
				return c.Archive.RestoreLonger(ctx, than, guarded(r))
			})
		})
	case !errors.Is(err, bucket.ErrNotFound):
		return log, err
	}
	log, err = c.fetch(ctx, c.Archive.PutLonger)
	if errors.Is(err, bucket.ErrExists) {
		return adopt(ctx)
	}
	return log, err
}

// fetch asks GitHub for the log, and puts it if it is longer.
func (c *recheck) fetch(ctx context.Context, put func(context.Context, archive.Log, io.Reader) (archive.Log, error)) (archive.Log, error) {
	body, err := c.open(ctx)
	if err != nil {
		return archive.Log{}, err
	}
	// Most have no more to tell, and say so before they are read.
	if body.Bytes >= 0 && body.Bytes <= *c.job.Log.RawBytes {
		return archive.Log{}, errors.Join(archive.ErrNotLonger, body.Close())
	}
	log, err := put(ctx, c.archived(), body)
	return log, errors.Join(err, body.Close())
}

// open asks for the log, where the repository is now.
func (c *recheck) open(ctx context.Context) (body *ghapi.Log, err error) {
	err = AtRepository(ctx, c.DB, c.GitHub, c.job.Repository, func(client *ghapi.Client, repo store.Repository) (err error) {
		body, err = client.OpenLog(ctx, repo.Owner, repo.Name, c.job.Job.ID)
		return err
	})
	return body, err
}

// lengthen has the ledger tell of the longer log.
func (c *recheck) lengthen(ctx context.Context, log archive.Log) error {
	s := record.SettlementOf(c.job.Job.ID, log, c.Now())
	changed, err := c.DB.Lengthen(ctx, s, c.job.Log.SHA256, c.Now())
	if err == nil && !changed {
		err = PurgeLateLog(ctx, c.DB, c.Archive, c.key)
	}
	if err != nil {
		return err
	}
	if !changed {
		return c.end(ctx, true, "the ledger has changed meanwhile")
	}
	c.Metrics.lengthened.Inc()
	c.Logger.InfoContext(ctx, "a longer log took the place of the archived one", KeyJob, c.job.Job.ID,
		KeyRepository, c.job.Repository.FullName(), KeyBytes, log.RawBytes)
	return c.end(ctx, true, fmt.Sprintf("it is longer: %d bytes, where there were %d", log.RawBytes, *c.job.Log.RawBytes))
}

// handleError says what an error means for the recheck: the archived log stays whatever
// it is. That there is no log (any more) is an answer. Who fails, refuses or limits us, or
// does not show us the repository, may think otherwise later, and is asked again.
func (c *recheck) handleError(ctx context.Context, err error) error {
	if errors.Is(err, archive.ErrNotLonger) {
		return c.end(ctx, true, archive.ErrNotLonger.Error())
	}
	c.Metrics.githubErrors.WithLabelValues(class(err)).Inc()
	var e *ghapi.Error
	own := class(err) == classOwn // nobody was asked, or the answer found no place
	if !own {
		errors.As(err, &e)
	}
	limited := !own && e.Class == ghapi.RateLimited
	if !own && !limited && e.Class != ghapi.Transient && e.Class != ghapi.Denied && !ghapi.IsAPINotFound(err) {
		return c.end(ctx, true, record.Reason(e))
	}
	ourShare := limited && e.Status == 0 // no word of GitHub's
	if nerr := c.DB.NoteRecheck(ctx, c.job.Job.ID, record.Reason(err), own || ourShare); nerr != nil {
		return errors.Join(err, nerr)
	}
	if !limited {
		return err
	}
	pause := min(max(e.RetryAt.Sub(c.Now()), 0), maxPause) + jitter(limitJitter)
	if !ourShare {
		pause = max(pause, recheckPause(c.tries))
	}
	return river.JobSnooze(pause)
}

// end notes what came of it, as of when it began: what is reported while GitHub answers may
// tell of more than the answer has. What became due again meanwhile is waited for.
func (c *recheck) end(ctx context.Context, asked bool, outcome string) error {
	if err := c.DB.EndRecheck(ctx, c.job, asked, outcome, c.began); err != nil {
		return err
	}
	again, err := c.DB.DueRecheck(ctx, c.job.Job.ID)
	if err != nil || again.DueAt == nil {
		return err
	}
	return river.JobSnooze(min(max(again.DueAt.Sub(c.Now()), 0), maxPause))
}
