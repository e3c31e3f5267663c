package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/store"
)

const secretLog = "2024-07-08T16:48:09.3750041Z ##[error]s3cret hunter2\n2024-07-08T16:48:10.3750041Z plain\n"

// secretJob is an old job whose log, and whose annotations, have a secret.
func secretJob(v *testenv.Vault, id int64) {
	v.T.Helper()
	oldJob(v, id, secretLog)
	_, err := v.DB.Pool().Exec(v.T.Context(), `INSERT INTO job_annotations (job_id, log_line, level, message) VALUES ($1, 1, 'error', 's3cret hunter2')`, id)
	v.Check(err)
}

// dump copies the world's database as it is now, and is its settings with that copy.
func (w *world) dump() *world {
	w.t.Helper()
	url := w.pool.Config().ConnString()
	w.pool.Close() // a database that is copied has no connections
	old := *w
	old.settings = append([]string{}, w.settings...)
	copied := testenv.CopyDatabaseURL(w.t, url)
	old.settings[0] = "JOBVAULT_DATABASE_URL=" + copied
	old.pool, w.pool = testenv.PoolAt(w.t, copied), testenv.PoolAt(w.t, url)
	for _, w := range []*world{w, &old} {
		var err error
		w.db, err = store.New(w.pool)
		w.check(err)
	}
	return &old
}

