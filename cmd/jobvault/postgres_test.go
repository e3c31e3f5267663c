package main

import (
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/migrations"
	"github.com/jobvault/jobvault/store"
)

// at is a setting that has the world's processes use its database in another way.
func (w *world) at(url string) []string {
	return append(w.settings[:len(w.settings):len(w.settings)], "JOBVAULT_DATABASE_URL="+url)
}

func (w *world) url() string { return w.pool.Config().ConnString() }

// archiveDay has a process archive a day, while manifests are due and readers ask.
func (w *world) archiveDay(p *process) {
	w.t.Helper()
	day := w.github.PlayableDay(5, 40, 1<<18)
	for _, r := range githubsim.Send(w.t.Context(), p.url+"/webhook", day.Deliveries, githubsim.SendOptions{Secret: processSecret, Concurrency: 8}) {
		if r.Err != nil || r.Status != http.StatusAccepted {
			w.t.Fatalf("delivery %s: %d, %v", r.Delivery.GUID, r.Status, r.Err)
		}
		if status, body := p.get("/"); status != http.StatusOK {
			w.t.Errorf("a page: %d %s", status, body)
		}
	}
	w.awaitSettled(2*time.Minute, len(day.Jobs)+1)
	w.await(time.Minute, `SELECT count(*) > 0 FROM manifests`)
}

// dueManifest is a job that was settled days ago, and that no manifest lists.
func (w *world) dueManifest() {
	w.t.Helper()
	for _, statement := range []string{
		`INSERT INTO repositories (id, owner, name, seen_at) VALUES (900001, 'acme', 'old', now())`,
		`INSERT INTO workflow_runs (id, repository_id, workflow_name) VALUES (900002, 900001, 'CI')`,
		`INSERT INTO jobs (id, run_id, repository_id, name, status, created_at) VALUES (900003, 900002, 900001, 'build', 'completed', now() - interval '3 days')`,
		`INSERT INTO job_logs (job_id, state, reason, settled_at) VALUES (900003, 'missing', 'deadline', now() - interval '3 days')`,
	} {
		_, err := w.pool.Exec(w.t.Context(), statement)
		w.check(err)
	}
}

// With as few connections as may be, everything that keeps one for long is done besides.
func TestTheSmallestPoolWorks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dueManifest()
	p := startProcess(t, w.at(w.url()+"&pool_max_conns=4")...)
	w.archiveDay(p)
	if status, body := p.get("/readyz"); status != http.StatusOK {
		t.Errorf("/readyz: %d %s", status, body)
	}
	p.terminate()
}

func TestBehindPgBouncer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dueManifest()
	bySession := testenv.PgBouncer(t, w.url(), map[string]string{"pool_mode": "session", "default_pool_size": "40"})
	if out, err := w.commandAt(bySession, "migrate", "up"); err != nil || !strings.Contains(out, "nothing to apply") {
		t.Errorf("migrate up: %v\n%s", err, out)
	}
	p := startProcess(t, w.at(bySession)...)
	w.archiveDay(p)
	p.terminate()

	for _, mode := range []string{"transaction", "statement"} {
		url := testenv.PgBouncer(t, w.url(), map[string]string{"pool_mode": mode})
		for _, command := range [][]string{{"serve"}, {"jobs"}, {"migrate", "up"}} {
			out, err := w.commandAt(url, command...)
			want := "JOBVAULT_DATABASE_URL: store: " + store.ErrNoSessions.Error() + "\n"
			if err == nil || !strings.HasSuffix(out, want) || strings.Count(out, "\n") != 1 {
				t.Errorf("%s by %s: %v\n%s", command, mode, err, out)
			}
		}
	}
}

// commandAt runs a command against a database, and returns all that it says.
func (w *world) commandAt(url string, args ...string) (string, error) {
	cmd := exec.CommandContext(w.t.Context(), testBinary(), args...)
	cmd.Env = processEnv(w.at(url))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// A Postgres that fails over under jobvault.
func TestReadyOnlyWherePostgresWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := testenv.Cluster(t, nil)
	before := startProcess(t, w.at(server.URL())...)
	server.BeStandby(t)
	const standby = `"postgres":"does not write: a standby, which only reads"`
	before.until("/readyz", standby)
	p := startProcess(t, w.at(server.URL())...)
	if status, body := p.get("/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, standby) {
		t.Errorf("/readyz of one that was started meanwhile: %d %s", status, body)
	}
	day := w.github.PlayableDay(5, 2, 1<<10)
	if status := w.send(p, day.Deliveries[0]); status != http.StatusServiceUnavailable {
		t.Errorf("a delivery is answered %d", status)
	}
	if _, err := testenv.PoolAt(t, server.URL()).Exec(t.Context(), `SELECT pg_promote()`); err != nil {
		t.Fatal(err)
	}
	before.until("/readyz", `"postgres":"ok"`)
	before.terminate()
	p.until("/readyz", `"postgres":"ok"`)
	if status := w.send(p, day.Deliveries[0]); status != http.StatusAccepted {
		t.Errorf("a delivery is answered %d", status)
	}
	// It works, too, as nobody else does any more.
	other := *w
	other.pool = testenv.PoolAt(t, server.URL())
	other.await(time.Minute, `SELECT bool_and(state = 'done') FROM deliveries`)
}

