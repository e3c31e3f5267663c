package main

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/githubsim"
)

// After SIGTERM while logs hang in the middle, jobvault ends cleanly within its time-out;
// what it could not finish is given back, which costs no attempt, and the next process
// finishes it.
func TestTerminateGivesBackWhatIsRunning(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	day := w.github.PlayableDay(24, 40, 1<<20)
	release := w.github.Inject(githubsim.Fault{Endpoint: githubsim.EndpointBlob, Kind: githubsim.HangBody})
	p := startProcess(t, append(w.settings, "JOBVAULT_SHUTDOWN_TIMEOUT=2s")...)
	for _, r := range githubsim.Send(t.Context(), p.url+"/webhook", day.Deliveries, githubsim.SendOptions{Secret: processSecret, Concurrency: 8}) {
		if r.Err != nil || r.Status != 202 {
			t.Fatalf("delivery %s: %d, %v", r.Delivery.GUID, r.Status, r.Err)
		}
	}
	w.await(time.Minute, `SELECT count(*) > 10 FROM queue.river_job WHERE kind = 'archive' AND state = 'running'`)
	started := time.Now()
	p.terminate()
	if took := time.Since(started); took > 15*time.Second {
		t.Errorf("it took %s to stop", took)
	}
	w.await(time.Second, `SELECT count(*) = 0 FROM queue.river_job WHERE state = 'running'`)
	w.await(time.Second, `SELECT count(*) = 0 FROM queue.river_job WHERE kind = 'archive' AND errors IS NOT NULL`)
	release()
	next := startProcess(t, w.settings...)
	w.awaitSettled(time.Minute, len(day.Jobs))
	next.terminate()
	w.compare(day)
}

// await polls until the query says true.
func (w *world) await(within time.Duration, query string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), within)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var ok bool
		if err := w.pool.QueryRow(ctx, query).Scan(&ok); err == nil && ok {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			w.t.Fatalf("not within %s: %s", within, query)
		}
	}
}

// Without a database of its own jobvault runs one: it is there again after a
// kill, a second jobvault is refused, and reading commands work beside it.
func TestEmbeddedDefault(t *testing.T) {
	t.Parallel()
	sim, err := githubsim.Start(githubsim.Options{Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	settings := []string{"JOBVAULT_DATA_DIR=" + t.TempDir(), "JOBVAULT_GITHUB_API_URL=" + sim.URL(), "JOBVAULT_GITHUB_TOKEN=" + sim.Token(), "JOBVAULT_DATABASE_URL="}
	day := sim.PlayableDay(25, 40, 1<<20)
	first := startProcess(t, settings...)
	for _, r := range githubsim.Send(t.Context(), first.url+"/webhook", day.Deliveries, githubsim.SendOptions{Secret: processSecret, Concurrency: 8}) {
		if r.Err != nil || r.Status != 202 {
			t.Fatalf("delivery %s: %d, %v", r.Delivery.GUID, r.Status, r.Err)
		}
	}
	out, err := command(t, settings, "serve")
	if err == nil || !strings.Contains(out, "another jobvault is using it") {
		t.Errorf("a second jobvault on the same data dir: %v\n%s", err, out)
	}
	first.kill()
	second := startProcess(t, settings...)
	for second.settled.Load() == 0 {
		select {
		case <-second.moved:
		case <-time.After(time.Minute):
			t.Fatalf("after the kill nothing goes on\n%s", second.said())
		}
	}
	// It still turns deliveries into rows: ask until they are there.
	deadline := time.Now().Add(time.Minute)
	for listed := 0; listed < len(day.Jobs)/2; {
		out, err := command(t, settings, "jobs", "--limit", "1000", "--json")
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("jobs beside a running one: %v\n%s", err, out)
		}
		listed = strings.Count(out, "\n")
	}
	second.terminate()
	// Nobody runs now: a reading command starts Postgres for itself.
	if out, err := command(t, settings, "jobs"); err != nil || !strings.Contains(out, "REPOSITORY") {
		t.Errorf("jobs alone: %v\n%s", err, out)
	}
}

// command runs jobvault to its end and returns what it says.
func command(t *testing.T, settings []string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, testBinary(), args...)
	cmd.Env = processEnv(settings)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
