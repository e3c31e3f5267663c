package ingest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

// Jobs of an attempt that have completed close together are described by one list of the
// attempt's jobs, for as many requests as it has pages, and not by a request for each. Of
// those that wait for it, one lists them all. If that fails, or does not tell of a job that
// it has completed, the job itself is asked for.

// attemptID is one attempt of a run.
type attemptID struct{ run, attempt int64 }

// attemptListings are the attempts whose jobs the archive workers of this process are
// listing now. The zero value is ready; it may be used by several goroutines.
type attemptListings struct {
	mu      sync.Mutex
	running map[attemptID]chan struct{}
	failed  map[attemptID]time.Time // when, by this process's clock
	claims  *store.RunClaims
}

// A list that takes longer than listTime, or fails, is given up, and the jobs are asked for;
// none is asked for of that attempt for listPause, so that a list that never comes keeps its
// other jobs, and those of others behind them, no longer than once.
const (
	listTime  = 10 * time.Second
	listPause = time.Minute
)

// hasFailed says whether the attempt could not be listed a short time ago.
func (l *attemptListings) hasFailed(id attemptID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.failed, func(_ attemptID, at time.Time) bool { return time.Since(at) > listPause })
	_, failed := l.failed[id]
	return failed
}

// begin makes the caller the one that lists an attempt, until it calls end with what that
// failed with. If somebody else is, other is closed when that one has ended, and end is nil.
func (l *attemptListings) begin(id attemptID) (end func(error), other <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if running, ok := l.running[id]; ok {
		return nil, running
	}
	if l.running == nil {
		l.running, l.failed = make(map[attemptID]chan struct{}), make(map[attemptID]time.Time)
	}
	ended := make(chan struct{})
	l.running[id] = ended
	return func(err error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.running, id)
		if err != nil {
			l.failed[id] = time.Now()
		}
		close(ended)
	}, nil
}

// claimsIn are the claims of this process, by which other processes know what it lists.
func (l *attemptListings) claimsIn(db *store.DB) *store.RunClaims {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.claims == nil {
		l.claims = db.NewRunClaims()
	}
	return l.claims
}

// describeByList has the job described by the list of its attempt's jobs, if others wait
// for that too. What is known of it is read again then; if it is not described, no list
// will do.
func (t *task) describeByList(ctx context.Context) error {
	if t.known.Log.State != store.LogPending || t.known.Log.TryingSince != nil {
		return nil // it has not just completed, or was asked for in vain
	}
	id := attemptID{t.known.Job.RunID, t.key.RunAttempt}
	if t.listings.hasFailed(id) {
		return nil
	}
	jobs, err := t.DB.AttemptJobs(ctx, id.run, t.known.Job.RunAttempt)
	waits := slices.Contains(jobs.Waiting, t.id) // or was described since what is known of it was read
	if err != nil || waits && !worthListing(jobs) {
		return err
	}
	if waits {
		if err := t.awaitList(ctx, id); err != nil {
			return err
		}
	}
	now, err := t.DB.JobToArchive(ctx, t.id)
	if err != nil {
		return err
	}
	now.Repository = t.known.Repository // its name may have been looked up
	t.known, t.key = now, record.KeyOf(now.Job)
	return nil
}