// get asks a process for a page.
func (p *process) get(path string) (int, string) {
	p.t.Helper()
	resp, err := http.Get(p.url + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// speechless wants nobody to hear the secret from a process or from commands, however
// they ask.
func (w *world) speechless(p *process, secret string) {
	w.t.Helper()
	if p != nil {
		for _, path := range []string{"/", "/acme/rocket/jobs/31", "/acme/rocket/actions/runs/2/job/31", "/search?pattern=" + secret, "/api/v3/search?pattern=" + secret,
			"/api/v3/jobs/31/logs", "/api/v3/repos/acme/rocket/actions/jobs/31", "/api/v3/repos/acme/rocket/actions/jobs/31/logs", "/overview", "/uses"} {
			if _, body := p.get(path); strings.Contains(body, secret+" ") || strings.Contains(body, secret+"<") {
				w.t.Errorf("%s tells:\n%.300s", path, body)
			}
		}
	}
	for _, args := range [][]string{{"jobs", "--json"}, {"log", "31"}, {"grep", "-F", secret}, {"export", "31", w.t.TempDir() + "/x"}, {"uses", "actions/checkout"}} {
		if s := w.command(args...); strings.Contains(s.out, secret) {
			w.t.Errorf("jobvault %v tells:\n%s", args, s.out)
		}
	}
	var n int
	w.check(w.pool.QueryRow(w.t.Context(), `SELECT count(*) FROM job_annotations WHERE message LIKE '%' || $1 || '%'`, secret).Scan(&n))
	if n > 0 {
		w.t.Errorf("%d annotations have it", n)
	}
}

// A database restored from a dump of before a redaction gives nobody the redacted text
// again: neither in the first answer of a serving jobvault, nor to a command that is run
// before one serves.
func TestARestoredDatabaseDoesNotSpeakAgain(t *testing.T) {
	t.Parallel()
	bucketURL := "file://" + t.TempDir()
	w, v := removalWorld(t, bucketURL, bucketURL)
	secretJob(v, 31)
	secretJob(v, 32)
	olds := map[string]*world{"serve": w.dump(), "jobs": w.dump(), "log": w.dump(), "grep": w.dump(), "export": w.dump(), "uses": w.dump(), "reindex": w.dump(), "rebuild": w.dump()}
	w.want(0, "redact", "31", "--yes", "--reason", "a token", "--pattern", "s3cret")
	w.want(0, "redact", "32", "--yes", "--reason", "a token")
	for name, old := range olds {
		t.Run(name, func(t *testing.T) {
			old.t = t
			var before int
			old.check(old.pool.QueryRow(t.Context(), `SELECT count(*) FROM job_annotations WHERE message LIKE '%s3cret%'`).Scan(&before))
			if before != 2 {
				t.Fatalf("the dump has %d annotations: this shows nothing", before)
			}
			if s := old.command("verify"); s.code != 1 || !strings.Contains(s.out, "the database does not know it") {
				t.Errorf("verify says %d\n%s", s.code, s.out)
			}
			switch name {
			case "serve":
				p := startProcess(t, old.settings...)
				old.speechless(p, "s3cret")
				if status, body := p.get("/readyz"); status != http.StatusOK || !strings.Contains(body, `"removals":"ok"`) {
					t.Errorf("/readyz says %d %s", status, body)
				}
				if status, body := p.get("/api/v3/jobs/31/logs"); status != http.StatusOK || !strings.Contains(body, "[redacted] hunter2") {
					t.Errorf("the log is %d %q", status, body)
				}
				if !strings.Contains(p.said(), "the database is older than removals") {
					t.Errorf("it says\n%s", p.said())
				}
				p.terminate()
			case "rebuild":
				if s := old.want(0, "rebuild"); !strings.Contains(s.out, "with 2 jobs whose removal or redaction the database did not know") {
					t.Errorf("rebuild says %s", s.out)
				}
			case "log", "export":
				old.command(name, "32", t.TempDir()+"/x")
				old.command(name, "32")
			case "grep", "uses":
				old.command(name, "s3cret")
			default:
				old.command(name)
			}
			old.speechless(nil, "s3cret")
			old.want(0, "verify", "--deep")
		})
	}
}

// Nothing is repaired by the word of a database that is older than a redaction: what that
// one left is what the job has.
func TestAnOlderDatabaseRepairsNothing(t *testing.T) {
	t.Parallel()
	bucketURL := "file://" + t.TempDir()
	w, v := removalWorld(t, bucketURL, bucketURL)
	secretJob(v, 31)
	w.want(0, "redact", "31", "--yes", "--reason", "a token", "--pattern", "s3cret")
	old := w.dump()
	w.want(0, "redact", "31", "--yes", "--reason", "a token", "--pattern", "hunter2")
	if s := old.want(0, "verify", "--deep", "--repair"); !strings.Contains(s.err, "the database is older than removals") || !strings.Contains(s.out, "0 faults") {
		t.Errorf("verify --repair says\n%s%s", s.out, s.err)
	}
	for _, w := range []*world{old, w} {
		if s := w.want(0, "log", "31"); !strings.Contains(s.out, "[redacted] [redacted]") {
			t.Errorf("the log is %q", s.out)
		}
		w.want(0, "verify", "--deep")
	}
}

// While nobody can say whether the database is older than removals, readers are refused
// and webhooks are received; when the bucket is back, readers are answered.
func TestReadersWaitForTheLogOfRemovals(t *testing.T) {
	t.Parallel()
	s3 := testenv.NewS3(t)
	bucketURL := s3.BucketURL(t)
	w, v := removalWorld(t, bucketURL, bucketURL)
	secretJob(v, 31)
	old := w.dump()
	w.want(0, "redact", "31", "--yes", "--reason", "a token")
	s3.Stop()
	p := startProcess(t, old.settings...)
	for _, path := range []string{"/", "/acme/rocket/jobs/31", "/api/v3/jobs/31/logs", "/api/v3/jobs"} {
		if status, body := p.get(path); status != http.StatusServiceUnavailable || strings.Contains(body, "s3cret") || !strings.Contains(body, "older than removals") {
			t.Errorf("%s: %d %.200s", path, status, body)
		}
	}
	if status, body := p.get("/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, `"removals":"away"`) {
		t.Errorf("/readyz says %d %s", status, body)
	}
	day := w.github.PlayableDay(5, 3, 1<<10)
	for _, r := range githubsim.Send(t.Context(), p.url+"/webhook", day.Deliveries[:2], githubsim.SendOptions{Secret: processSecret, Concurrency: 1}) {
		if r.Err != nil || r.Status != http.StatusAccepted {
			t.Errorf("a delivery: %d, %v", r.Status, r.Err)
		}
	}
	if s := old.command("jobs"); s.code != 1 || !strings.Contains(s.err, "nothing is read from a database that may be older than removals") {
		t.Errorf("jobs says %d %s%s", s.code, s.out, s.err)
	}
	if s := old.command("coverage"); !strings.Contains(s.out, "acme/rocket") { // which shows nothing of what logs say
		t.Errorf("coverage says %d %s%s", s.code, s.out, s.err)
	}
	w.check(s3.Start())
	p.until("/readyz", `"removals":"ok"`)
	old.speechless(p, "s3cret")
	// One that has heard of everything may be read while the bucket is away.
	s3.Stop()
	if status, _ := p.get("/"); status != http.StatusOK {
		t.Errorf("while the bucket is away: %d", status)
	}
	w.check(s3.Start())
}

// until asks until a page says something.
func (p *process) until(path, says string) {
	p.t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		_, body := p.get(path)
		if strings.Contains(body, says) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			p.t.Fatalf("%s says %s\n%s", path, body, p.said())
		}
	}
}

