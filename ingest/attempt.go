package ingest

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

// maxRunAttempts bounds the attempts of one run; GitHub allows 50.
const maxRunAttempts = 1000

// sweepRun writes the jobs of every attempt of a run that was not listed to its end.
// That an attempt is complete is written last, when its lists have been compared: if it
// were written before that, jobs that a list lacks would never be looked for again.
// What fails for one attempt does not keep the others from being listed.
func (w *sweep) sweepRun(ctx context.Context, r ghapi.Run) error {
	if !isRun(r) {
		return w.refuseRun(ctx, r)
	}
	complete, release, err := w.claimRun(ctx, r)
	if err != nil {
		return err
	}
	defer release()
	if len(complete) >= int(r.Attempt) {
		return nil
	}
	tried, err := w.DB.UnlistedAttempts(ctx, r.ID)
	if err != nil {
		return err
	}
	if err := w.notDue(tried); err != nil {
		return err
	}
	l := &runListing{sweep: w, run: r, tried: tried, listed: make(map[int64]bool), doubt: r.Attempt > 1}
	var failed []error
	for attempt := int64(1); attempt <= r.Attempt; attempt++ {
		if complete[attempt] || tried[attempt].GivenUpAt != nil && !w.Eager {
			continue
		}
		l.last = attempt
		if err := l.attempt(ctx, attempt); err != nil {
			if stops(ctx, err) {
				return err
			}
			failed = append(failed, err)
		}
	}
	if len(failed) > 0 {
		return errors.Join(failed[:min(len(failed), maxFailures)]...)
	}
	return l.end(ctx)
}

// refuseRun handles a listing's entry that cannot be a run, which holds nothing for ever.
func (w *sweep) refuseRun(ctx context.Context, r ghapi.Run) error {
	complete, err := w.completeAttempts(ctx, r)
	if err != nil || complete[1] { // GitHub says by now that it knows no such run
		return err
	}
	tried, err := w.DB.UnlistedAttempts(ctx, r.ID)
	if err != nil || tried[1].GivenUpAt != nil {
		return err
	}
	err = cannotBe("run %d with %d attempts", r.ID, r.Attempt)
	return w.unlisted(ctx, ghapi.Run{Attempt: 2}, w.attemptRow(r, 1, nil), tried[1], err)
}

// runListing is the listing of the jobs of one run.
type runListing struct {
	*sweep
	run     ghapi.Run
	tried   map[int64]store.UnlistedAttempt // attempts that were asked for in vain before
	listed  map[int64]bool                  // jobs
	ended   []store.RunAttempt              // what there is to note when all is checked
	well    []int64                         // attempts that were listed now
	last    int64                           // attempt that was asked for; 0: none was
	doubt   bool                            // whether the lists have all jobs
	givenUp int64                           // last attempt whose list was given up now; 0: none
}

// attempt lists an attempt. It fails unless it is listed, or given up.
func (l *runListing) attempt(ctx context.Context, attempt int64) error {
	a, agrees, err := l.sweepAttempt(ctx, l.run, attempt, l.listed)
	if err != nil {
		l.givenUp = attempt
		return l.unlisted(ctx, l.run, l.attemptRow(l.run, attempt, nil), l.tried[attempt], err)
	}
	l.well = append(l.well, attempt)
	l.doubt = l.doubt || !agrees
	if a.Complete {
		l.ended = append(l.ended, a)
	}
	return nil
}

// end compares the lists, and notes which attempts are complete.
func (l *runListing) end(ctx context.Context) error {
	if l.doubt && l.last > 0 {
		if err := l.crossCheck(ctx, l.run, l.listed); err != nil {
			if err := l.unchecked(ctx, err); err != nil {
				return err
			}
		}
	}
	for _, a := range l.ended {
		if err := l.DB.RecordAttempt(ctx, a, nil, l.priority); err != nil {
			return err
		}
	}
	if len(l.tried) > 0 && len(l.well) > 0 {
		return l.DB.NoteListed(ctx, l.run.ID, l.well)
	}
	return nil
}

// unchecked handles an error of the list of all attempts' jobs: it counts for the last
// attempt, which is not known to be all there is. It returns nil if that is given up.
func (l *runListing) unchecked(ctx context.Context, err error) error {
	if l.givenUp == l.last && heardFrom(err) != nil && !stops(ctx, err) {
		return nil // nothing more is known to be missing
	}
	if err := l.unlisted(ctx, l.run, l.attemptRow(l.run, l.last, nil), l.tried[l.last], err); err != nil {
		return err
	}
	l.ended = slices.DeleteFunc(l.ended, func(e store.RunAttempt) bool { return e.RunAttempt == l.last })
	l.well = slices.DeleteFunc(l.well, func(n int64) bool { return n == l.last })
	return nil
}