// awaitList returns when the attempt has been listed, by whoever came first, or cannot be
// within listTime.
func (t *task) awaitList(ctx context.Context, id attemptID) error {
	end, other := t.listings.begin(id)
	if other == nil {
		limited, cancel := context.WithTimeout(ctx, listTime)
		defer cancel()
		err := t.listClaimed(limited, id)
		end(err)
		if err != nil {
			t.logger.DebugContext(ctx, "jobs of an attempt are not described by its list", "run", id.run, KeyError, err)
		}
		return ctx.Err()
	}
	select {
	case <-other:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// perPage is how many jobs a page of a list has on GitHub.
const perPage = 100

// worthListing says whether a list costs fewer requests than to ask for each of the jobs
// that wait.
func worthListing(jobs store.AttemptJobs) bool {
	pages := max((jobs.Known+perPage-1)/perPage, 1)
	return len(jobs.Waiting) > pages
}

// listPatience is how long a job waits for another process that lists its run.
const listPatience = 5 * time.Second

// listClaimed lists the jobs of an attempt, unless another process that was listing the run
// has described this one meanwhile.
func (t *task) listClaimed(ctx context.Context, id attemptID) error {
	claims := t.listings.claimsIn(t.DB)
	giveUp := time.Now().Add(listPatience)
	for {
		claimed, err := claims.Try(ctx, id.run)
		if claimed {
			defer func() { _ = claims.Release(context.WithoutCancel(ctx), id.run) }() // after an error it is lost as well
		}
		if err != nil { // it costs requests, and harms nothing
			t.logger.DebugContext(ctx, "an attempt is listed without a claim", "run", id.run, KeyError, err)
		}
		if claimed || err != nil {
			break
		}
		if time.Now().After(giveUp) {
			return fmt.Errorf("run %d: another process has been listing it for %s", id.run, listPatience)
		}
		wait(ctx, claimPause)
	}
	// Whoever listed it before this may have described this job: what is asked for is what
	// waits now.
	jobs, err := t.DB.AttemptJobs(ctx, id.run, t.known.Job.RunAttempt)
	if err != nil || !slices.Contains(jobs.Waiting, t.id) {
		return err
	}
	return t.listAttempt(ctx, id, jobs.Waiting)
}

// listAttempt lists the jobs of an attempt, until it has come to all that wait or would cost
// more than to ask for each, and keeps the descriptions of those that have completed. If that
// is all that there is to the list, it is noted, so that a sweep need not read it again.
func (t *task) listAttempt(ctx context.Context, id attemptID, waiting []int64) error {
	repo, pages, left, seen := t.known.Repository, 0, slices.Clone(waiting), make(map[int64]bool)
	for page, err := range t.client.AttemptJobs(ctx, repo.Owner, repo.Name, id.run, id.attempt, "") {
		if err != nil {
			return err
		}
		pages++
		var jobs []ghapi.Job // without those that come twice
		for _, j := range page.Jobs {
			if !seen[j.GetID()] {
				jobs, seen[j.GetID()] = append(jobs, j), true
			}
		}
		left = slices.DeleteFunc(left, func(job int64) bool { return seen[job] })
		all, err := t.keepListed(ctx, id, jobs, waiting)
		if err != nil {
			return err
		}
		if all && page.ETag != "" && !page.More && len(seen) == len(page.Jobs) && page.Total == len(seen) {
			return t.DB.NoteAttemptList(ctx, store.AttemptList{
				RunID: id.run, RunAttempt: id.attempt, ETag: page.ETag, Jobs: len(seen), AllCompleted: true, ListedAt: t.Now(),
			})
		}
		if len(left) == 0 || pages >= len(waiting) {
			return nil
		}
	}
	return nil
}

// keepListed keeps the descriptions of those of the listed jobs that have completed, also
// of those that no webhook told of yet, and says whether those are all. The ones that wait
// have been enqueued, and the others are now.
func (t *task) keepListed(ctx context.Context, id attemptID, listed []ghapi.Job, waiting []int64) (all bool, err error) {
	known, err := t.DB.KnownJobs(ctx, idsOf(listed))
	if err != nil {
		return false, err
	}
	selected := selects(t.selected, t.known.Repository)
	all = true
	var jobs []ghapi.Job
	for _, j := range listed {
		was, told := known[j.GetID()]
		switch {
		case was.Fetched:
		case j.GetStatus() != store.StatusCompleted, !told && !selected:
			all = false
		default:
			jobs = append(jobs, j)
		}
	}
	facts, bad := listedJobs{archive: t.Archive, client: t.client, repo: t.known.Repository, run: id.run, attempt: id.attempt, logger: t.logger}.store(ctx, jobs, known)
	if bad != nil {
		t.logger.DebugContext(ctx, "listed jobs are not described by their list", "run", id.run, KeyError, bad)
	}
	stored := len(facts)
	facts = slices.DeleteFunc(facts, func(f store.Facts) bool { return f.Job.Status != store.StatusCompleted }) // as the job says of itself
	all = all && bad == nil && len(facts) == stored
	if len(facts) == 0 {
		return all, nil
	}
	var untold []int64
	for _, f := range facts {
		if !slices.Contains(waiting, f.Job.ID) {
			untold = append(untold, f.Job.ID)
		}
	}
	return all, t.DB.RecordDescribed(ctx, facts, untold, t.Now(), t.priority)
}
