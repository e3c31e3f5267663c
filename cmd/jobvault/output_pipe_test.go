package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/githubsim"
)

// startUnread starts `jobvault serve` with its log going into a pipe whose reader ends as
// soon as it has read that jobvault serves.
func startUnread(t *testing.T, settings ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(testBinary(), "serve"), ended: make(chan error, 1)}
	p.cmd.Env = processEnv(settings)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = writer, writer // 2>&1 |
	err = errors.Join(p.cmd.Start(), writer.Close())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	lines := bufio.NewScanner(reader)
	for p.url == "" && lines.Scan() {
		p.log.WriteString(lines.Text() + "\n")
		if m := urlInLog.FindStringSubmatch(lines.Text()); m != nil {
			p.url = m[1]
		}
	}
	if err := reader.Close(); err != nil || p.url == "" {
		t.Fatalf("jobvault does not serve: %v\n%s", err, p.said())
	}
	go func() { p.ended <- p.cmd.Wait() }()
	return p
}

// A jobvault that serves outlives the reader of its log: it archives what it is sent, says
// in a metric that lines are lost, and stops as it always does, within its time-out, with
// what it could not finish given back.
func TestServingOutlivesTheReaderOfItsLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	day := w.github.PlayableDay(31, 30, 1<<20)
	p := startUnread(t, append(w.settings, "JOBVAULT_SHUTDOWN_TIMEOUT=2s")...)
	send := func(deliveries []githubsim.Delivery) {
		t.Helper()
		for _, r := range githubsim.Send(t.Context(), p.url+"/webhook", deliveries, githubsim.SendOptions{Secret: processSecret, Concurrency: 8}) {
			if r.Err != nil || r.Status != http.StatusAccepted {
				t.Fatalf("delivery %s: %d, %v", r.Delivery.GUID, r.Status, r.Err)
			}
		}
	}
	send(day.Deliveries)
	w.awaitSettled(time.Minute, len(day.Jobs))
	if metrics := get(t, p.url+"/metrics"); strings.Contains(metrics, "\njobvault_log_lines_lost_total 0\n") ||
		!strings.Contains(metrics, "\njobvault_log_lines_lost_total ") {
		t.Errorf("%d jobs were settled, and no line of the log was lost:\n%s", len(day.Jobs), metrics)
	}
	release := w.github.Inject(githubsim.Fault{Endpoint: githubsim.EndpointBlob, Kind: githubsim.HangBody})
	more := w.github.PlayableDay(32, 30, 1<<20)
	send(more.Deliveries)
	w.await(time.Minute, `SELECT count(*) > 5 FROM queue.river_job WHERE kind = 'archive' AND state = 'running'`)
	p.terminate()
	w.await(time.Second, `SELECT count(*) = 0 FROM queue.river_job WHERE state = 'running'`)
	release()
	next := startProcess(t, w.settings...)
	w.awaitSettled(time.Minute, len(day.Jobs)+len(more.Jobs))
	next.terminate()
	w.compare(more)
}

// unread runs a command whose output nobody reads, and returns what it says on standard
// error and how it ended.
func unread(t *testing.T, settings []string, args ...string) (string, syscall.WaitStatus) {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(testBinary(), args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = processEnv(settings), writer, &stderr
	err = cmd.Run()
	if cerr := writer.Close(); cerr != nil {
		t.Fatal(cerr)
	}
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	return stderr.String(), cmd.ProcessState.Sys().(syscall.WaitStatus)
}

// What prints ends quietly when nobody reads it, by the signal of which everything else in
// a pipeline dies, and not before it has closed what it has opened.
func TestCommandsEndQuietlyWithoutAReader(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := time.Now()
	day := w.github.AddHistory(githubsim.History{Seed: 33, Jobs: 60, Runs: 6, Repositories: 1, Begin: now.Add(-30 * time.Hour), End: now.Add(-time.Hour), NoDeliveries: true})
	backfill := []string{"backfill", "--org", day.Repositories[0].Owner, "--since", "3d"}
	quiet := func(args ...string) {
		t.Helper()
		if stderr, how := unread(t, w.settings, args...); !how.Signaled() || how.Signal() != syscall.SIGPIPE || strings.Contains(stderr, "jobvault:") {
			t.Errorf("jobvault %v ended with %v (%d) and says %q", args, how, how.ExitStatus(), stderr)
		}
	}
	quiet(backfill...)
	w.awaitSettled(time.Minute, len(day.Jobs)) // its work was done before there was anything to print
	for _, args := range [][]string{
		{"--help"}, {"version"}, {"config"}, {"jobs"}, {"jobs", "--json"}, {"grep", "."}, {"coverage"}, {"coverage", "--json"}, {"verify", "--json"},
		{"log", "--raw", fmt.Sprint(w.archived(day))}, backfill,
	} {
		quiet(args...)
	}
	// As a shell has it, whose head may have ended before or after the last line.
	script := `"$0" jobs --limit 1000 --json | head -n 1; echo "${PIPESTATUS[0]}"`
	shell := exec.Command("bash", "-c", script, testBinary())
	shell.Env = processEnv(w.settings)
	out, err := shell.CombinedOutput()
	if lines := strings.Split(string(out), "\n"); err != nil || len(lines) != 3 || !strings.HasPrefix(lines[0], `{"id":`) || lines[1] != "141" && lines[1] != "0" {
		t.Errorf("%s: %v\n%s", script, err, out)
	}
}

// archived is a job of the day that has a log.
func (w *world) archived(day githubsim.Day) int64 {
	w.t.Helper()
	for id, state := range day.Expected {
		if state == "archived" {
			return id
		}
	}
	w.t.Fatal("no log is archived")
	return 0
}

// A command that nobody reads stops the Postgres that it has started for itself, and a
// jobvault that serves stops when its terminal goes, which may say so twice.
func TestNothingIsLeftRunning(t *testing.T) {
	t.Parallel()
	// Where the tests run under nohup, jobvault would, too: what is caught here is not
	// ignored there.
	hangUps := make(chan os.Signal, 1)
	signal.Notify(hangUps, syscall.SIGHUP)
	defer signal.Stop(hangUps)
	sim, err := githubsim.Start(githubsim.Options{Seed: 34})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	dir := t.TempDir()
	settings := []string{"JOBVAULT_DATA_DIR=" + dir, "JOBVAULT_GITHUB_API_URL=" + sim.URL(), "JOBVAULT_GITHUB_TOKEN=" + sim.Token(), "JOBVAULT_DATABASE_URL="}
	p := startProcess(t, settings...)
	for range 2 {
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.wait(); err != nil || !strings.Contains(p.said(), "msg=stopped") {
		t.Errorf("after its terminal had gone, jobvault ended with %v\n%s", err, p.said())
	}
	stopped := func(what string) {
		t.Helper()
		if _, err := os.Stat(filepath.Join(dir, "postgres", "postmaster.pid")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s has left its Postgres running: %v", what, err)
		}
	}
	stopped("serve")
	if stderr, how := unread(t, settings, "jobs"); !how.Signaled() || how.Signal() != syscall.SIGPIPE {
		t.Errorf("jobs ended with %v and says %q", how, stderr)
	}
	stopped("jobs")
}
