package ingest_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/store"
)

// giteaRig is a rig with a Gitea that knows the repository, and a clock.
func giteaRig(t testing.TB, f githubsim.Features) (*rig, store.Repository, *ingesttest.Clock) {
	t.Helper()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now, GitHub: githubsim.Options{Gitea: true, Features: f, Now: now.Now}})
	return r, r.knowRepository(), now
}

// requests are those made since the last call.
func (r *rig) requests() func() (runs, attempts, all int64) {
	before := map[githubsim.Endpoint]int64{}
	return func() (int64, int64, int64) {
		now := r.GitHub.Requests()
		var all int64
		for e, n := range now {
			all += n - before[e]
		}
		runs, listed := now[runsList]-before[runsList], now[attempts]-before[attempts]
		before = now
		return runs, listed, all
	}
}

// A look at a Gitea's repository of 900 runs in which nothing has happened is one request,
// also once a server begins to heed what it did not; the first look at N runs asks for
// each page once.
func TestIdleLookAtGiteaIsOneRequest(t *testing.T) {
	t.Parallel()
	r, repo, now := giteaRig(t, githubsim.Features{})
	skippedRuns(r.GitHub, now.Now().Add(-10*time.Hour), 900)
	requests := r.requests()
	r.sweepRecent(repo)
	if runs, listed, _ := requests(); runs != 18 || listed != 900 || r.jobs() != 900 {
		t.Fatalf("the first look: %d pages of runs, %d lists of jobs; %d jobs are known", runs, listed, r.jobs())
	}
	for _, f := range []githubsim.Features{
		{}, {MaxPage: 30}, {NoLinks: true}, {RunTimes: true}, {Created: true, RunTimes: true, PerPage: true}, {ETag: true}, {ETag: true, Created: true, RunTimes: true, FilterAll: true}, {},
	} {
		r.GitHub.SetFeatures(f)
		for range 2 {
			now.Advance(3 * time.Minute)
			r.sweepRecent(repo)
			if runs, _, all := requests(); runs != 1 || all != 1 && !f.Created {
				// With created heeded the list is empty, and does not say whose it is.
				t.Errorf("%+v: an idle look is %d requests, %d of them for runs", f, all, runs)
			}
		}
		s, err := r.DB.Sweep(t.Context(), repo.ID)
		r.Check(err)
		if now.Now().Sub(*s.Watermark) > time.Second {
			t.Errorf("%+v: the watermark stays at %s", f, s.Watermark)
		}
		// What is new is found all the same.
		before := r.jobs()
		skippedRunsFrom(r.GitHub, int64(1000+before), now.Now().Add(-2*time.Minute), 3)
		r.sweepRecent(repo)
		if n := r.jobs() - before; n != 3 {
			t.Errorf("%+v: %d of 3 new runs were found", f, n)
		}
		now.Advance(4 * time.Hour) // the new ones are before the next look's range
		r.sweepRecent(repo)
		requests()
	}
}

// More than a thousand runs are all listed, whatever of the range the server heeds.
func TestGiteaWithMoreThanAThousandRuns(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		features githubsim.Features
		pages    int // at most
	}{
		"as recorded":                        {githubsim.Features{}, 22},
		"without links":                      {githubsim.Features{NoLinks: true}, 22},
		"it tells when runs were created":    {githubsim.Features{RunTimes: true}, 60},
		"it heeds the range, and has no cap": {githubsim.Features{RunTimes: true, Created: true}, 60},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, repo, now := giteaRig(t, c.features)
			skippedRuns(r.GitHub, now.Now().Add(-20*time.Hour), 1060)
			swept, err := r.Sweeper().Backfill(t.Context(), repo, now.Now().Add(-21*time.Hour), now.Now())
			r.Check(err)
			if n := r.jobs(); n != 1060 || swept.Pages > c.pages {
				t.Errorf("%d of 1060 jobs, on %d pages of at most %d", n, swept.Pages, c.pages)
			}
			gaps, err := r.DB.Unswept(t.Context(), repo.ID, now.Now().Add(-21*time.Hour), now.Now(), now.Now())
			if err != nil || len(gaps) > 0 {
				t.Errorf("still to list: %+v, %v", gaps, err)
			}
		})
	}
}

// A backfill of some days asks for the jobs of these days' runs alone.
func TestBackfillOfGiteaAsksForItsTimeOnly(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]githubsim.Features{"as recorded": {}, "with times": {RunTimes: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, repo, now := giteaRig(t, f)
			for day := range 30 {
				skippedRunsFrom(r.GitHub, int64(100*(30-day)), now.Now().Add(-time.Duration(day)*24*time.Hour-time.Hour), 10)
			}
			requests := r.requests()
			swept, err := r.Sweeper().Backfill(t.Context(), repo, now.Now().Add(-7*24*time.Hour), now.Now())
			r.Check(err)
			// Seventy runs are on two pages, and a page tells that there is no more.
			if runs, listed, _ := requests(); runs != 2 || listed != 70 || r.jobs() != 70 {
				t.Errorf("%d pages of runs, %d lists of jobs, %d jobs", runs, listed, r.jobs())
			}
			if untold := len(swept.Untold); untold != 70 && !f.RunTimes || untold != 0 && f.RunTimes {
				t.Errorf("%d runs did not say when they were created", untold)
			}
			// Several gaps are one walk, after the first that shows that it is one.
			for _, n := range []int{9, 12, 15, 18} {
				at := now.Now().Add(-time.Duration(n) * 24 * time.Hour)
				r.Check(r.DB.NoteSwept(t.Context(), repo.ID, store.TimeRange{From: at, To: at.Add(24 * time.Hour), Certain: true}))
			}
			_, err = r.Sweeper().Backfill(t.Context(), repo, now.Now().Add(-20*24*time.Hour), now.Now())
			r.Check(err)
			if runs, _, _ := requests(); runs > 10 {
				t.Errorf("%d pages of runs for four gaps", runs)
			}
			if n := r.jobs(); n < 160 {
				t.Errorf("%d jobs of 20 days but four", n)
			}
		})
	}
}

