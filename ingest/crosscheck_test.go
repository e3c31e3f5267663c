package ingest_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/githubsim"
)

const allJobs = githubsim.EndpointRunJobs

// hideJob adds a run with a job in each of its attempts, 1 and so on, and job 9,
// which only the list of all jobs has.
func (r *rig) hideJob(attempts int64) {
	for id := int64(1); id <= attempts; id++ {
		j := ingesttest.Completed(id, r.Now().Add(-time.Hour), githubsim.Log{})
		j.Conclusion, j.RunID, j.RunAttempt = ingesttest.Ptr("skipped"), 500, id
		r.GitHub.AddJob(j)
	}
	hidden := ingesttest.Completed(9, r.Now().Add(-time.Hour), githubsim.Log{})
	hidden.Conclusion, hidden.RunID, hidden.ListedAttempt = ingesttest.Ptr("skipped"), 500, -1
	r.GitHub.AddJob(hidden)
}

// wantListed wants numbers of jobs known and of attempts complete.
func (r *rig) wantListed(when string, jobs, complete int) {
	r.T.Helper()
	if n := r.jobs(); n != jobs {
		r.T.Errorf("%s: %d jobs are known, want %d", when, n, jobs)
	}
	if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM run_attempts WHERE complete`); n != complete {
		r.T.Errorf("%s: %d attempts are complete, want %d", when, n, complete)
	}
}

// wantOpen wants nothing noted as swept, nor a watermark, unless an attempt's row has it asked
// for again.
func (r *rig) wantOpen(when string) {
	r.T.Helper()
	if ingesttest.Scalar[bool](r.Rig, `SELECT EXISTS (SELECT FROM run_attempts WHERE trying_since IS NOT NULL AND NOT complete AND given_up_at IS NULL)`) {
		return
	}
	r.wantNotSwept(when)
}

// wantNotSwept wants nothing noted as swept, nor a watermark.
func (r *rig) wantNotSwept(when string) {
	r.T.Helper()
	for _, row := range r.Rows(`SELECT swept::text, watermark FROM sweeps WHERE swept <> '{}' OR watermark IS NOT NULL`) {
		r.T.Errorf("%s: noted as swept: %v", when, row)
	}
}

// An attempt whose lists have to be compared with each other is complete only when
// they were. A sweep that fails or is killed in between lists it again, and then
// finds what it missed.
func TestNoAttemptIsCompleteBeforeTheCrossCheck(t *testing.T) {
	t.Parallel()
	runs := map[string]struct {
		attempts int64
		spoil    func(*githubsim.Server)
	}{
		"run again":         {2, func(*githubsim.Server) {}},
		"a count that lies": {1, func(gh *githubsim.Server) { gh.LieAboutTotal(attempts, 3) }},
		"no list of attempts": {1, func(gh *githubsim.Server) {
			gh.Inject(githubsim.Fault{Endpoint: attempts, Kind: githubsim.NotFoundJSON})
		}},
	}
	faults := map[string]githubsim.Fault{
		"fails":             {Endpoint: allJobs, Kind: githubsim.ServerError},
		"limited":           {Endpoint: allJobs, Kind: githubsim.TooMany, RetryAfter: 90 * time.Second},
		"a page":            {Endpoint: allJobs, Kind: githubsim.HTML200},
		"another run's job": {Endpoint: allJobs, Kind: githubsim.Status, Status: http.StatusOK, Body: `{"total_count":1,"jobs":[{"id":9,"run_id":7,"status":"completed"}]}`},
		"forbidden":         {Endpoint: allJobs, Kind: githubsim.Forbidden},
		"killed":            {}, // by the test
	}
	for run, c := range runs {
		for name, fault := range faults {
			t.Run(run+", "+name, func(t *testing.T) {
				t.Parallel()
				now := ingesttest.NewClock()
				r := newRig(t, ingesttest.Options{Now: now.Now, GitHub: githubsim.Options{Now: now.Now}})
				repo := r.knowRepository()
				r.hideJob(c.attempts)
				c.spoil(r.GitHub)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				remove := func() { r.GitHub.OnRequest(nil) }
				if fault.Endpoint != "" {
					remove = r.GitHub.Inject(fault)
				} else {
					r.GitHub.OnRequest(func(e githubsim.Endpoint, _ *http.Request) {
						if e == allJobs {
							cancel()
						}
					})
				}
				if _, err := r.Sweeper().Recent(ctx, repo, time.Time{}); err == nil {
					t.Error("the sweep succeeded")
				}
				known := int(c.attempts)
				if run == "no list of attempts" {
					known = 0
				}
				r.wantListed("after the failure", known, 0)
				r.wantOpen("after the failure")

				remove()
				now.Advance(2 * time.Minute)
				before := r.GitHub.Requests()
				r.sweepRecent(repo)
				r.wantListed("after the next sweep", int(c.attempts)+1, int(c.attempts))
				if after := r.GitHub.Requests(); after[attempts]-before[attempts] < c.attempts || after[allJobs] == before[allJobs] {
					t.Error("the next sweep does not list the attempts again")
				}
				before = r.GitHub.Requests()
				now.Advance(time.Hour)
				r.sweepRecent(repo)
				if after := r.GitHub.Requests(); after[attempts] != before[attempts] || after[allJobs] != before[allJobs] {
					t.Error("what is complete is listed again")
				}
			})
		}
	}
}

// Where the cross-check finds no such run, it may be another repository that was
// asked: that is not believed.
func TestCrossCheckOfAMovedRepository(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		move           func(*githubsim.Server)
		fails          bool
		jobs, complete int
	}{
		{"renamed", func(gh *githubsim.Server) { gh.RenameRepository(ingesttest.Repository.ID, "acme", "Rakete") }, false, 3, 2},
		{"name taken by another", func(gh *githubsim.Server) {
			gh.RenameRepository(ingesttest.Repository.ID, "acme", "rocket-classic")
			gh.AddRepository(githubsim.Repository{ID: 4, Owner: "acme", Name: "rocket", InstallationID: ingesttest.Repository.InstallationID})
		}, false, 3, 2},
		{"deleted", func(gh *githubsim.Server) { gh.RemoveRepository(ingesttest.Repository.ID) }, true, 2, 0},
		{"deleted, and its name taken", func(gh *githubsim.Server) {
			gh.RemoveRepository(ingesttest.Repository.ID)
			gh.AddRepository(githubsim.Repository{ID: 4, Owner: "acme", Name: "rocket", InstallationID: ingesttest.Repository.InstallationID})
		}, true, 2, 0},
		{"only the run deleted", func(gh *githubsim.Server) {
			for _, id := range []int64{1, 2, 9} {
				gh.RemoveJob(id)
			}
		}, false, 2, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newAppRig(t)
			repo := r.knowRepository()
			r.hideJob(2)
			var asked atomic.Int64
			r.GitHub.OnRequest(func(e githubsim.Endpoint, _ *http.Request) {
				if e == allJobs && asked.Add(1) == 1 {
					c.move(r.GitHub)
				}
			})
			if _, err := r.Sweeper().Recent(t.Context(), repo, time.Time{}); (err != nil) != c.fails {
				t.Errorf("the sweep says %v", err)
			}
			r.wantListed("afterwards", c.jobs, c.complete)
			if c.fails {
				r.wantNotSwept("afterwards")
			}
		})
	}
}