// A log of removals that does not fit is named with its cure, and nobody reads.
func TestABrokenLogOfRemovals(t *testing.T) {
	t.Parallel()
	bucketURL := "file://" + t.TempDir()
	w, v := removalWorld(t, bucketURL, bucketURL)
	secretJob(v, 31)
	secretJob(v, 32)
	old := w.dump()
	w.want(0, "redact", "31", "--yes", "--reason", "a token")
	w.want(0, "redact", "32", "--yes", "--reason", "a token")
	key := archive.RemovalsKey(1)
	whole, err := w.archive.ReadRemovals(t.Context(), 1)
	w.check(err)
	_, err = w.archive.Bucket().Replace(t.Context(), key, strings.NewReader("<html>"))
	w.check(err)
	// Who only answers readers is not ready; who also receives goes on receiving.
	reader := startProcess(t, append(old.settings, "JOBVAULT_ROLES=lookup")...)
	if status, body := reader.get("/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, `"removals":"broken"`) {
		t.Errorf("/readyz of a reader says %d %s", status, body)
	}
	reader.terminate()
	p := startProcess(t, old.settings...)
	if status, body := p.get("/readyz"); status != http.StatusOK || !strings.Contains(body, `"removals":"broken"`) {
		t.Errorf("/readyz says %d %s", status, body)
	}
	if _, body := p.get("/metrics"); !strings.Contains(body, "jobvault_readers_refused 1") || !strings.Contains(body, "jobvault_unfinished_removals 0") {
		t.Error("the metrics do not tell that readers are refused")
	}
	for _, r := range githubsim.Send(t.Context(), p.url+"/webhook", w.github.PlayableDay(5, 3, 1<<10).Deliveries[:2], githubsim.SendOptions{Secret: processSecret, Concurrency: 1}) {
		if r.Err != nil || r.Status != http.StatusAccepted {
			t.Errorf("a delivery: %d, %v", r.Status, r.Err)
		}
	}
	if status, body := p.get("/acme/rocket/jobs/31"); status != http.StatusServiceUnavailable || strings.Contains(body, "s3cret") {
		t.Errorf("a page: %d %s", status, body)
	}
	if said := p.said(); !strings.Contains(said, key) || !strings.Contains(said, "docs/removals.md") {
		t.Errorf("it says\n%s", said)
	}
	p.terminate()
	for _, args := range [][]string{{"jobs"}, {"log", "31"}, {"grep", "s3cret"}, {"uses", "actions/checkout"}, {"export", "31", t.TempDir() + "/x"}, {"redact", "31", "--yes", "--reason", "x"}, {"retention", "apply"}, {"reindex"}, {"manifest"}} {
		if s := old.command(args...); s.code == 0 || !strings.Contains(s.err, key) || strings.Contains(s.out, "s3cret") {
			t.Errorf("jobvault %v says %d\n%s%s", args, s.code, s.out, s.err)
		}
	}
	if s := old.command("rebuild"); s.code != 1 || !strings.Contains(s.err, key) {
		t.Errorf("rebuild says %d\n%s%s", s.code, s.out, s.err)
	}
	if s := old.command("verify"); s.code != 1 || !strings.Contains(s.out, "removals: "+key) {
		t.Errorf("verify says %d\n%s", s.code, s.out)
	}
	// The database that knows the record can have it forgotten, and write it anew.
	w.check(w.archive.Bucket().Remove(t.Context(), key))
	w.check(w.archive.Bucket().Remove(t.Context(), archive.RemovalsKey(2)))
	if s := w.command("log", "31"); s.code != 1 || !strings.Contains(s.err, "record 2, which the database knows, is not there") {
		t.Errorf("log says %d\n%s", s.code, s.err)
	}
	_, err = w.pool.Exec(t.Context(), `WITH gone AS (DELETE FROM removal_log WHERE number >= 1) UPDATE log_removals SET logged_in = NULL WHERE logged_in >= 1`)
	w.check(err)
	w.want(0, "retention", "apply")
	w.want(0, "verify", "--deep")
	again, err := w.archive.ReadRemovals(t.Context(), 1)
	w.check(err)
	if fmt.Sprint(again.Lines[0].Settled) != fmt.Sprint(whole.Lines[0].Settled) && len(again.Lines) != 2 {
		t.Errorf("written anew is %+v", again)
	}
}

// A serving jobvault finishes a removal that was killed by itself.
func TestServeFinishesRemovals(t *testing.T) {
	t.Parallel()
	g, gated, direct := gatedBucket(t)
	w, v := removalWorld(t, gated, direct)
	secretJob(v, 31)
	reached := g.shut(http.MethodPut, "0000000001.jsonl", false)
	cmd := w.start("redact", "31", "--yes", "--reason", "a token")
	select {
	case <-reached:
	case <-time.After(time.Minute):
		t.Fatal("it never came so far")
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	g.release()
	if s := w.command("coverage", "--since", "2020-01-01"); !strings.Contains(s.err, "job 31: its removal is not finished") {
		t.Errorf("coverage says %s%s", s.out, s.err)
	}
	p := startProcess(t, w.settings...)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(2 * time.Minute)
	for {
		n, err := w.db.CountUnfinishedRemovals(t.Context())
		w.check(err)
		if n == 0 {
			break
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never finished\n%s", p.said())
		}
	}
	p.terminate()
	w.rebuiltIsWhole()
}
