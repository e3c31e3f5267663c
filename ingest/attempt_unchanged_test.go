package ingest_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/store"
)

// listAnswers are the statuses of the answers to requests for lists of jobs.
type listAnswers struct {
	mu  sync.Mutex
	all []int
}

func (a *listAnswers) count(c *ghapi.Config) {
	c.Requested = func(k ghapi.Kind, status int) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if k == ghapi.KindJobs {
			a.all = append(a.all, status)
		}
	}
}

// want wants the answers since it was called last.
func (a *listAnswers) want(t *testing.T, when string, want ...int) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if !slices.Equal(a.all, want) {
		t.Errorf("%s: the answers to requests for lists were %v, want %v", when, a.all, want)
	}
	a.all = nil
}

// wantAttempt wants how many jobs of run 500 are listed, whether its attempt is complete,
// and whether its list is known.
func (r *rig) wantAttempt(when string, jobs int64, complete, known bool) {
	r.T.Helper()
	got := fmt.Sprint(r.Rows(`SELECT a.jobs, a.complete, l.run_id IS NOT NULL AS known FROM run_attempts a LEFT JOIN attempt_lists l USING (run_id, run_attempt) WHERE run_id = 500`))
	want := fmt.Sprint([]map[string]any{{"jobs": int32(jobs), "complete": complete, "known": known}})
	if got != want {
		r.T.Errorf("%s: the attempt is %s, want %s", when, got, want)
	}
}

// What a worker has read of an attempt is not read again by the sweep: it asks whether it
// has changed, which costs nothing.
func TestASweepNeedNotReadWhatAWorkerHasRead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		after  func(*rig, []githubsim.Job)
		answer int
		jobs   int64
	}{
		{"unchanged", func(*rig, []githubsim.Job) {}, http.StatusNotModified, 3},
		{"a job more", func(r *rig, _ []githubsim.Job) { r.GitHub.AddJob(ofOneRun(4, time.Now())[3]) }, http.StatusOK, 4},
		{"a job has changed", func(r *rig, jobs []githubsim.Job) {
			jobs[1].Name = "renamed"
			r.GitHub.AddJob(jobs[1])
		}, http.StatusOK, 3},
		{"the list was forgotten", func(r *rig, _ []githubsim.Job) {
			r.Check(r.DB.ForgetAttemptLists(t.Context(), time.Now().Add(time.Hour)))
		}, http.StatusOK, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var lists listAnswers
			r := newRig(t, ingesttest.Options{Client: lists.count})
			repo := r.knowRepository()
			jobs := ofOneRun(3, time.Now())
			r.Know(jobs...)
			r.tryAll(jobs...)
			lists.want(t, "live", http.StatusOK)
			c.after(r, jobs)
			r.sweepRecent(repo)
			lists.want(t, "sweep", c.answer)
			r.wantAttempt("swept", c.jobs, true, false)
			if n := r.jobs(); int64(n) != c.jobs {
				t.Errorf("%d jobs are known, want %d", n, c.jobs)
			}
			r.sweepRecent(repo)
			lists.want(t, "sweep again")
		})
	}
}

// A worker's list is noted only if there is no more to it than what was kept.
func TestOnlyAWholeListIsNoted(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*rig, []githubsim.Job){
		"a job goes on": func(r *rig, jobs []githubsim.Job) {
			jobs[2].Status, jobs[2].Conclusion, jobs[2].CompletedAt = "in_progress", nil, nil
			r.GitHub.AddJob(jobs[2])
		},
		"a count that lies": func(r *rig, _ []githubsim.Job) { r.GitHub.LieAboutTotal(attempts, 1) },
		"several pages": func(r *rig, _ []githubsim.Job) {
			for _, j := range ofOneRun(103, time.Now())[3:] {
				r.GitHub.AddJob(j)
			}
		},
		"a job that nobody can use": func(r *rig, jobs []githubsim.Job) {
			jobs[2].Labels = []string{string(make([]byte, 2000))}
			r.GitHub.AddJob(jobs[2])
		},
		"no ETag": func(r *rig, _ []githubsim.Job) { r.GitHub.SetFeatures(githubsim.Features{}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, ingesttest.Options{GitHub: githubsim.Options{Gitea: name == "no ETag"}})
			jobs := ofOneRun(3, time.Now())
			r.Know(jobs...)
			spoil(r, jobs)
			r.tryAll(jobs[:2]...)
			r.wantAsked(1, 0)
			if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM attempt_lists`); n != 0 {
				t.Error("the list is noted")
			}
		})
	}
}

// A run that goes on is read again when its list has changed, and not before.
func TestARunThatGoesOnIsReadWhenItChanges(t *testing.T) {
	t.Parallel()
	clock := ingesttest.NewClock()
	var lists listAnswers
	r := newRig(t, ingesttest.Options{Now: clock.Now, Client: lists.count})
	repo := r.knowRepository()
	jobs := ofOneRun(2, clock.Now())
	open := jobs[1]
	open.Status, open.Conclusion, open.CompletedAt = "in_progress", nil, nil
	r.GitHub.AddJob(jobs[0])
	r.GitHub.AddJob(open)
	sweep := func() {
		clock.Advance(10 * time.Minute)
		r.sweepRecent(repo)
	}
	sweep()
	lists.want(t, "at first", http.StatusOK)
	r.wantAttempt("at first", 2, false, true)
	sweep()
	lists.want(t, "unchanged", http.StatusNotModified)
	r.wantAttempt("unchanged", 2, false, true)
	r.GitHub.AddJob(jobs[1])
	sweep()
	lists.want(t, "ended", http.StatusOK)
	r.wantAttempt("ended", 2, true, false)
	if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM jobs WHERE status = $1`, store.StatusCompleted); n != 2 {
		t.Errorf("%d jobs have completed, want 2", n)
	}
}
