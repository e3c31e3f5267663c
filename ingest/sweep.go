package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

// Timing of sweeps, by GitHub's clock.
const (
	// sweepOverlap is how far before its watermark a sweep begins again: a run
	// may be listed some time after its creation.
	sweepOverlap = 2 * time.Hour
	// firstSweep is how far back the first sweep of a repository looks. What is
	// older is left to backfills.
	firstSweep = 72 * time.Hour
	// deepEvery and deepSweep: a run may be run again for 30 days, which leaves
	// its creation as it was.
	deepEvery = 24 * time.Hour
	deepSweep = 32 * 24 * time.Hour
	// sameListing is how much longer than need be a listing may get for the sake
	// of its ETag.
	sameListing = 24 * time.Hour
)

// Sweeper lists workflow runs and their jobs, and writes those that no webhook
// told of. Its methods may be repeated and run beside each other.
type Sweeper struct {
	DB       *store.DB
	Archive  *archive.Archive // of the same bucket as the Archiver's
	GitHub   *ghapi.Clients
	Selected func(fullName string) bool // whether a repository is swept; nil: all are
	Named    Named                      // what to look at beside what is known and visible; zero: nothing
	Logger   *slog.Logger
	Metrics  *Metrics
	Now      func() time.Time // Postgres' time, as store.Clock has it
	Patience time.Duration    // with another sweep that lists the same run; zero: half a minute
	// DeniedDays is on how many distinct days GitHub may refuse us a list, or not be reached,
	// before it is given up.
	DeniedDays int
	// Eager: somebody waits for it. What was asked for in vain is asked for again at once, and
	// what was given up once more.
	Eager bool

	notFound notFoundCache // those without a name
	gone     notFoundCache // those that had their name
}

// sweep is the work on one repository.
type sweep struct {
	*Sweeper
	repo     store.Repository
	client   *ghapi.Client
	priority store.Priority
	claims   *store.RunClaims
	stats    stats

	listed map[int64]bool // runs
	untold []int64        // see SweepResult

	mu     sync.Mutex
	failed []error // of single runs
	held   bool    // see isHeld
}

type stats struct{ attempts, jobs atomic.Int64 }

// SweepResult counts what a sweep looked at.
type SweepResult struct {
	Runs     int64   // listed, each counted once
	Listed   []int64 // ids of these
	Attempts int64   // whose jobs were listed
	Jobs     int64   // listed
	Pages    int     // of the listing of runs
	// Untold are those of Listed that do not say when they were created. Of when that was,
	// jobs tell, once they are listed; it may be out of the range that was asked for.
	Untold []int64
}

// Recent sweeps a repository from its watermark, or from since if that is not
// zero, to now, and looks again at runs that were still going. A sweep that fails
// leaves the watermark where everything before it is written, or a row of run_attempts has it
// asked for again.
func (s *Sweeper) Recent(ctx context.Context, repo store.Repository, since time.Time) (SweepResult, error) {
	ctx = ghapi.WithPriority(ctx, ghapi.Sweep)
	if s.gone.has(repo, s.Now(), askGoneEvery) {
		return SweepResult{}, nil
	}
	before, err := s.DB.Sweep(ctx, repo.ID)
	if err != nil {
		return SweepResult{}, err
	}
	var givenUp error
	unlisted := asIs // a range that somebody asks for says nothing of the listing as it is asked for each time
	if since.IsZero() {
		if !s.Eager && !before.ListDue(orZero(before.TriedAt), s.Now()) {
			if before.GivenUpAt != nil {
				return SweepResult{}, nil
			}
			return SweepResult{}, fmt.Errorf("sweep of %s: not asked for again yet: %s", repo.FullName(), deref(before.Error))
		}
		unlisted = func(err error) error {
			left := s.runsUnlisted(ctx, repo, before, err)
			if left == nil && s.Eager { // the rows call it no failure, but whoever waits hears of it
				givenUp = fmt.Errorf("sweep of %s: the listing of runs is given up: %w", repo.FullName(), err)
			}
			return left
		}
	}
	swept, err := s.sweepRepository(ctx, repo, store.PrioritySweep, unlisted, func(ctx context.Context, w *sweep, l *listing) error {
		return w.recent(ctx, l, before, since)
	})
	return swept, errors.Join(err, givenUp)
}

