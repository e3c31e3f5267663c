package ingest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/store"
)

// A job that its runner skipped has a log; one that no runner had has none, and is not
// asked for. A log that the server has cleaned up has expired, at the first try.
func TestSkippedJobsOfGitea(t *testing.T) {
	t.Parallel()
	r, _, now := giteaRig(t, githubsim.Features{})
	byIf := ingesttest.Completed(1, now.Now(), githubsim.TextLog([]byte("the condition is false\n")))
	byNeeds, cleared := byIf, ingesttest.Completed(3, now.Now(), githubsim.TextLog([]byte("x\n")))
	byIf.Conclusion = ingesttest.Ptr("skipped")
	byNeeds.ID, byNeeds.Conclusion, byNeeds.RunnerID, byNeeds.RunnerName, byNeeds.Steps, byNeeds.Log = 2, ingesttest.Ptr("skipped"), nil, nil, nil, githubsim.Log{}
	r.Know(byIf, byNeeds, cleared)
	r.GitHub.ExpireLog(3)
	for id, want := range map[int64]string{1: store.LogArchived, 2: store.LogNone, 3: store.LogExpired} {
		if says, _ := r.Try(id); says != "done" {
			t.Errorf("job %d: %s", id, says)
		}
		if got := ingesttest.Scalar[string](r.Rig, `SELECT state FROM job_logs WHERE job_id = $1`, id); got != want {
			t.Errorf("job %d is %s, want %s", id, got, want)
		}
	}
	r.CompareLog(byIf)
	if n := r.GitHub.RequestsFor(2)[log]; n != 0 {
		t.Errorf("a log that cannot be was asked for %d times", n)
	}
}

// Nothing of a repository that was deleted fails once its jobs are settled; while one is
// not, it does. It counts as listed as far as it was, and from there on again if it comes
// back.
func TestDeletedRepositoryFailsNothing(t *testing.T) {
	t.Parallel()
	for name, gitea := range map[string]bool{"GitHub": false, "Gitea": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, ingesttest.Options{GitHub: githubsim.Options{Gitea: gitea}})
			repo := r.knowRepository()
			skippedRuns(r.GitHub, time.Now().Add(-time.Hour), 3)
			r.sweepRecent(repo)
			before, err := r.DB.Sweep(t.Context(), repo.ID)
			r.Check(err)
			r.GitHub.RemoveRepository(repo.ID)
			sweep := func() (ingest.ReconcileResult, error) { return r.Sweeper().Reconcile(t.Context(), nil) }
			if _, err := sweep(); err == nil || !strings.Contains(err.Error(), "not found") {
				t.Errorf("three jobs are pending, and the round says %v", err)
			}
			r.Exec(`UPDATE job_logs SET state = 'none', reason = 'skipped', settled_at = now()`)
			s := r.Sweeper()
			for range 2 {
				if _, err := s.Reconcile(t.Context(), nil); err != nil {
					t.Errorf("all is settled, and the round says %v", err)
				}
			}
			asked := r.GitHub.Requests()
			if _, err := s.Reconcile(t.Context(), nil); err != nil || len(r.GitHub.Requests()) != len(asked) || r.GitHub.Requests()[runsList] != asked[runsList] {
				t.Errorf("it is asked for in every round: %v", err)
			}
			gone, err := r.DB.Sweep(t.Context(), repo.ID)
			r.Check(err)
			if gone.GoneAt == nil || gone.FailedAt != nil || !gone.Watermark.Equal(*before.Watermark) {
				t.Errorf("%+v", gone)
			}
			ends, err := r.DB.SweepEnds(t.Context())
			r.Check(err)
			gaps, err := r.DB.Gaps(t.Context(), "", time.Time{})
			if err != nil || len(ends) > 0 || len(gaps) > 0 {
				t.Errorf("something is wrong still: %+v, %+v, %v", ends, gaps, err)
			}
			// Whoever asks for its past is told.
			if _, err := r.Sweeper().Backfill(t.Context(), repo, time.Now().Add(-time.Hour), time.Now()); err == nil {
				t.Error("a backfill of what is not there succeeded")
			}
			if failed, err := r.DB.Sweep(t.Context(), repo.ID); err != nil || failed.FailedAt != nil {
				t.Errorf("that counts as a failure: %+v, %v", failed, err)
			}
			r.GitHub.AddRepository(ingesttest.Repository)
			skippedRunsFrom(r.GitHub, 10, time.Now().Add(-time.Minute), 2)
			r.sweepRecent(repo)
			if back, err := r.DB.Sweep(t.Context(), repo.ID); err != nil || back.GoneAt != nil || r.jobs() != 5 {
				t.Errorf("it is back: %+v, %d of 5 jobs, %v", back, r.jobs(), err)
			}
		})
	}
}
