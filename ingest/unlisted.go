package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

// What a sweep does about lists that GitHub does not give, of an attempt's jobs or of a
// repository's runs: it counts days as the archive worker does for jobs, and when there are
// more than are waited for, the list is given up, and holds nothing any more.

// heardFrom is GitHub's answer among an error, or that there was none; nil if anything in it
// is our own: Postgres, the bucket, our share of the limit.
func heardFrom(err error) *ghapi.Error {
	switch e := err.(type) { //nolint:errorlint // it goes down by itself, so that no part is missed
	case nil:
		return nil
	case *ghapi.Error:
		if e.Ours || e.Class == ghapi.RateLimited && e.Status == 0 {
			return nil
		}
		return e
	case interface{ Unwrap() []error }:
		var first *ghapi.Error
		for _, part := range e.Unwrap() {
			heard := heardFrom(part)
			if heard == nil {
				return nil
			}
			first = cmp.Or(first, heard)
		}
		return first
	}
	return heardFrom(errors.Unwrap(err))
}

// cannotBe is an error for a list that GitHub gave, and that cannot be true.
func cannotBe(format string, args ...any) error {
	return &ghapi.Error{Class: ghapi.Transient, Op: fmt.Sprintf(format, args...), Status: 200, Message: "that cannot be"}
}

// stops says whether an error ends a whole sweep, and not only what is done about one run.
func stops(ctx context.Context, err error) bool {
	return ctx.Err() != nil || ghapi.IsRateLimited(err) || errors.Is(err, errOtherRepository)
}

// listTrouble is what an error means of a list that has had some troubles. alive: the list
// may not be there yet.
func (s *Sweeper) listTrouble(heard *ghapi.Error, err error, before store.Troubles, alive bool) store.ListTrouble {
	now := s.Now()
	d := deadlineOf(heard, s.DeniedDays)
	if heard.Class == ghapi.NotFound { // it is the repository that is not found
		d = deadline{store.Refused, s.DeniedDays, "out of sight"}
	}
	t := store.ListTrouble{Trouble: d.trouble, Status: heard.Status, Reason: record.Reason(err), Waits: ghapi.IsRateLimited(err), At: now}
	if alive {
		t.Trouble = store.NotYet
		return t
	}
	if days := before.TroubleDays(d.trouble, now); days > d.days {
		t.GivenUp, t.Reason = true, d.givenUp(days, t.Reason)
	}
	return t
}

// notedError is an error of a list that its row in run_attempts tells of: it is asked for
// again by that, wherever the watermark is.
type notedError struct{ err error }

func (e *notedError) Error() string { return e.err.Error() }
func (e *notedError) Unwrap() error { return e.err }

// isNoted says whether all there is in an error is noted.
func isNoted(err error) bool {
	switch e := err.(type) { //nolint:errorlint // as in heardFrom
	case nil:
		return false
	case *notedError:
		return true
	case interface{ Unwrap() []error }:
		return !slices.ContainsFunc(e.Unwrap(), func(part error) bool { return !isNoted(part) })
	}
	return isNoted(errors.Unwrap(err))
}

// unlisted handles an error of listing an attempt's jobs. It returns nil if the list is
// given up, and else the error, noted if it is GitHub's.
func (w *sweep) unlisted(ctx context.Context, r ghapi.Run, a store.RunAttempt, before store.UnlistedAttempt, err error) error {
	heard := heardFrom(err)
	if heard == nil || ctx.Err() != nil || errors.Is(err, errOtherRepository) {
		return err
	}
	t := w.listTrouble(heard, err, before.Troubles, w.mayBeAlive(r, a, before))
	if before.GivenUpAt != nil { // somebody has asked for it once more
		t.Trouble, t.GivenUp, t.Reason = store.NotYet, true, *before.Reason
	}
	isNew, nerr := w.DB.NoteUnlisted(ctx, a, t)
	switch {
	case nerr != nil:
		return errors.Join(err, nerr)
	case !t.GivenUp && heard.Class == ghapi.NotFound: // that is no trouble of one run
		return err
	case !t.GivenUp:
		return &notedError{err}
	case isNew && before.GivenUpAt == nil:
		w.Metrics.unlisted.Inc()
		w.Logger.ErrorContext(ctx, "the jobs of a run cannot be listed: which it had is not known, but for those that webhooks told of",
			KeyRepository, w.repo.FullName(), "run", a.RunID, "attempt", a.RunAttempt, KeyReason, t.Reason)
	}
	if ghapi.IsRateLimited(err) {
		return err
	}
	return nil
}

// mayBeAlive says whether an attempt may not have ended: no day is counted of it then, as it
// has all its time before it.
func (w *sweep) mayBeAlive(r ghapi.Run, a store.RunAttempt, before store.UnlistedAttempt) bool {
	if a.RunAttempt < r.Attempt || r.Status == store.StatusCompleted {
		return false
	}
	now := w.Now()
	age := before.TryingFor(now)
	for _, at := range []time.Time{r.StartedAt, r.CreatedAt, a.RunCreatedAt} {
		if !at.IsZero() && !at.After(now) {
			age = now.Sub(at)
			break
		}
	}
	return age <= maxJobLife
}

// notDue is the error of a run whose lists are not asked for yet, since they were asked for
// in vain; nil: they are.
func (w *sweep) notDue(tried map[int64]store.UnlistedAttempt) error {
	for _, a := range tried {
		if a.GivenUpAt == nil && !w.Eager && !a.ListDue(a.SweptAt, w.Now()) {
			return &notedError{fmt.Errorf("not asked for again yet: %s", deref(a.Reason))}
		}
	}
	return nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// runsUnlisted handles an error of listing a repository's runs, from where a sweep that goes
// on begins. It returns nil if the listing is given up, and else the error.
func (s *Sweeper) runsUnlisted(ctx context.Context, repo store.Repository, before store.Sweep, err error) error {
	heard := heardFrom(err)
	var inRun *runError
	if errors.Is(err, errOtherRepository) {
		heard = &ghapi.Error{Class: ghapi.NotFound}
	}
	if heard == nil || ctx.Err() != nil || errors.As(err, &inRun) {
		return err
	}
	t := s.listTrouble(heard, err, before.Troubles, false)
	isNew, nerr := s.DB.NoteRunsUnlisted(ctx, repo.ID, s.unlistedFrom(before), t)
	if nerr != nil || !t.GivenUp {
		return errors.Join(err, nerr)
	}
	if isNew {
		s.Logger.ErrorContext(ctx, "the runs of a repository cannot be listed: which there were is not known, but for those that webhooks told of", KeyRepository, repo.FullName(), KeyReason, t.Reason)
	}
	return nil
}

// unlistedFrom is where the time begins of which a repository's runs are not known: where the
// last listing ended, or where the first one that failed began.
func (s *Sweeper) unlistedFrom(before store.Sweep) time.Time {
	if before.Watermark != nil {
		return *before.Watermark
	}
	first := s.Now()
	if before.TryingSince != nil && before.TryingSince.Before(first) {
		first = *before.TryingSince
	}
	return first.Add(-firstSweep)
}

// runError is an error about one run.
type runError struct {
	run int64
	err error
}

func (e *runError) Error() string { return fmt.Sprintf("run %d: %v", e.run, e.err) }
func (e *runError) Unwrap() error { return e.err }