// sweepAttempt lists one attempt and writes its jobs, and returns what there is to note
// of it when all is checked. It says whether GitHub's list agrees with itself;
// listed gathers the jobs of all attempts.
func (w *sweep) sweepAttempt(ctx context.Context, r ghapi.Run, attempt int64, listed map[int64]bool) (a store.RunAttempt, agrees bool, err error) {
	before, err := w.listBefore(ctx, r, attempt)
	if err != nil {
		return a, false, err
	}
	list, err := collect(before.ETag, func(etag string) iter.Seq2[ghapi.JobPage, error] {
		return w.client.AttemptJobs(ctx, w.repo.Owner, w.repo.Name, r.ID, attempt, etag)
	})
	if ghapi.IsNotFound(err) {
		return w.noSuchAttempt(ctx, r, attempt)
	}
	if err != nil {
		return a, false, err
	}
	if list.unchanged { // and so all of it is written
		a = w.attemptRow(r, attempt, nil)
		a.Jobs = before.Jobs
		err := w.recordAttempt(ctx, a, nil)
		a.Complete = w.hasEnded(r, a, before.AllCompleted)
		return a, true, err
	}
	a, err = w.writeAttempt(ctx, r, attempt, list, listed)
	return a, list.agrees && err == nil, err
}

// writeAttempt writes the jobs of an attempt's list, and adds them to listed.
func (w *sweep) writeAttempt(ctx context.Context, r ghapi.Run, attempt int64, list jobListing, listed map[int64]bool) (store.RunAttempt, error) {
	// What can be written is, whatever the others are like.
	facts, bad := w.storeJobs(ctx, r, attempt, list.jobs)
	open, listedOpen := 0, 0
	for _, f := range facts {
		listed[f.Job.ID] = true
		if f.Job.Status != store.StatusCompleted {
			open++
		}
	}
	for _, j := range list.jobs {
		if j.GetStatus() != store.StatusCompleted {
			listedOpen++
		}
	}
	a := w.attemptRow(r, attempt, facts)
	if err := w.recordAttempt(ctx, a, facts); err != nil || bad != nil {
		return a, errors.Join(err, bad)
	}
	// A list that says more than its jobs themselves did will not change when these have completed.
	if a.Complete = w.hasEnded(r, a, open == 0); a.Complete || list.etag == "" || open > listedOpen {
		return a, nil
	}
	return a, w.DB.NoteAttemptList(ctx, store.AttemptList{
		RunID: r.ID, RunAttempt: attempt, ETag: list.etag, Jobs: len(facts), AllCompleted: open == 0, ListedAt: a.SweptAt,
	})
}

// listBefore is the list of an attempt as it was read before, if it is enough to hear that
// it has not changed: that is not so of a run that was run again, whose lists are compared
// with each other, nor of one of whose creation only its jobs tell.
func (w *sweep) listBefore(ctx context.Context, r ghapi.Run, attempt int64) (store.AttemptList, error) {
	if r.Attempt > 1 || r.CreatedAt.IsZero() {
		return store.AttemptList{}, nil
	}
	return w.DB.AttemptList(ctx, r.ID, attempt)
}

// hasEnded says whether an attempt need not be listed again, by whether all its listed jobs
// have completed. Nothing lives for longer than maxJobLife, whatever the listing says.
func (w *sweep) hasEnded(r ghapi.Run, a store.RunAttempt, completed bool) bool {
	ended := a.RunAttempt < r.Attempt || r.Status == store.StatusCompleted
	return ended && completed || w.Now().Sub(later(a.RunCreatedAt, r.StartedAt)) > maxJobLife
}

// attemptRow is the row of an attempt that was listed now and is not complete.
func (w *sweep) attemptRow(r ghapi.Run, attempt int64, facts []store.Facts) store.RunAttempt {
	now := w.Now()
	return store.RunAttempt{
		RunID: r.ID, RunAttempt: attempt, RepositoryID: w.repo.ID, RunCreatedAt: createdAt(r, facts, now), Jobs: len(facts), SweptAt: now,
	}
}