// asIs leaves an error of a listing of runs as it is.
func asIs(err error) error { return err }

// orZero is a time, zero if there is none.
func orZero(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return *at
}

// Backfill sweeps a repository's runs that were created at or after one time and
// before another, at low priority.
func (s *Sweeper) Backfill(ctx context.Context, repo store.Repository, since, until time.Time) (SweepResult, error) {
	ctx = ghapi.WithPriority(ctx, ghapi.Backfill)
	since, until = since.Truncate(time.Second), until.Truncate(time.Second)
	return s.sweepRepository(ctx, repo, store.PriorityBackfill, asIs, func(ctx context.Context, w *sweep, l *listing) error {
		// What was listed to its end is not listed again, so that a backfill comes on
		// however small its share of the limit; but runs that may have been run again.
		gaps, err := s.DB.Unswept(ctx, repo.ID, since, until, s.Now().Add(-deepSweep))
		if err != nil {
			return err
		}
		for len(gaps) > 0 {
			gap, rest := gaps[0], gaps[1:]
			if l.heedless() { // each would be a walk over all that is newer
				gap.To, rest = gaps[len(gaps)-1].To, nil
			}
			if err := l.closed(ctx, gap.From.Truncate(time.Second), gap.To); err != nil {
				return err
			}
			gaps = rest
		}
		// Swept are also times of which a run was listed, and its jobs could not be.
		vain, err := s.DB.VainAttempts(ctx, repo.ID, since, until)
		if err != nil {
			return err
		}
		return w.recheckUnlisted(ctx, vain)
	})
}

// trySweep does the work once. It returns apart what failed of the whole, and what of single
// runs.
func (s *Sweeper) trySweep(ctx context.Context, repo store.Repository, priority store.Priority, work func(context.Context, *sweep, *listing) error) (_ SweepResult, whole, runs error) {
	asked, err := s.DB.AskedAt(ctx)
	if err != nil {
		return SweepResult{}, err, nil
	}
	client, err := s.GitHub.For(ctx, repo.InstallationID, repo.Owner, repo.Name)
	if err != nil {
		return SweepResult{}, err, nil
	}
	w := &sweep{Sweeper: s, repo: repo, client: client, priority: priority, claims: s.DB.NewRunClaims(), listed: make(map[int64]bool)}
	defer func() { _ = w.claims.Close() }() // a connection that does not end well has ended
	l := &listing{
		client: client, repo: repo, visit: w.visit,
		swept: func(ctx context.Context, from, to time.Time, certain bool) error {
			if w.isHeld() { // nothing after what is not written counts as swept
				return nil
			}
			if !certain {
				s.Logger.WarnContext(ctx, "GitHub's list of runs does not have as many as it says", KeyRepository, repo.FullName(), "from", from, "to", to)
			}
			return s.DB.NoteSwept(ctx, repo.ID, store.TimeRange{From: from, To: to, Certain: certain, Onward: priority == store.PrioritySweep})
		},
		confirm: w.checkRepository,
	}
	whole = work(ctx, w, l)
	if l.told.ID == repo.ID {
		// Also where nothing has changed: that the name is the repository's still is news.
		_, serr := s.recordRepositories(ctx, asked, []ghapi.Repository{l.told})
		whole = errors.Join(whole, serr)
	}
	s.Metrics.sweptRuns.Add(float64(len(w.listed)))
	return SweepResult{
		Runs: int64(len(w.listed)), Listed: slices.Collect(maps.Keys(w.listed)), Untold: w.untold,
		Attempts: w.stats.attempts.Load(), Jobs: w.stats.jobs.Load(), Pages: l.pages,
	}, whole, w.failure()
}

