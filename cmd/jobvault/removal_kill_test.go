package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/store"
)

// gate is a proxy before an S3 server that can keep a request from it, or its answer
// from the client.
type gate struct {
	mu      sync.Mutex
	method  string
	suffix  string // of the path; empty: nothing is kept
	answer  bool   // keep the answer, not the request
	reached chan struct{}
	open    chan struct{}
}

// shut keeps the next such request, or its answer, until it is opened.
func (g *gate) shut(method, suffix string, answer bool) (reached <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.method, g.suffix, g.answer = method, suffix, answer
	g.reached, g.open = make(chan struct{}), make(chan struct{})
	return g.reached
}

func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open != nil {
		close(g.open)
	}
	g.suffix, g.open = "", nil
}

// pass waits where the gate is shut.
func (g *gate) pass(req *http.Request, answer bool) {
	g.mu.Lock()
	if g.suffix == "" || g.answer != answer || req.Method != g.method || !strings.HasSuffix(req.URL.Path, g.suffix) {
		g.mu.Unlock()
		return
	}
	open := g.open
	select {
	case <-g.reached:
	default:
		close(g.reached)
	}
	g.mu.Unlock()
	<-open
}

// gatedBucket is an S3 bucket behind a gate, and itself.
func gatedBucket(t *testing.T) (*gate, string, string) {
	t.Helper()
	direct := testenv.S3BucketURL(t)
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	endpoint, g := q.Get("endpoint"), &gate{}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", endpoint
			r.Out.Host = r.In.Host // it is signed
		},
		ModifyResponse: func(resp *http.Response) error { g.pass(resp.Request, true); return nil },
		ErrorHandler:   func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }, // of who was killed
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		g.pass(req, false)
		proxy.ServeHTTP(w, req)
	}))
	t.Cleanup(func() {
		g.release()
		server.Close()
	})
	q.Set("endpoint", strings.TrimPrefix(server.URL, "http://"))
	u.RawQuery = q.Encode()
	return g, u.String(), direct
}

// removalWorld is a world with a bucket of one's choice.
func removalWorld(t *testing.T, bucketURL, direct string) (*world, *testenv.Vault) {
	t.Helper()
	w := newWorld(t)
	w.settings[1] = "JOBVAULT_BUCKET_URL=" + bucketURL
	b, err := bucket.Open(direct)
	w.check(err)
	w.archive, err = archive.New(b, 1<<40)
	w.check(err)
	return w, &testenv.Vault{T: t, DB: w.db, Archive: w.archive, At: time.Date(2024, 7, 8, 16, 48, 9, 0, time.UTC)}
}

// oldJob is an archived one of long ago.
func oldJob(v *testenv.Vault, id int64, raw string) {
	v.T.Helper()
	v.Record(v.Facts(id, "Set up job"))
	_, err := v.Archive.PutDetails(v.T.Context(), archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 1, JobID: id}, fmt.Appendf(nil,
		`{"id":%d,"run_id":2,"status":"completed","conclusion":"success","name":"build","url":"https://api.github.com/repos/acme/rocket/actions/jobs/%[1]d"}`, id))
	v.Check(err)
	v.Log(id, []byte(raw))
}

// keepThirtyDays makes a rule by which old jobs lose their logs.
func (w *world) keepThirtyDays() {
	w.t.Helper()
	_, err := w.db.AddRetentionRule(w.t.Context(), store.RetentionRule{KeepDays: new(30), CreatedBy: "ada"})
	w.check(err)
}

// start starts a command that is to be killed.
func (w *world) start(args ...string) *exec.Cmd {
	w.t.Helper()
	cmd := exec.Command(testBinary(), args...)
	cmd.Env = append(os.Environ(), append([]string{beMain + "=1"}, w.settings...)...)
	w.check(cmd.Start())
	w.t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd
}