// createdAt is when a run was created: as it says itself, or else when the first of an
// attempt's jobs was, or when anything of it is known to have been at the latest. Of a later
// attempt that may be too late; the store keeps what the earliest said.
func createdAt(r ghapi.Run, facts []store.Facts, now time.Time) time.Time {
	if !r.CreatedAt.IsZero() {
		return r.CreatedAt
	}
	at := now
	if !r.CreatedBy.IsZero() && r.CreatedBy.Before(at) {
		at = r.CreatedBy
	}
	for _, f := range facts {
		if c := f.Job.CreatedAt; c != nil && c.Before(at) {
			at = *c
		}
	}
	return at
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// recordAttempt writes an attempt's jobs, in batches, and then that it was listed.
func (w *sweep) recordAttempt(ctx context.Context, a store.RunAttempt, facts []store.Facts) error {
	w.stats.jobs.Add(int64(len(facts)))
	w.stats.attempts.Add(1)
	rest := facts
	for ; len(rest) > recordBatch; rest = rest[recordBatch:] {
		if err := w.DB.RecordListed(ctx, rest[:recordBatch], a.SweptAt, w.priority); err != nil {
			return err
		}
	}
	return w.DB.RecordAttempt(ctx, a, rest, w.priority)
}

// recordBatch bounds one transaction.
const recordBatch = 500

// noSuchAttempt tells a server without attempts, which has but one list, from a
// run that was deleted since it was listed; the latter is believed an hour later.
func (w *sweep) noSuchAttempt(ctx context.Context, r ghapi.Run, attempt int64) (a store.RunAttempt, agrees bool, err error) {
	a = w.attemptRow(r, attempt, nil)
	_, err = w.client.Run(ctx, w.repo.Owner, w.repo.Name, r.ID)
	if ghapi.IsNotFound(err) {
		if err := w.checkRepository(ctx); err != nil {
			return a, false, err
		}
		a.Gone = true
		return a, true, w.recordAttempt(ctx, a, nil)
	}
	if err == nil {
		err = w.recordAttempt(ctx, a, nil)
	}
	// The cross-check lists what there is.
	a.Complete = attempt < r.Attempt || r.Status == store.StatusCompleted
	return a, false, err
}

// crossCheck lists the jobs of all attempts at once and writes those that no
// attempt's list had.
func (w *sweep) crossCheck(ctx context.Context, r ghapi.Run, listed map[int64]bool) error {
	list, err := collect("", func(string) iter.Seq2[ghapi.JobPage, error] {
		return w.client.RunJobs(ctx, w.repo.Owner, w.repo.Name, r.ID, ghapi.FilterAll)
	})
	if ghapi.IsNotFound(err) {
		return w.checkRepository(ctx)
	}
	if err != nil {
		return err
	}
	jobs := slices.DeleteFunc(list.jobs, func(j ghapi.Job) bool { return listed[j.GetID()] })
	facts, bad := w.storeJobs(ctx, r, r.Attempt, jobs)
	for batch := range slices.Chunk(facts, recordBatch) {
		if err := w.DB.RecordListed(ctx, batch, w.Now(), w.priority); err != nil {
			return err
		}
	}
	w.stats.jobs.Add(int64(len(facts)))
	return bad
}

// maxJobs bounds what is believed of one attempt; GitHub's limits allow a tenth.
const maxJobs = 50_000

// jobListing is what the reading of a listing of jobs came to.
type jobListing struct {
	jobs      []ghapi.Job // each once
	agrees    bool        // with the number that it says it has
	etag      string      // of its only page; empty: it had several, or did not agree at first
	unchanged bool        // since the one with the ETag that was given: nothing was read
}

// collect reads a listing of jobs. One that does not have as many as it says is read again,
// and whatever either reading had counts. list is given an ETag, or none.
func collect(etag string, list func(etag string) iter.Seq2[ghapi.JobPage, error]) (jobListing, error) {
	var l jobListing
	seen := make(map[int64]bool)
	for try := range 2 {
		now, total := make(map[int64]bool), 0
		for page, err := range list(etag) {
			switch {
			case err != nil:
				return jobListing{}, err
			case page.Unchanged:
				return jobListing{unchanged: true}, nil
			case len(l.jobs) > maxJobs:
				return jobListing{}, cannotBe("a list of more than %d jobs", maxJobs)
			}
			total = page.Total
			if l.etag = ""; try == 0 && len(now) == 0 && !page.More {
				l.etag = page.ETag
			}
			for _, j := range page.Jobs {
				now[j.GetID()] = true
				if !seen[j.GetID()] {
					seen[j.GetID()] = true
					l.jobs = append(l.jobs, j)
				}
			}
		}
		if len(now) == total {
			l.agrees = len(seen) == total
			return l, nil
		}
		etag, l.etag = "", ""
	}
	return l, nil
}

// storeJobs keeps listed jobs and returns their facts; with an error, those of the jobs that
// nothing is wrong with.
func (w *sweep) storeJobs(ctx context.Context, r ghapi.Run, attempt int64, jobs []ghapi.Job) ([]store.Facts, error) {
	known, err := w.DB.KnownJobs(ctx, idsOf(jobs))
	if err != nil {
		return nil, err
	}
	return listedJobs{archive: w.Archive, client: w.client, repo: w.repo, run: r.ID, attempt: attempt, logger: w.Logger}.store(ctx, jobs, known)
}