// recent lists from the watermark on.
func (w *sweep) recent(ctx context.Context, l *listing, before store.Sweep, since time.Time) error {
	from, deep := w.begin(before)
	etag, empty := "", false
	switch {
	case !since.IsZero() && since.Before(from):
		from = since
	case !deep && before.ETag != nil && !before.ListedFrom.After(from) && from.Sub(*before.ListedFrom) < sameListing:
		from, etag = *before.ListedFrom, *before.ETag
		empty = before.ListedRuns == nil || *before.ListedRuns == 0
	}
	from = from.Truncate(time.Second)
	f, err := l.open(ctx, from, etag, empty)
	// Whoever asks for a range hears that it was not listed.
	if err != nil && deep && since.IsZero() && before.Watermark != nil && heardFrom(err) != nil && !stops(ctx, err) {
		w.Logger.WarnContext(ctx, "runs that may be run again could not all be listed", KeyRepository, w.repo.FullName(), KeyError, err)
		from = before.Watermark.Add(-sweepOverlap).Truncate(time.Second)
		f, err = l.open(ctx, from, "", false)
	}
	if err != nil {
		return err
	}
	if err := w.runsListed(ctx, l, deep); err != nil {
		return err
	}
	if err := w.recheckUnfinished(ctx); err != nil || w.hasFailed() {
		return err
	}
	after := store.Sweep{RepositoryID: w.repo.ID}
	switch {
	case f.unchanged:
		after.ListedFrom, after.ETag, after.ListedRuns = before.ListedFrom, before.ETag, before.ListedRuns
	case !f.more && f.etag != "":
		after.ListedFrom, after.ETag, after.ListedRuns = &from, &f.etag, &f.runs
	}
	return w.DB.SweepSucceeded(ctx, after, w.Now())
}

// runsListed notes that the listing of runs has come to its end. A deep one then also tries
// what was given up.
func (w *sweep) runsListed(ctx context.Context, l *listing, deep bool) error {
	if err := w.DB.NoteRunsListed(ctx, w.repo.ID); err != nil || !deep {
		return err
	}
	// Also where a run failed: the others need not all be listed again at once.
	if err := w.DB.NoteDeep(ctx, w.repo.ID, w.Now()); err != nil {
		return err
	}
	ranges, err := w.DB.UnlistedRanges(ctx, w.repo.ID)
	if err != nil {
		return err
	}
	for _, r := range ranges {
		err := l.closed(ctx, r.From.Truncate(time.Second), r.To)
		if err != nil && (heardFrom(err) == nil || stops(ctx, err)) {
			return err
		}
		if err != nil {
			w.Logger.DebugContext(ctx, "runs of a time that was given up are not listed still", KeyRepository, w.repo.FullName(), "from", r.From, "to", r.To, KeyError, err)
		}
	}
	return nil
}

// begin is where a sweep begins, and whether it is a deep one.
func (w *sweep) begin(before store.Sweep) (from time.Time, deep bool) {
	now := w.Now()
	if before.Watermark == nil {
		return now.Add(-firstSweep), true
	}
	// What is later than now was left by a clock that was wrong: how far that sweep came,
	// and when, nobody knows.
	latest := now.Add(store.MaxSkew)
	if before.Watermark.After(latest) {
		before.Watermark, before.DeepAt = &now, nil
	}
	if before.DeepAt != nil && before.DeepAt.After(latest) {
		before.DeepAt = nil
	}
	from = before.Watermark.Add(-sweepOverlap)
	if before.DeepAt != nil && now.Sub(*before.DeepAt) < deepEvery {
		return from, false
	}
	deepFrom := now.Add(-deepSweep)
	if before.Begin != nil && before.Begin.After(deepFrom) {
		deepFrom = *before.Begin
	}
	if deepFrom.After(from) {
		return from, true
	}
	return deepFrom, true
}
