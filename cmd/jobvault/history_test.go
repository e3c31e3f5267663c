package main

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/store"
)

// summary is what backfill and reconcile print as JSON.
type summary struct {
	Repositories int
	Runs         int
	Attempts     int
	States       []store.Tally
}

func summaryOf(t testing.TB, s said) (sum summary, jobs int64) {
	t.Helper()
	if err := json.Unmarshal([]byte(s.out), &sum); err != nil {
		t.Fatalf("%v: %s", err, s.out)
	}
	for _, tally := range sum.States {
		jobs += tally.Jobs
	}
	return sum, jobs
}

// A year of which no webhook told is archived, accounted for, verified, and rebuilt from
// the bucket, all from the command line. A second backfill asks for nothing but the list
// of runs.
func TestHistoryFromTheCommandLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := time.Now()
	day := w.github.AddHistory(githubsim.History{Seed: 8, Jobs: 500, Runs: 40, Repositories: 2, Begin: now.AddDate(0, 0, -60), End: now.AddDate(0, 0, -2), NoDeliveries: true})
	owner := day.Repositories[0].Owner
	backfill := []string{"backfill", "--org", owner, "--since", "70d", "--json"}
	first := w.want(0, backfill...)
	sum, jobs := summaryOf(t, first)
	if jobs != int64(len(day.Jobs)) || sum.Repositories != 2 || sum.Runs != 40 {
		t.Errorf("the summary has %d jobs of %d: %s", jobs, len(day.Jobs), first.out)
	}
	if !strings.Contains(first.err, "backfill: 500 of 500") {
		t.Errorf("no progress in plain lines: %s", first.err)
	}
	w.compare(day)
	requests := w.github.Requests()
	beyond := requests[githubsim.EndpointLog] + requests[githubsim.EndpointJob] + requests[githubsim.EndpointAttemptJobs] + requests[githubsim.EndpointRunJobs]
	t.Logf("%.3f requests a job beyond the listing of runs", float64(beyond)/float64(len(day.Jobs)))

	again, _ := summaryOf(t, w.want(0, backfill...))
	if again.Attempts != 0 {
		t.Errorf("a second backfill listed the jobs of %d attempts", again.Attempts)
	}
	after := w.github.Requests()
	if after[githubsim.EndpointLog] != requests[githubsim.EndpointLog] || after[githubsim.EndpointRuns] > 2*requests[githubsim.EndpointRuns] {
		t.Errorf("a second backfill asked for more than the runs: %v, then %v", requests, after)
	}

	covered := w.want(0, "coverage", "--since", "65d")
	if strings.Contains(covered.out, " no") || !strings.Contains(covered.out, owner) {
		t.Errorf("coverage:\n%s", covered.out)
	}
	if s := w.want(0, "verify", "--deep"); !strings.Contains(s.out, "500 jobs") || !strings.Contains(s.out, "0 faults") {
		t.Errorf("verify: %s", s.out)
	}
	w.damageAndVerify(day)
	lost := *w
	lost.settings = append([]string{}, w.settings...)
	lost.settings[0] = "JOBVAULT_DATABASE_URL=" + testenv.EmptyDatabaseURL(t)
	// The runs had completed when they were listed: the bucket tells what started them.
	if s := lost.want(0, "rebuild"); !strings.Contains(s.out, "500 jobs in the bucket, 0 of them settled before") ||
		strings.Contains(s.out, "who and what started") {
		t.Errorf("rebuild: %s", s.out)
	}
	lost.want(0, "verify")
	// What no sweep has seen is not called complete.
	if s := lost.want(1, "coverage"); !strings.Contains(s.err, "not complete") {
		t.Errorf("coverage after a rebuild: %s", s.err)
	}
	// What the bucket does not tell, GitHub does.
	lost.want(0, backfill...)
	if s := lost.want(0, "rebuild"); strings.Contains(s.out, "who and what started") {
		t.Errorf("a backfill leaves open what started runs: %s", s.out)
	}
}

// damageAndVerify removes a log; verify names it, and repairs it.
func (w *world) damageAndVerify(day githubsim.Day) {
	w.t.Helper()
	var job int64
	for id, state := range day.Expected {
		if state == "archived" {
			job = id
		}
	}
	entry, err := w.db.JobLog(w.t.Context(), job)
	w.check(err)
	w.check(w.archive.Bucket().Remove(w.t.Context(), *entry.ObjectKey))
	s := w.want(1, "verify", "--json")
	var fault struct {
		Kind  string
		JobID int64 `json:"job_id"`
		Key   string
	}
	w.check(json.NewDecoder(strings.NewReader(s.out)).Decode(&fault))
	if fault.Kind != "absent" || fault.JobID != job || fault.Key != *entry.ObjectKey {
		w.t.Errorf("verify says %s", s.out)
	}
	if s := w.want(0, "verify", "--repair"); !strings.Contains(s.out, "repaired: fetched again from GitHub") {
		w.t.Errorf("repair says %s", s.out)
	}
	w.want(0, "verify", "--deep")
}