// What a backfill listed counts until it is settled, and belongs to the day of its jobs,
// though no run says when it was created.
func TestUntoldRunsCount(t *testing.T) {
	t.Parallel()
	r, repo, now := giteaRig(t, githubsim.Features{})
	begin := now.Now().Add(-5 * 24 * time.Hour)
	skippedRuns(r.GitHub, begin, 3)
	// Run again within the time, so that it cannot be told from a new one.
	for attempt, at := range []time.Time{begin.Add(-20 * 24 * time.Hour), begin.Add(time.Hour)} {
		j := ingesttest.Completed(int64(attempt+1), at, githubsim.TextLog([]byte("x\n")))
		j.RunID, j.RunAttempt = 49_999, int64(attempt+1)
		r.GitHub.AddJob(j)
	}
	until := now.Now()
	swept, err := r.Sweeper().Backfill(t.Context(), repo, begin.Add(-time.Hour), until)
	r.Check(err)
	runs := store.ListedRuns{Repositories: []int64{repo.ID}, Since: begin.Add(-time.Hour), Until: until}
	tally := func() (n int64) {
		t.Helper()
		tallies, err := r.DB.TallyRuns(t.Context(), runs)
		r.Check(err)
		for _, of := range tallies {
			if of.State == store.LogPending {
				n += of.Jobs
			}
		}
		return n
	}
	if n := tally(); n != 3 {
		t.Errorf("%d pending jobs of the time, want 3", n)
	}
	runs.Also = swept.Untold
	waiting, err := r.DB.Waiting(t.Context(), runs)
	r.Check(err)
	if n := tally(); n != 5 || waiting != 5 {
		t.Errorf("%d pending jobs were listed, %d are waited for, want 5", n, waiting)
	}
	if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM run_attempts WHERE run_id = 49999 AND run_created_at < $1`, begin.Add(-19*24*time.Hour)); n != 2 {
		t.Errorf("%d of 2 attempts have the time of the first", n)
	}
	r.settleAll()
	if n := tally(); n != 0 {
		t.Errorf("%d are pending still", n)
	}
}

// Runs that come while a Gitea's pages are read, and ones that are deleted, make no other
// be passed over.
func TestGiteasPagesShift(t *testing.T) {
	t.Parallel()
	for name, shift := range map[string]func(gh *githubsim.Server, page int64, at time.Time){
		"new runs": func(gh *githubsim.Server, page int64, at time.Time) { skippedRunsFrom(gh, 1000+100*page, at, 20) },
		"deleted runs": func(gh *githubsim.Server, page int64, _ time.Time) {
			if page > 3 {
				return
			}
			for i := range int64(10) {
				gh.RemoveJob(10_000 + 299 - 50*(page-2) - i)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, repo, now := giteaRig(t, githubsim.Features{})
			skippedRuns(r.GitHub, now.Now().Add(-10*time.Hour), 300)
			var pages atomic.Int64
			r.GitHub.OnRequest(func(e githubsim.Endpoint, _ *http.Request) {
				if e == runsList {
					if page := pages.Add(1); page > 1 && page < 8 {
						shift(r.GitHub, page, now.Now())
					}
				}
			})
			r.sweepRecent(repo)
			var missing []string
			for id := int64(10_000); id < 10_230; id++ {
				if ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM jobs WHERE id = $1`, id) == 0 {
					missing = append(missing, fmt.Sprint(id))
				}
			}
			if len(missing) > 0 {
				t.Errorf("%d jobs were passed over: %v", len(missing), missing)
			}
			if gaps, err := r.DB.Unswept(t.Context(), repo.ID, now.Now().Add(-11*time.Hour), now.Now().Add(-time.Minute), now.Now()); err != nil || len(gaps) > 0 {
				t.Errorf("it does not count as listed: %+v, %v", gaps, err)
			}
		})
	}
}

// A server that lists in another order is read to its end, as what is new may be anywhere.
func TestMixedListingIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	r, repo, now := giteaRig(t, githubsim.Features{RunTimes: true})
	add := func(id int64, at time.Time) {
		j := ingesttest.Completed(id, at, githubsim.Log{})
		j.RunID, j.Conclusion, j.RunnerID, j.RunnerName, j.Steps = id, ingesttest.Ptr("skipped"), nil, nil, nil
		r.GitHub.AddJob(j)
	}
	for id := range int64(120) {
		add(100+id, now.Now().Add(-50*time.Hour-time.Duration(id%3)*time.Minute))
	}
	r.sweepRecent(repo)
	now.Advance(time.Hour)
	add(2, now.Now())
	r.sweepRecent(repo)
	if n := r.jobs(); n != 121 {
		t.Errorf("%d of 121 jobs", n)
	}
}