// unbroken wants of every job: archived, and then its object is there; or removed, and
// then it says what was, and no copy that it names is missing.
func (w *world) unbroken(when string) {
	w.t.Helper()
	rows, err := w.pool.Query(w.t.Context(), `
		SELECT l.job_id, l.state, l.object_key, coalesce(length(l.sha256), 0), coalesce(m.sha256 = l.sha256, false), c.object_key
		FROM job_logs l LEFT JOIN log_removals m USING (job_id) LEFT JOIN log_redactions c ON c.job_id = l.job_id AND c.removed_at IS NULL`)
	w.check(err)
	defer rows.Close()
	for rows.Next() {
		var id int64
		var state string
		var key, copied *string
		var digest int
		var same bool
		w.check(rows.Scan(&id, &state, &key, &digest, &same, &copied))
		need := copied
		switch {
		case state == store.LogArchived && key != nil && copied == nil:
			need = key
		case state != store.LogRemoved || digest != 32 || !same:
			w.t.Errorf("%s: job %d is %s, with a digest of %d bytes, kept: %v", when, id, state, digest, same)
		}
		if need != nil {
			if _, err := w.archive.Bucket().Size(w.t.Context(), *need); err != nil {
				w.t.Errorf("%s: job %d is %s: %v", when, id, state, err)
			}
		}
	}
	w.check(rows.Err())
}

// rebuiltIsWhole verifies, and then rebuilds the database from the bucket and verifies
// that.
func (w *world) rebuiltIsWhole() {
	w.t.Helper()
	w.want(0, "verify", "--deep")
	lost := *w
	lost.settings = append([]string{}, w.settings...)
	lost.settings[0] = "JOBVAULT_DATABASE_URL=" + testenv.EmptyDatabaseURL(w.t)
	lost.want(0, "rebuild")
	lost.want(0, "verify", "--deep")
}

// lockedJob keeps others from the rows of a job until it is released.
func (w *world) lockedJob(id int64) (release func()) {
	w.t.Helper()
	conn, err := w.pool.Acquire(w.t.Context())
	w.check(err)
	_, err = conn.Exec(w.t.Context(), `SELECT pg_advisory_lock(hashtextextended('jobvault job', $1))`, id)
	w.check(err)
	return func() {
		_, err := conn.Exec(w.t.Context(), `SELECT pg_advisory_unlock_all()`)
		w.check(err)
		conn.Release()
	}
}

