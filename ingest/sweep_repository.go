package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

// What a sweep does about a repository that is not where it was.

// sweepRepository does the work, once more if the repository is not where it
// was, and notes a failure. What failed of the listing of runs is for unlisted to decide,
// which returns nil for what is none.
func (s *Sweeper) sweepRepository(ctx context.Context, repo store.Repository, priority store.Priority, unlisted func(error) error, work func(context.Context, *sweep, *listing) error) (SweepResult, error) {
	swept, whole, runs := s.trySweep(ctx, repo, priority, work)
	err := errors.Join(whole, runs)
	if ghapi.IsNotFound(err) || ghapi.IsDenied(err) || errors.Is(err, errOtherRepository) {
		now, rerr := ResolveRepository(ctx, s.DB, s.GitHub, repo)
		switch {
		case rerr == nil && Moved(repo, now):
			swept, whole, runs = s.trySweep(ctx, now, priority, work)
		case ghapi.IsNotFound(rerr):
			if settled, gerr := s.noteGone(ctx, repo); gerr != nil || settled {
				if priority == store.PriorityBackfill { // somebody asked for it
					gerr = errors.Join(fmt.Errorf("sweep of %s: %w", repo.FullName(), err), gerr)
				}
				return swept, gerr
			}
		}
	}
	if whole != nil {
		whole = unlisted(whole)
	}
	err = errors.Join(whole, runs)
	if err == nil || ctx.Err() != nil || ghapi.IsRateLimited(err) {
		return swept, err
	}
	err = fmt.Errorf("sweep of %s: %w", repo.FullName(), err)
	return swept, errors.Join(err, s.DB.SweepFailed(ctx, repo.ID, record.Reason(err), s.Now()))
}

// askGoneEvery is how often GitHub is asked after a repository that is gone: it may only
// have been hidden from us.
const askGoneEvery = time.Hour

// noteGone records that GitHub shows us no such repository, under no name, if all its jobs
// are settled: then nothing is left that could fail. It reports whether they are.
func (s *Sweeper) noteGone(ctx context.Context, repo store.Repository) (settled bool, err error) {
	settled, isNew, err := s.DB.SweepGone(ctx, repo.ID, s.Now())
	if err != nil || !settled {
		return false, err
	}
	s.gone.note(repo, s.Now())
	if isNew {
		s.Logger.WarnContext(ctx, "GitHub knows no such repository any more, or does not show it: what ran there since the last sweep cannot be known", KeyRepository, repo.FullName())
	}
	return true, nil
}

// checkRepository fails with errOtherRepository if the repository's name is another's by
// now: then a 404 under that name says nothing about ours.
func (w *sweep) checkRepository(ctx context.Context) error {
	r, err := w.GitHub.Repository(ctx, w.repo.Owner, w.repo.Name)
	if err != nil {
		return err
	}
	if r.ID != w.repo.ID {
		return fmt.Errorf("%s: %w", w.repo.FullName(), errOtherRepository)
	}
	return nil
}