func (w *world) send(p *process, d githubsim.Delivery) int {
	w.t.Helper()
	r := githubsim.Send(w.t.Context(), p.url+"/webhook", []githubsim.Delivery{d}, githubsim.SendOptions{Secret: processSecret})[0]
	w.check(r.Err)
	return r.Status
}

// While a newer jobvault has brought the schema up, those that are older receive: one that
// runs goes on, and one that begins only receives.
func TestAnOlderJobvaultReceivesBesideANewerSchema(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	day := w.github.PlayableDay(5, 6, 1<<10)
	running := startProcess(t, w.settings...)
	_, err := w.pool.Exec(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)`)
	w.check(err)
	if status, body := running.get("/readyz"); status != http.StatusOK || !strings.Contains(body, `"schema":"newer than this jobvault"`) {
		t.Errorf("/readyz of one that runs: %d %s", status, body)
	}
	running.terminate()

	p := startProcess(t, w.settings...)
	if status, body := p.get("/readyz"); status != http.StatusOK || !strings.Contains(body, `"schema":"newer than this jobvault"`) {
		t.Errorf("/readyz: %d %s", status, body)
	}
	for _, d := range day.Deliveries {
		if status := w.send(p, d); status != http.StatusAccepted {
			t.Fatalf("a delivery is answered %d", status)
		}
	}
	if status, body := p.get("/"); status != http.StatusServiceUnavailable || !strings.Contains(body, "older than its database's schema") {
		t.Errorf("a page: %d %s", status, body)
	}
	if !strings.Contains(p.said(), "it receives webhooks, and neither archives nor answers readers") {
		t.Errorf("the log does not say so:\n%s", p.said())
	}
	p.terminate()
	w.await(time.Minute, `SELECT bool_and(state = 'received') FROM deliveries`)
	for _, role := range []string{"work", "lookup"} {
		if out, err := w.commandAt(w.url(), "--roles="+role, "serve"); err == nil || !strings.Contains(out, migrations.ErrNewer.Error()) {
			t.Errorf("one that only has the role %s: %v\n%s", role, err, out)
		}
	}

	// The newer one works on what was received.
	_, err = w.pool.Exec(t.Context(), `DELETE FROM goose_db_version WHERE version_id = 99999`)
	w.check(err)
	startProcess(t, w.settings...)
	w.awaitSettled(time.Minute, len(day.Jobs))
}

// What migrate up may not do, it prints for somebody who may; serve goes on without.
func TestMigrateUpPrintsWhatItMayNotDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := testenv.Cluster(t, nil)
	admin := testenv.PoolAt(t, server.URL())
	for _, statement := range []string{`CREATE ROLE owner LOGIN PASSWORD 'secret'`, `CREATE DATABASE owned OWNER owner`} {
		_, err := admin.Exec(t.Context(), statement)
		w.check(err)
	}
	owned, err := url.Parse(server.URLFor("owned"))
	w.check(err)
	owned.User = url.UserPassword("owner", "secret")
	for _, first := range []string{"applied 00002_tables.sql", "nothing to apply"} {
		out, err := w.commandAt(owned.String(), "migrate", "up")
		w.check(err)
		for _, words := range []string{first, "permission denied to create role", "whoever may, runs in this database:\nCREATE ROLE jobvault_reader NOLOGIN;\nGRANT SELECT ON public.action_facts, "} {
			if !strings.Contains(out, words) {
				t.Errorf("%q is not in\n%s", words, out)
			}
		}
	}
	p := startProcess(t, w.at(owned.String())...)
	if !strings.Contains(p.said(), "jobvault migrate up prints what to run") {
		t.Errorf("serve says nothing of it:\n%s", p.said())
	}
	p.terminate()
	_, err = admin.Exec(t.Context(), `CREATE ROLE jobvault_reader NOLOGIN`)
	w.check(err)
	if out, err := w.commandAt(owned.String(), "migrate", "up"); err != nil || out != "nothing to apply\n" {
		t.Errorf("once the role is there: %v\n%s", err, out)
	}
}