// Every command that works on the archive is killed again and again, and then
// run to its end: nothing is lost, nothing is there twice, and all is verified.
func TestCommandsKilledAndRunAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := time.Now()
	day := w.github.AddHistory(githubsim.History{Seed: 9, Jobs: 400, Runs: 60, Repositories: 2, Begin: now.AddDate(0, 0, -2), End: now.Add(-time.Hour), NoDeliveries: true})
	random := rand.New(rand.NewPCG(9, 1))
	killed := func(args ...string) {
		t.Helper()
		n := 0
		for range 8 {
			if s := w.commandFor(time.Duration(100+random.IntN(900))*time.Millisecond, args...); s.code == -1 {
				n++
			}
		}
		if n == 0 {
			t.Errorf("%v was never killed: this shows nothing", args)
		}
		t.Logf("%v was killed %d times", args, n)
		w.want(0, args...)
	}
	killed("backfill", "--org", day.Repositories[0].Owner, "--since", "20d")
	w.compare(day)

	more := w.github.AddHistory(githubsim.History{Seed: 11, Jobs: 300, Runs: 50, Repositories: 1, Begin: now.AddDate(0, 0, -2), End: now.Add(-time.Hour), NoDeliveries: true})
	killed("reconcile", "--repo", more.Repositories[0].Owner+"/"+more.Repositories[0].Name, "--since", "4d")
	w.compare(more)

	removed := 0
	for id, state := range day.Expected {
		if state == "archived" && id%3 == 0 {
			entry, err := w.db.JobLog(t.Context(), id)
			w.check(err)
			w.check(w.archive.Bucket().Remove(t.Context(), *entry.ObjectKey))
			removed++
		}
	}
	if removed == 0 {
		t.Fatal("nothing to repair")
	}
	// Slow enough to be killed in.
	fast := w.github.Inject(githubsim.Fault{Endpoint: githubsim.EndpointBlob, Kind: githubsim.Slow, After: 1000, Delay: 100 * time.Millisecond})
	killed("verify", "--deep", "--repair")
	fast()
	w.compare(day)

	lost := *w
	lost.settings = append([]string{}, w.settings...)
	url := testenv.EmptyDatabaseURL(t)
	lost.settings[0] = "JOBVAULT_DATABASE_URL=" + url
	w = &lost
	killed("rebuild")
	lost.pool = testenv.PoolAt(t, url)
	var err error
	lost.db, err = store.New(lost.pool)
	lost.check(err)
	lost.compare(day)
	lost.compare(more)
	for _, table := range []string{"jobs", "job_logs"} {
		var n int
		lost.check(lost.pool.QueryRow(t.Context(), `SELECT count(*) FROM `+table).Scan(&n))
		if n != len(day.Jobs)+len(more.Jobs) {
			t.Errorf("%d rows in %s, want %d", n, table, len(day.Jobs)+len(more.Jobs))
		}
	}
}

// A jobvault that serves finds by itself what it was not told.
func TestServingReconciles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := time.Now()
	day := w.github.AddHistory(githubsim.History{Seed: 10, Jobs: 120, Runs: 20, Repositories: 2, Begin: now.Add(-40 * time.Hour), End: now.Add(-time.Hour), NoDeliveries: true})
	names := []string{}
	for _, r := range day.Repositories {
		names = append(names, r.Owner+"/"+r.Name)
	}
	p := startProcess(t, append(w.settings, "JOBVAULT_REPOSITORIES="+strings.Join(names, ","))...)
	w.awaitSettled(time.Minute, len(day.Jobs))
	w.compare(day)
	metrics := get(t, p.url+"/metrics")
	for _, name := range []string{"jobvault_queue_depth", "jobvault_rate_limit_remaining", "jobvault_sweep_age_seconds", "jobvault_oldest_unsettled_seconds", "jobvault_sweeps_failing"} {
		if !strings.Contains(metrics, "\n"+name) {
			t.Errorf("no metric %s", name)
		}
	}
	p.terminate()
}

func get(t testing.TB, url string) string {
	t.Helper()
	resp, err := http.Get(url) //nolint:noctx // of this test's own process
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
