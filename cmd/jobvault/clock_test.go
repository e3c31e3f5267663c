package main

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/githubsim"
)

// A jobvault whose clock is two hours ahead of Postgres', or behind it, changes nothing
// by that clock.
func TestWrongClock(t *testing.T) {
	t.Parallel()
	shifted := buildShifted(t)
	each := func(name string, test func(*testing.T, *shiftedBinary)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, shifted.own(t))
		})
	}
	for _, by := range []time.Duration{2 * time.Hour, -2 * time.Hour} {
		each("commands "+by.String(), func(t *testing.T, b *shiftedBinary) { wrongCommands(t, b, by) })
		each("serve "+by.String(), func(t *testing.T, b *shiftedBinary) { wrongServe(t, b, by) })
		each("beside a right one "+by.String(), func(t *testing.T, b *shiftedBinary) { wrongBeside(t, b, by) })
	}
	each("a minute is allowed", func(t *testing.T, shifted *shiftedBinary) {
		shifted.shift(50 * time.Second)
		w := newWorld(t)
		w.with(shifted).want(0, "manifest")
	})
}

// with is the world as a shifted binary sees it.
func (w *world) with(b *shiftedBinary) *world {
	wrong := *w
	wrong.binary, wrong.settings = b.path, append([]string{b.setting()}, w.settings...)
	return &wrong
}

// contents is what a wrong clock must not change: the ledger, what the bucket lists, and
// that nothing of the queue is due later than now.
func (w *world) contents() string {
	w.t.Helper()
	var rows string
	w.check(w.pool.QueryRow(w.t.Context(), `
		SELECT concat_ws(E'\n',
			(SELECT string_agg(l::text, E'\n' ORDER BY l.job_id) FROM job_logs l),
			(SELECT count(*) FROM manifests), (SELECT count(*) FROM log_removals), (SELECT count(*) FROM run_attempts),
			(SELECT count(*) FROM queue.river_job WHERE scheduled_at > now() + interval '1 minute'))`).Scan(&rows))
	for o, err := range w.archive.Bucket().List(w.t.Context(), "") {
		w.check(err)
		rows += fmt.Sprintf("\n%s %d %s", o.Key, o.Size, o.ModTime)
	}
	return rows
}

