package main

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/store"
)

var rocket = githubsim.Repository{ID: 3, Owner: "acme", Name: "rocket"}

// runs adds a run of one job to the simulator, created a while ago; it has
// completed and was skipped, or still runs.
func (w *world) runs(id int64, ago time.Duration, completed bool) {
	at := time.Now().Add(-ago).UTC().Truncate(time.Second)
	j := githubsim.Job{
		ID: id, RunID: 100 + id, RunAttempt: 1, RepositoryID: rocket.ID, Name: "build", Status: "in_progress",
		HeadSHA: strings.Repeat("a", 40), CreatedAt: at, StartedAt: at,
	}
	if completed {
		skipped := "skipped"
		j.Status, j.Conclusion, j.CompletedAt = "completed", &skipped, &at
	}
	w.github.AddJob(j)
}

// coverage tells jobs that still run from others, and they are no fault: CI is always
// busy somewhere.
func TestRunningJobIsNoFault(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.github.AddRepository(rocket)
	w.runs(1, time.Hour, true)
	w.runs(2, time.Minute, false)
	sum, jobs := summaryOf(t, w.want(0, "reconcile", "--repo", "acme/rocket", "--json"))
	states := make(map[string]int64)
	for _, tally := range sum.States {
		states[tally.State] = tally.Jobs
	}
	if jobs != 2 || states[store.Running] != 1 || states[store.LogNone] != 1 {
		t.Errorf("the summary says %v", states)
	}
	w.runs(2, time.Minute, true)
	if s := w.want(0, "reconcile", "--repo", "acme/rocket"); strings.Contains(s.out, "running") {
		t.Errorf("when it has ended: %s", s.out)
	}
}

// A repository that is not selected is refused by name, before GitHub is asked.
func TestUnselectedRepositoryIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settings = append(w.settings, "JOBVAULT_REPOSITORIES=acme/*,!acme/secret")
	for _, args := range [][]string{{"reconcile"}, {"backfill", "--since", "7d"}} {
		s := w.want(exitUsage, append(args, "--repo", "acme/secret")...)
		if !strings.Contains(s.err, `--repo=acme/secret: JOBVAULT_REPOSITORIES="acme/*,!acme/secret" does not select it`) {
			t.Errorf("%s: %s", args[0], s.err)
		}
	}
	if n := w.github.Requests()[githubsim.EndpointRepository]; n > 0 {
		t.Errorf("asked for it %d times", n)
	}
}

// coverage reports a sweep that failed, in text that does nothing to a terminal, and a
// time that was not swept.
func TestCoverageTellsOfSweeps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.github.AddRepository(rocket)
	w.runs(1, 50*time.Hour, true)
	w.want(0, "reconcile", "--repo", "acme/rocket")
	// The day on which the first sweep began is not whole.
	since := time.Now().UTC().Add(-48 * time.Hour).Format(time.DateOnly)
	w.want(0, "coverage", "--since", since)
	w.want(0, "backfill", "--repo", "acme/rocket", "--since", "20d", "--until", "10d")
	if s := w.want(1, "coverage", "--since", "30d"); !strings.Contains(s.err, "acme/rocket: runs created from ") {
		t.Errorf("of a hole: %s", s.err)
	}
	w.want(0, "coverage", "--since", since)
	_, err := w.pool.Exec(t.Context(), `UPDATE sweeps SET failed_at = now(), error = E'away \x1b[2J'`)
	w.check(err)
	s := w.want(1, "coverage", "--since", since, "--repo", "ACME/Rocket")
	if !strings.Contains(s.err, "acme/rocket: the last sweep failed at ") || strings.Contains(s.err, "\x1b") {
		t.Errorf("of a failed sweep: %q", s.err)
	}
	w.want(0, "coverage", "--since", since, "--repo", "acme/other")
}

// Of several repositories that had a name, a command means the one that has it; if none
// has it any more, their ids tell them apart.
func TestRepositoryOfAReusedName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.pool.Exec(t.Context(), `
		INSERT INTO repositories (id, owner, name, seen_at, named_at) VALUES
			(7, 'acme', 'rocket', '2026-01-04', '2026-01-02'), (8, 'Acme', 'Rocket', '2026-01-02', '2026-01-03'), (9, 'acme', 'rocket', '2026-01-03', '2026-01-01')`)
	w.check(err)
	for s, want := range map[string]int64{"acme/rocket": 8, "7": 7, "": 0} {
		if id, err := repositoryID(t.Context(), w.db, s); id != want || err != nil {
			t.Errorf("%q: repository %d, %v", s, id, err)
		}
	}
	_, err = w.pool.Exec(t.Context(), `UPDATE repositories SET name = 'starship' WHERE id = 8`)
	w.check(err)
	if _, err := repositoryID(t.Context(), w.db, "acme/rocket"); err == nil || !strings.Contains(err.Error(), "it was that of 8 (now Acme/starship), 7, 9") {
		t.Errorf("of a name that none has: %v", err)
	}
	if _, err := repositoryID(t.Context(), w.db, "10"); err == nil || !strings.Contains(err.Error(), "id 10") {
		t.Errorf("of an unknown id: %v", err)
	}
	if _, err := repositoryID(t.Context(), w.db, "acme/lander"); err == nil || !strings.Contains(err.Error(), "acme/lander") {
		t.Errorf("of an unknown one: %v", err)
	}
}

// A bucket that is away is said at once, and by the name of its setting.
func TestCommandsNeedTheBucket(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settings = append(w.settings, "JOBVAULT_BUCKET_URL=s3://logs?endpoint=127.0.0.1:1&tls=false", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=not-to-be-told")
	s := w.want(1, "backfill", "--repo", "acme/rocket", "--since", "7d")
	if !strings.Contains(s.err, "JOBVAULT_BUCKET_URL: ") || strings.Contains(s.err, "not-to-be-told") {
		t.Errorf("it says %s", s.err)
	}
}

// A second signal ends the process without waiting for what still runs.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	day := w.github.PlayableDay(26, 40, 1<<20)
	w.github.Inject(githubsim.Fault{Endpoint: githubsim.EndpointBlob, Kind: githubsim.HangBody})
	p := startProcess(t, append(w.settings, "JOBVAULT_SHUTDOWN_TIMEOUT=10m")...)
	githubsim.Send(t.Context(), p.url+"/webhook", day.Deliveries, githubsim.SendOptions{Secret: processSecret, Concurrency: 8})
	w.await(time.Minute, `SELECT count(*) > 10 FROM queue.river_job WHERE kind = 'archive' AND state = 'running'`)
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	patience := time.After(time.Minute)
	for {
		select {
		case err := <-p.ended:
			p.ended <- err
			status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
			if !ok || status.Signal() != syscall.SIGINT {
				t.Errorf("it ended with %v, not by the signal", err)
			}
			return
		case <-again.C:
			if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
				t.Log(err) // it ended in between
			}
		case <-patience:
			t.Fatalf("it goes on\n%s", p.said())
		}
	}
}
