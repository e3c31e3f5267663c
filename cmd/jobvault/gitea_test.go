package main

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/store"
)

// giteaWorld is a world with a Gitea.
func giteaWorld(t testing.TB) *world {
	t.Helper()
	w := newWorld(t)
	gitea, err := githubsim.Start(githubsim.Options{Gitea: true})
	w.check(err)
	t.Cleanup(func() { w.check(gitea.Close()) })
	w.settings = append(w.settings, "JOBVAULT_GITHUB_API_URL="+gitea.URL(), "JOBVAULT_GITHUB_TOKEN="+gitea.Token())
	w.github.Close()
	w.github = gitea
	gitea.AddRepository(rocket)
	return w
}

// A backfill of a Gitea, whose runs do not say when they were created, does not end well
// before what it listed is settled, and asks for its time only.
func TestBackfillOfGitea(t *testing.T) {
	t.Parallel()
	w := giteaWorld(t)
	for day := range int64(20) {
		w.runs(1+day, time.Duration(day)*24*time.Hour+time.Hour, true)
	}
	sum, jobs := summaryOf(t, w.want(0, "backfill", "--repo", "acme/rocket", "--since", "7d", "--json"))
	if jobs != 7 || len(sum.States) != 1 || sum.States[0].State != store.LogNone {
		t.Errorf("the summary says %+v", sum)
	}
	if n := w.github.Requests()[githubsim.EndpointAttemptJobs]; n != 7 {
		t.Errorf("%d lists of jobs for 7 runs", n)
	}
	// A log that is not there yet keeps a job pending, and that is said.
	at := time.Now().Add(-time.Minute).UTC().Truncate(time.Second)
	success, runner := "success", int64(1)
	w.github.AddJob(githubsim.Job{
		ID: 99, RunID: 199, RunAttempt: 1, RepositoryID: rocket.ID, Name: "late", Status: "completed", Conclusion: &success, HeadSHA: strings.Repeat("a", 40),
		CreatedAt: at, StartedAt: at, CompletedAt: &at, RunnerID: &runner, Steps: []githubsim.Step{{Name: "x", Status: "completed", Conclusion: &success}},
	})
	if s := w.want(1, "backfill", "--repo", "acme/rocket", "--since", "7d"); !strings.Contains(s.err, "not every job is settled") {
		t.Errorf("%s\n%s", s.out, s.err)
	}
}

// After a repository was deleted, reconcile and coverage do not fail for it. Coverage says
// how far it was listed, and of which days nobody can know whether they are complete.
func TestCoverageNamesWhatIsGone(t *testing.T) {
	t.Parallel()
	w := giteaWorld(t)
	w.runs(1, time.Hour, true)
	w.want(0, "reconcile", "--repo", "acme/rocket")
	w.github.RemoveRepository(rocket.ID)
	w.want(0, "reconcile")
	s := w.want(0, "coverage")
	if !strings.Contains(s.err, "acme/rocket: GitHub knows no such repository since ") || !strings.Contains(s.err, "were not listed; days of which it cannot be known whether they had more jobs: 1") || !regexp.MustCompile(` yes +\?`).MatchString(s.out) {
		t.Errorf("%s\n%s", s.out, s.err)
	}
	if s := w.want(0, "coverage", "--json"); !strings.Contains(s.out, `"complete":true,"unlisted":null,"gone_at":"`) {
		t.Errorf("JSON: %s", s.out)
	}
}

// What is listed again after a pause that a limit makes is counted once.
func TestRunsListedAgainAfterAPauseCountOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		world func(testing.TB) *world
		runs  int
	}{"GitHub": {newWorld, 7}, "Gitea, whose runs tell no time": {giteaWorld, 7}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := c.world(t)
			w.github.AddRepository(rocket)
			for day := range int64(c.runs) {
				w.runs(1+day, time.Duration(day)*24*time.Hour+time.Hour, true)
			}
			w.github.Inject(githubsim.Fault{Endpoint: githubsim.EndpointAttemptJobs, Times: 1, Kind: githubsim.TooMany, RetryAfter: time.Second})
			sum, jobs := summaryOf(t, w.want(0, "backfill", "--repo", "acme/rocket", "--since", "8d", "--json"))
			if pages := w.github.Requests()[githubsim.EndpointRuns]; pages < 2 {
				t.Fatalf("nothing was listed again: %d pages", pages)
			}
			if sum.Runs != c.runs || jobs != int64(c.runs) {
				t.Errorf("%d runs, %d jobs, want %d: %+v", sum.Runs, jobs, c.runs, sum)
			}
		})
	}
}

// A sweep that began anew names the runs without a time that it had named before.
func TestUntoldRunsAreCountedOnce(t *testing.T) {
	r, listed := &sweepRun{}, make(map[int64]bool)
	for _, c := range []struct {
		swept ingest.SweepResult
		new   int
	}{
		{ingest.SweepResult{Listed: []int64{1, 2, 3}, Untold: []int64{2, 3}}, 2},
		{ingest.SweepResult{Listed: []int64{1, 2, 3, 4}, Untold: []int64{2, 3, 4}}, 1},
	} {
		if untold := r.count(listed, c.swept); len(untold) != c.new {
			t.Errorf("new: %v", untold)
		}
	}
	if also := r.runs().Also; r.found.Runs != 4 || len(also) != 3 {
		t.Errorf("%d runs, of which %v tell no time", r.found.Runs, also)
	}
}
