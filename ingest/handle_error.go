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
	answered := class(err) != classOwn
	t.Metrics.githubErrors.WithLabelValues(class(err)).Inc()
	c, cerr := t.errorContext(ctx, what)
	if cerr != nil {
		return errors.Join(err, cerr)
	}
	o := decide(err, c)
	if o.state != "" && what != targetRepository && ghapi.IsAPINotFound(err) {
		// The name may be another's by now, or the repository hidden from us.
		now, rerr := ResolveRepository(ctx, t.DB, t.GitHub, t.known.Repository)
		switch {
		case rerr != nil:
			err, c.target = rerr, targetRepository
			o = decide(err, c)
		case Moved(t.known.Repository, now):
			o = outcome{pause: firstPause, status: o.status, reason: "the repository is now " + now.FullName()}
		}
	}
	if o.state != "" {
		serr := t.settle(ctx, store.Settlement{State: o.state, Reason: o.reason, HTTPStatus: o.status, Asked: what == targetLog})
		if serr == nil && o.pause > 0 {
			return river.JobSnooze(o.pause)
		}
		return serr
	}
	if ghapi.IsRateLimited(err) {
		t.limited = o.pause
	} else {
		if nerr := t.DB.NoteAttempt(ctx, t.id, what == targetLog && answered, o.status, o.reason); nerr != nil {
			return errors.Join(err, nerr)
		}
	}
	if o.pause > 0 {
		t.logger.DebugContext(ctx, "job waits", KeyWait, o.pause, KeyReason, o.reason)
		return river.JobSnooze(o.pause)
	}
	t.logger.WarnContext(ctx, "job not archived yet", KeyError, err)
	return err
}

// errorContext gathers what decide needs, from what the REST API or, failing that,
// webhooks told of the job.
func (t *task) errorContext(ctx context.Context, what target) (errorContext, error) {
	c := errorContext{target: what, now: t.Now(), deadline: t.Deadline, tries: t.known.Log.Attempts + 1}
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
	}
	c.unseen = c.now.Sub(t.known.Repository.SeenAt)
	c.logUnlikely = len(steps) == 0 && job.RunnerID == nil && job.RunnerName == nil
	c.completedAt = c.now
	for _, at := range []*time.Time{job.CompletedAt, t.known.Job.CompletedAt, job.StartedAt, job.CreatedAt} {
		if at != nil {
			c.completedAt = *at
			break
		}
	}
	return c, nil
}

// classOwn is the class of errors that are not GitHub's.
const classOwn = "own"

func class(err error) string {
	var e *ghapi.Error
	if errors.As(err, &e) {
		return e.Class.String()
	}
	return classOwn
}
