package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/store"
)

// process is a jobvault in a process of its own.
type process struct {
	t       testing.TB
	cmd     *exec.Cmd
	url     string
	settled atomic.Int64 // jobs that it says it settled
	moved   chan struct{}
	ended   chan error
	mu      sync.Mutex
	log     strings.Builder
}

var urlInLog = regexp.MustCompile(`msg="jobvault serves".* url=(\S+)`)

// startProcess starts `jobvault serve` and returns when it serves.
func startProcess(t testing.TB, settings ...string) *process {
	t.Helper()
	return startBinary(t, testBinary(), settings...)
}

func startBinary(t testing.TB, path string, settings ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(path, "serve"), moved: make(chan struct{}, 1), ended: make(chan error, 1)}
	p.cmd.Env = processEnv(settings)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	serves := make(chan string, 1)
	go p.watch(stderr, serves)
	select {
	case p.url = <-serves:
	case err := <-p.ended:
		p.ended <- err // the cleanup waits for it too
		t.Fatalf("jobvault ended: %v\n%s", err, p.said())
	case <-time.After(time.Minute):
		t.Fatalf("jobvault does not serve\n%s", p.said())
	}
	return p
}

const processSecret = "process"

// testBinary is this program, which is jobvault where the environment says so.
func testBinary() string { return os.Args[0] }

func processEnv(settings []string) []string {
	env := append(os.Environ(), beMain+"=1", "JOBVAULT_LISTEN=127.0.0.1:0", "JOBVAULT_WEBHOOK_SECRET="+processSecret, "JOBVAULT_SHUTDOWN_TIMEOUT=20s")
	return append(env, settings...)
}

// watch follows the log until the process ends.
func (p *process) watch(stderr io.Reader, serves chan<- string) {
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		p.mu.Lock()
		p.log.WriteString(line + "\n")
		p.mu.Unlock()
		if m := urlInLog.FindStringSubmatch(line); m != nil {
			serves <- m[1]
		}
		if strings.Contains(line, `msg="job settled"`) {
			p.settled.Add(1)
			select {
			case p.moved <- struct{}{}:
			default:
			}
		}
	}
	p.ended <- p.cmd.Wait()
}

// said is its log.
func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// kill kills it as kill -9 does, and returns when it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	p.wait()
}

// terminate asks it to stop, and wants it to do so cleanly and in time.
func (p *process) terminate() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Error(err)
	}
	if err := p.wait(); err != nil {
		p.t.Errorf("jobvault ended with %v\n%s", err, p.said())
	}
}

func (p *process) wait() error {
	err := <-p.ended
	p.ended <- err
	return err
}

// world is what processes share: a database, a bucket and a GitHub.
type world struct {
	t        testing.TB
	github   *githubsim.Server
	pool     *pgxpool.Pool
	db       *store.DB
	archive  *archive.Archive
	settings []string
	binary   string // what its commands run; empty: this program
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t}
	var err error
	w.github, err = githubsim.Start(githubsim.Options{Seed: 1})
	w.check(err)
	t.Cleanup(func() { w.check(w.github.Close()) })
	url, bucketURL := testenv.DatabaseURL(t), "file://"+t.TempDir()
	w.pool = testenv.PoolAt(t, url)
	w.db, err = store.New(w.pool)
	w.check(err)
	b, err := bucket.Open(bucketURL)
	w.check(err)
	w.archive, err = archive.New(b, 1<<40)
	w.check(err)
	w.settings = []string{
		"JOBVAULT_DATABASE_URL=" + url, "JOBVAULT_BUCKET_URL=" + bucketURL, "JOBVAULT_GITHUB_API_URL=" + w.github.URL(),
		"JOBVAULT_GITHUB_TOKEN=" + w.github.Token(), "JOBVAULT_DATA_DIR=" + t.TempDir(),
	}
	return w
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// awaitSettled returns when a number of jobs are known and all of them are settled.
func (w *world) awaitSettled(within time.Duration, jobs int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), within)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var known, waiting int
		err := w.pool.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE state IN ('pending', 'denied')) FROM job_logs`).Scan(&known, &waiting)
		if err == nil && known == jobs && waiting == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			w.t.Fatalf("not settled within %s: %d of %d jobs known, %d wait (%v)", within, known, jobs, waiting, err)
		}
	}
}

// compare compares ledger and bucket with what the simulator served.
func (w *world) compare(day githubsim.Day) {
	w.t.Helper()
	for _, j := range day.Jobs {
		entry, err := w.db.JobLog(w.t.Context(), j.ID)
		w.check(err)
		if entry.State != day.Expected[j.ID] {
			w.t.Errorf("job %d is %s, want %s", j.ID, entry.State, day.Expected[j.ID])
			continue
		}
		if entry.State != store.LogArchived {
			continue
		}
		body, err := w.archive.OpenLog(w.t.Context(), *entry.ObjectKey)
		w.check(err)
		sum := sha256.New()
		_, err = io.Copy(sum, body)
		w.check(errors.Join(err, body.Close()))
		want := j.Log.SHA256()
		if string(sum.Sum(nil)) != string(want[:]) || string(entry.SHA256) != string(want[:]) {
			w.t.Errorf("job %d: the log is not what was served", j.ID)
		}
	}
}