var timeInText = regexp.MustCompile(`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

// wrongCommands compares what commands do with what they may do.
func wrongCommands(t *testing.T, shifted *shiftedBinary, by time.Duration) {
	w := newWorld(t)
	now := time.Now()
	day := w.github.AddHistory(githubsim.History{Seed: 3, Jobs: 12, Runs: 4, Repositories: 1, Begin: now.AddDate(0, 0, -5), End: now.AddDate(0, 0, -4), NoDeliveries: true})
	owner := day.Repositories[0].Owner
	w.want(0, "backfill", "--org", owner, "--since", "9d")
	w.want(0, "retention", "add", "--keep", "3d") // by any of the clocks, all of them go
	id := strconv.FormatInt(day.Jobs[0].ID, 10)
	before := w.contents()
	archived := strings.Count(before, "/log.zst ")

	shifted.shift(by)
	wrong := w.with(shifted)
	for _, args := range [][]string{
		{"retention", "apply"}, {"redact", id, "--reason", "a token", "--yes"}, {"manifest"}, {"verify", "--repair"}, {"rebuild"}, {"reindex"},
		{"backfill", "--org", owner, "--since", "30d"}, {"reconcile"},
	} {
		s := wrong.want(1, args...)
		times := timeInText.FindAllString(s.err, -1)
		if len(times) != 2 {
			t.Errorf("jobvault %v does not name both times: %s", args, s.err)
			continue
		}
		apart := mustTime(t, times[0]).Sub(mustTime(t, times[1]))
		if (apart - by).Abs() > 30*time.Second {
			t.Errorf("jobvault %v names %s, which are %s apart, not %s", args, times, apart, by)
		}
	}
	if after := w.contents(); after != before {
		t.Errorf("it was\n%s\nand is\n%s", before, after)
	}

	// What only reads goes on, and so does what protects; how long ago, and when, is by
	// Postgres' time.
	wrong.want(0, "verify")
	if s := wrong.want(0, "retention", "plan"); !strings.Contains(s.out, fmt.Sprintf("%d logs would go", archived)) {
		t.Errorf("the plan: %s", s.out)
	}
	if s := wrong.want(0, "jobs", "--since", "9d", "--json"); strings.Count(s.out, "\n") != len(day.Jobs) {
		t.Errorf("%d jobs listed of %d", strings.Count(s.out, "\n"), len(day.Jobs))
	}
	if s := wrong.want(0, "jobs", "--since", "90m"); strings.Count(s.out, "\n") != 1 {
		t.Errorf("jobs of the last 90 minutes:\n%s", s.out)
	}
	wrong.want(0, "token", "create", "--name", "reader", "--repo", owner+"/*", "--expires", "1h")
	wrong.want(0, "hold", "set", "--job", id, "--reason", "case 7")
	w.await(time.Second, `
		SELECT (SELECT bool_and(abs(extract(epoch FROM created_at - now())) < 60) FROM holds)
		   AND (SELECT bool_and(abs(extract(epoch FROM expires_at - now() - interval '1 hour')) < 60) FROM read_tokens)`)

	// With a clock that is right, all but what is held goes.
	shifted.shift(0)
	wrong.want(0, "retention", "apply")
	w.await(time.Second, `SELECT count(*) = 1 FROM job_logs WHERE state = 'archived'`)
}

// wrongServe is about one process whose clock is wrong when it starts, is set right, and
// goes wrong again.
func wrongServe(t *testing.T, shifted *shiftedBinary, by time.Duration) {
	w := newWorld(t)
	day := w.github.PlayableDay(24, 10, 1<<10)
	shifted.shift(by)
	p := startBinary(t, shifted.path, append(w.settings, shifted.setting(), "JOBVAULT_RECONCILE_EVERY=1s")...)
	if status, body := fetch(t, p.url+"/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, by.String()) {
		t.Errorf("readyz: %d %s", status, body)
	}
	if skew := metric(t, p, "jobvault_clock_skew_seconds"); skew < by.Seconds()-30 || skew > by.Seconds()+30 {
		t.Errorf("the metric says %v", skew)
	}
	if said := p.said(); strings.Count(said, "level=ERROR") != 1 || len(timeInText.FindAllString(said, -1)) < 2 || !strings.Contains(said, "Postgres says") {
		t.Errorf("the log says: %s", said)
	}
	for _, r := range githubsim.Send(t.Context(), p.url+"/webhook", day.Deliveries, githubsim.SendOptions{Secret: processSecret, Concurrency: 8}) {
		if r.Err != nil || r.Status != http.StatusAccepted {
			t.Fatalf("delivery %s: %d, %v", r.Delivery.GUID, r.Status, r.Err)
		}
	}
	var waiting, known int
	w.check(w.pool.QueryRow(t.Context(), `
		SELECT count(*) FILTER (WHERE state = 'received' AND abs(extract(epoch FROM received_at - now())) < 60), (SELECT count(*) FROM jobs) FROM deliveries`).Scan(&waiting, &known))
	if waiting != len(day.Deliveries) || known != 0 {
		t.Errorf("%d of %d deliveries wait, %d jobs", waiting, len(day.Deliveries), known)
	}

	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log:\n%s", p.said())
		}
	})
	shifted.shift(0)
	w.awaitSettled(time.Minute, len(day.Jobs))
	if status, body := fetch(t, p.url+"/readyz"); status != http.StatusOK {
		t.Errorf("readyz: %d %s", status, body)
	}
	w.await(30*time.Second, `SELECT count(*) = 1 FROM queue.river_leader`)

	shifted.shift(by)
	w.await(30*time.Second, `SELECT count(*) = 0 FROM queue.river_leader`) // it works no more
	if status, body := fetch(t, p.url+"/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("readyz: %d %s", status, body)
	}
	p.terminate()
	w.compare(day)
}

// wrongBeside has a process whose clock is right find what one left that was wrong: rows
// due in two hours, and a leader of the queue for as long.
func wrongBeside(t *testing.T, shifted *shiftedBinary, by time.Duration) {
	w := newWorld(t)
	day := w.github.PlayableDay(25, 10, 1<<10)
	shifted.shift(by)
	wrong := startBinary(t, shifted.path, append(w.settings, shifted.setting(), "JOBVAULT_RECONCILE_EVERY=1s")...)
	right := startProcess(t, append(w.settings, "JOBVAULT_RECONCILE_EVERY=1s")...)
	for _, r := range githubsim.Send(t.Context(), wrong.url+"/webhook", day.Deliveries, githubsim.SendOptions{Secret: processSecret, Concurrency: 8}) {
		if r.Err != nil || r.Status != http.StatusAccepted {
			t.Fatalf("delivery %s: %d, %v", r.Delivery.GUID, r.Status, r.Err)
		}
	}
	w.awaitSettled(time.Minute, len(day.Jobs))
	w.await(time.Minute, `SELECT count(*) FILTER (WHERE kind = 'reconcile') > 2 AND count(*) FILTER (WHERE kind = 'requeue') > 0 FROM queue.river_job WHERE state = 'completed'`)
	// Logs that may grow are asked for again two minutes after their webhook.
	w.await(time.Second, `SELECT count(*) = 0 FROM queue.river_job WHERE scheduled_at > now() + interval '1 minute' * CASE kind WHEN 'recheck' THEN 3 ELSE 1 END`)
	if status, body := fetch(t, right.url+"/readyz"); status != http.StatusOK {
		t.Errorf("readyz: %d %s", status, body)
	}
	wrong.terminate()
	right.terminate()
	w.compare(day)
	w.leaveLate()
	next := startProcess(t, append(w.settings, "JOBVAULT_RECONCILE_EVERY=1s")...)
	w.awaitSettled(time.Minute, len(day.Jobs))
	w.await(time.Minute, `SELECT count(*) FILTER (WHERE kind = 'reconcile') > 2 AND count(*) FILTER (WHERE kind = 'requeue') > 0 FROM queue.river_job WHERE state = 'completed'`)
	next.terminate()
}

// leaveLate leaves the queue as a process with a clock two hours ahead left it before
// jobvault went by Postgres' time, and jobs to be archived in it.
func (w *world) leaveLate() {
	w.t.Helper()
	_, err := w.pool.Exec(w.t.Context(), `
		UPDATE job_logs SET state = 'pending', settled_at = NULL, object_key = NULL, raw_bytes = NULL, stored_bytes = NULL, lines = NULL, sha256 = NULL,
			stored_sha256 = NULL, frame_lines = NULL, frame_offsets = NULL, archived_at = NULL, filter_bytes = NULL
		WHERE state = 'archived'`)
	w.check(err)
	// With their unique keys, which keep others from being put beside them.
	_, err = w.pool.Exec(w.t.Context(), `
		WITH gone AS (DELETE FROM queue.river_job WHERE id NOT IN (SELECT max(id) FROM queue.river_job GROUP BY kind, args))
		UPDATE queue.river_job SET state = CASE kind WHEN 'archive' THEN 'scheduled' ELSE 'available' END::queue.river_job_state,
			finalized_at = NULL, attempt = 0, scheduled_at = now() + interval '2 hours'
		WHERE id IN (SELECT max(id) FROM queue.river_job GROUP BY kind, args)`)
	w.check(err)
	_, err = w.pool.Exec(w.t.Context(), `INSERT INTO queue.river_leader (elected_at, expires_at, leader_id) VALUES (now(), now() + interval '2 hours', 'gone')`)
	w.check(err)
}

func fetch(t testing.TB, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// metric reads one without labels.
func metric(t testing.TB, p *process, name string) float64 {
	t.Helper()
	_, body := fetch(t, p.url+"/metrics")
	for line := range strings.SplitSeq(body, "\n") {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("there is no metric %s:\n%s", name, body)
	return 0
}

func mustTime(t testing.TB, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