// awaitLock returns when somebody waits for an advisory lock.
func (w *world) awaitLock() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var waits bool
		w.check(w.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`).Scan(&waits))
		if waits {
			return
		}
		<-tick.C
	}
}

// A removal is killed, as kill -9 does, at each of its steps, and then run again: at no
// moment does the ledger name what is not there, or forget what was; and in the end the
// log is gone, from the bucket too, and all of it can be made again from the bucket.
func TestRemovalsKilledAtEachStep(t *testing.T) {
	t.Parallel()
	commands := map[string][]string{
		"retention": {"retention", "apply"},
		"redact":    {"redact", "31", "--yes", "--reason", "a token"},
		"copy":      {"redact", "31", "--yes", "--reason", "a token", "--pattern", "s3cret"},
	}
	for _, s := range []struct {
		name           string
		method, suffix string // empty: it waits for the job's rows
		answer         bool
		only           string
		state          string // of the ledger, when it was killed
	}{
		{name: "before the ledger", state: store.LogArchived},
		{name: "before the copy", method: http.MethodPut, suffix: "redacted-1.zst", only: "copy", state: store.LogArchived},
		{name: "after the copy", method: http.MethodPut, suffix: "redacted-1.zst", answer: true, only: "copy", state: store.LogArchived},
		{name: "before the log of removals", method: http.MethodPut, suffix: "0000000001.jsonl", state: store.LogRemoved},
		{name: "after the log of removals", method: http.MethodPut, suffix: "0000000001.jsonl", answer: true, state: store.LogRemoved},
		{name: "before the record", method: http.MethodPut, suffix: "settled.json", state: store.LogRemoved},
		{name: "after the record", method: http.MethodPut, suffix: "settled.json", answer: true, state: store.LogRemoved},
		{name: "before the object", method: http.MethodDelete, suffix: "log.zst", state: store.LogRemoved},
		{name: "after the object", method: http.MethodDelete, suffix: "log.zst", answer: true, state: store.LogRemoved},
		{name: "before it is looked at", method: http.MethodHead, suffix: "log.zst", only: "redact", state: store.LogRemoved},
	} {
		for what, args := range commands {
			if s.only != "" && s.only != what {
				continue
			}
			t.Run(what+" "+s.name, func(t *testing.T) {
				t.Parallel()
				g, gated, direct := gatedBucket(t)
				w, v := removalWorld(t, gated, direct)
				secretJob(v, 31)
				w.keepThirtyDays()
				old := w.dump()
				if s.suffix == "" {
					release := w.lockedJob(31)
					cmd := w.start(args...)
					w.awaitLock()
					_ = cmd.Process.Kill()
					_ = cmd.Wait()
					release()
				} else {
					reached := g.shut(s.method, s.suffix, s.answer)
					cmd := w.start(args...)
					select {
					case <-reached:
					case <-time.After(time.Minute):
						t.Fatal("it never came so far")
					}
					_ = cmd.Process.Kill()
					_ = cmd.Wait()
					g.release()
				}
				w.unbroken("killed")
				w.neverOfTwoMinds(31)
				if l, err := w.db.JobLog(t.Context(), 31); err != nil || l.State != s.state {
					t.Errorf("killed, the ledger says %s (%v), want %s", l.State, err, s.state)
				}
				again := w.command(args...)
				// What was decided is finished, and there is no more to redact then.
				if want := what != "retention" && s.state == store.LogRemoved; (again.code != 0) != want {
					t.Errorf("again: %d\n%s%s", again.code, again.out, again.err)
				}
				w.unbroken("again")
				key := archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 1, JobID: 31}
				var left []string
				for o, err := range w.archive.Bucket().List(t.Context(), key.Prefix()) {
					w.check(err)
					left = append(left, strings.TrimPrefix(o.Key, key.Prefix()))
				}
				want := "job.json settled.json"
				if what == "copy" {
					want = "job.json redacted-1.zst settled.json"
					if s.state == store.LogArchived && s.name != "before the copy" { // the first one is nobody's
						want = "job.json redacted-2.zst settled.json"
					}
				}
				if got := strings.Join(left, " "); got != want {
					t.Errorf("the bucket has %s, want %s", got, want)
				}
				w.rebuiltIsWhole()
				// One that is older than all of it does not speak again.
				old.want(0, "retention", "apply")
				var told int
				w.check(old.pool.QueryRow(t.Context(), `SELECT count(*) FROM job_annotations WHERE message LIKE '%s3cret%'`).Scan(&told))
				if told > 0 {
					t.Errorf("an older database has %d annotations still", told)
				}
				old.want(0, "verify", "--deep")
			})
		}
	}
}

// neverOfTwoMinds fails if anything of a job is gone from the bucket and the log of
// removals does not have it.
func (w *world) neverOfTwoMinds(id int64) {
	w.t.Helper()
	key := archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 1, JobID: id}
	if _, err := w.archive.Bucket().Size(w.t.Context(), key.Log()); err == nil {
		return
	}
	r, err := w.archive.ReadRemovals(w.t.Context(), 1)
	if err != nil || len(r.Lines) != 1 || r.Lines[0].JobID != id {
		w.t.Errorf("the log is gone, and its removal told nowhere: %+v, %v", r, err)
	}
}

// The same holds for retention apply that is killed at random moments, among many jobs.
func TestRetentionKilledAtRandomMoments(t *testing.T) {
	t.Parallel()
	bucketURL := "file://" + t.TempDir()
	w, v := removalWorld(t, bucketURL, bucketURL)
	const jobs = 400
	for id := int64(1); id <= jobs; id++ {
		oldJob(v, id, "x\n")
	}
	w.keepThirtyDays()
	random := rand.New(rand.NewPCG(10, 1))
	killed := 0
	for range 8 {
		if s := w.commandFor(time.Duration(300+random.IntN(500))*time.Millisecond, "retention", "apply"); s.code == -1 {
			killed++
		}
		w.unbroken("killed")
	}
	t.Logf("killed %d times", killed)
	if killed == 0 {
		t.Error("never killed: this shows nothing")
	}
	w.want(0, "retention", "apply", "--json")
	states, err := w.db.LogStates(t.Context())
	w.check(err)
	if states[store.LogRemoved] != jobs {
		t.Errorf("in the end: %v", states)
	}
	if n, err := w.db.UnfinishedRemovals(t.Context(), 0, 1); err != nil || len(n) > 0 {
		t.Errorf("not finished: %+v, %v", n, err)
	}
	w.rebuiltIsWhole()
}
