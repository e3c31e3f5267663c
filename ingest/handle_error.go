package ingest

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/riverqueue/river"

	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

// handleError does what decide says about an error, GitHub's or our own, of asking for a
// target: it settles the ledger, or notes the try and returns what River is to do.
func (t *task) handleError(ctx context.Context, what target, err error) error {
	if ctx.Err() != nil {
		return err
	}
	o, heard, err := t.judge(ctx, what, err)
	if err != nil {
		return err
	}
	return t.carryOut(ctx, what, o, heard)
}

// handleJobError is handleError for the job itself. It returns true if nothing is to be
// waited for any more, and the log decides, with what webhooks told of the job.
func (t *task) handleJobError(ctx context.Context, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, err
	}
	o, heard, err := t.judge(ctx, targetJob, err)
	if err != nil {
		return false, err
	}
	if t.known.Log.State == store.LogMissing && !ghapi.IsRateLimited(heard) && class(heard) != classOwn {
		return !t.moved, nil
	}
	if o.logDecides {
		t.logger.WarnContext(ctx, "job not described; its log decides", KeyReason, o.reason)
		err := t.DB.NoteAttempt(ctx, store.Attempt{JobID: t.id, Status: o.status, Reason: o.reason, Trouble: o.trouble, At: t.Now()})
		return err == nil, err
	}
	return false, t.carryOut(ctx, targetJob, o, heard)
}

// judge decides what an error means, and looks for the repository first where a 404 would
// settle the job. It returns what was heard last, too; err says that it could not decide.
func (t *task) judge(ctx context.Context, what target, heard error) (o outcome, last, err error) {
	t.Metrics.githubErrors.WithLabelValues(class(heard)).Inc()
	c, err := t.errorContext(ctx, what)
	if err != nil {
		return o, heard, errors.Join(heard, err)
	}
	o = decide(heard, c)
	missing := t.known.Log.State == store.LogMissing
	if o.state == "" && !missing || what == targetRepository || !ghapi.IsAPINotFound(heard) {
		return o, heard, nil
	}
	// The name may be another's by now, or the repository hidden from us.
	now, rerr := ResolveRepository(ctx, t.DB, t.GitHub, t.known.Repository)
	switch {
	case rerr != nil:
		c.target = targetRepository
		return decide(rerr, c), rerr, nil
	case Moved(t.known.Repository, now) && missing:
		t.moved = true
	case Moved(t.known.Repository, now):
		moved := outcome{pause: c.pause(firstPause), status: o.status, reason: "the repository is now " + now.FullName()}
		if moved = c.countDay(moved, deadline{store.Failed, maxFailedDays, "of moving"}); moved.state == "" && !moved.logDecides {
			return moved, heard, nil
		}
	}
	return o, heard, nil
}

// carryOut does what was decided.
func (t *task) carryOut(ctx context.Context, what target, o outcome, err error) error {
	if t.known.Log.State == store.LogMissing {
		return t.stillMissing(ctx, o, err)
	}
	if o.state != "" {
		serr := t.settle(ctx, store.Settlement{State: o.state, Reason: o.reason, HTTPStatus: o.status, Asked: what == targetLog, Trouble: o.trouble})
		if serr == nil && o.pause > 0 {
			return river.JobSnooze(o.pause)
		}
		return serr
	}
	limited := ghapi.IsRateLimited(err)
	if limited {
		t.limited = o.limit
	}
	if !limited || o.trouble != "" {
		asked := what == targetLog && class(err) != classOwn && !limited
		nerr := t.DB.NoteAttempt(ctx, store.Attempt{JobID: t.id, Asked: asked, Status: o.status, Reason: o.reason, Trouble: o.trouble, At: t.Now()})
		if nerr != nil {
			return errors.Join(err, nerr)
		}
	}
	switch {
	case o.pause == 0:
		t.logger.WarnContext(ctx, "job not archived yet", KeyError, err)
		return err
	case o.trouble == store.Failed:
		t.logger.WarnContext(ctx, "job not archived yet", KeyWait, o.pause, KeyError, err)
	default:
		t.logger.DebugContext(ctx, "job waits", KeyWait, o.pause, KeyReason, o.reason)
	}
	return river.JobSnooze(o.pause)
}

// stillMissing handles an error of a job that was given up, and is asked for once more
// because somebody wanted it: only limits and our own troubles are waited for.
func (t *task) stillMissing(ctx context.Context, o outcome, err error) error {
	switch {
	case ghapi.IsRateLimited(err):
		t.limited = o.limit
		return river.JobSnooze(o.pause)
	case class(err) == classOwn && !errors.Is(err, errDamagedRecord):
		return err
	case t.moved:
		return nil // it is asked for there
	}
	t.logger.InfoContext(ctx, "job is missing still", KeyReason, o.reason)
	return nil
}

// errorContext gathers what decide needs, from what the REST API or, failing that,
// webhooks told of the job.
func (t *task) errorContext(ctx context.Context, what target) (errorContext, error) {
	c := errorContext{
		target: what, now: t.Now(), log: t.known.Log, deadline: t.Deadline, deniedDays: t.DeniedDays, tries: t.known.Log.Attempts + 1,
	}
	job, steps := t.facts.Job, t.facts.Steps
	if what != targetLog {
		job = t.known.Job
		var err error
		if steps, err = t.DB.Steps(ctx, t.id); err != nil {
			return c, err
		}
		// A 404 for the job itself is noted with its status, and does not count as a try.
		if s := t.known.Log.HTTPStatus; s != nil && *s == http.StatusNotFound {
			c.tries = minTries
		}
		c.alive = job.Status != store.StatusCompleted && t.age(job.CreatedAt, job.StartedAt) <= maxJobLife
	}
	c.unseen = c.now.Sub(t.known.Repository.SeenAt)
	c.logUnlikely = len(steps) == 0 && job.RunnerID == nil && job.RunnerName == nil
	c.completedAt = c.now.Add(-t.age(job.CompletedAt, t.known.Job.CompletedAt, job.StartedAt, job.CreatedAt))
	return c, nil
}

// age is how long ago the first of the times is that is known, and not to come by a clock
// that is wrong; without one, for how long the job has been asked for in vain.
func (t *task) age(times ...*time.Time) time.Duration {
	now := t.Now()
	for _, at := range times {
		if at != nil && !at.After(now) {
			return now.Sub(*at)
		}
	}
	return t.known.Log.TryingFor(now)
}

// classOwn is the class of errors that are not GitHub's.
const classOwn = "own"

func class(err error) string {
	var e *ghapi.Error
	if errors.As(err, &e) && !e.Ours {
		return e.Class.String()
	}
	return classOwn
}
