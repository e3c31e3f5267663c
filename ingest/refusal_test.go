package ingest_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/store"
)

const (
	job = githubsim.EndpointJob
	log = githubsim.EndpointLog
	blb = githubsim.EndpointBlob
)

// For each of GitHub's refusals: what the worker does at once, and how the job ends once
// GitHub answers as it should.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		fault   githubsim.Fault
		says    string        // to River
		atLeast time.Duration // of a snooze
		atMost  time.Duration
		state   string // in the ledger after the try
		status  int
		ends    string // after the fault has gone; empty: archived
	}{
		{name: "429", fault: githubsim.Fault{Endpoint: job, Kind: githubsim.TooMany, RetryAfter: 90 * time.Second}, says: "snooze", atLeast: 90 * time.Second, atMost: 2 * time.Minute, state: "pending"},
		{name: "primary limit", fault: githubsim.Fault{Endpoint: log, Kind: githubsim.PrimaryLimit, RetryAfter: 30 * time.Minute}, says: "snooze", atLeast: 29 * time.Minute, atMost: 31 * time.Minute, state: "pending"},
		{name: "secondary limit", fault: githubsim.Fault{Endpoint: job, Kind: githubsim.SecondaryLimit}, says: "snooze", atLeast: time.Minute, atMost: 2 * time.Minute, state: "pending"},
		{name: "secondary limit with Retry-After", fault: githubsim.Fault{Endpoint: log, Kind: githubsim.SecondaryLimit, RetryAfter: 5 * time.Minute}, says: "snooze", atLeast: 5 * time.Minute, atMost: 6 * time.Minute, state: "pending"},
		{name: "403 with Retry-After and another URL", fault: githubsim.Fault{Endpoint: job, Kind: githubsim.Status, Status: 403, Header: http.Header{"Retry-After": {"70"}}, Body: `{"message":"slow down"}`}, says: "snooze", atLeast: 70 * time.Second, atMost: 2 * time.Minute, state: "pending"},
		{name: "job 404", fault: githubsim.Fault{Endpoint: job, Kind: githubsim.NotFoundJSON}, says: "snooze", atLeast: 2 * time.Second, atMost: 2 * time.Second, state: "pending", status: 404},
		{name: "log 404 JSON", fault: githubsim.Fault{Endpoint: log, Kind: githubsim.NotFoundJSON}, says: "snooze", atLeast: 2 * time.Second, atMost: 2 * time.Second, state: "pending", status: 404},
		{name: "log 404 XML", fault: githubsim.Fault{Endpoint: blb, Kind: githubsim.NotFoundXML}, says: "snooze", atLeast: 2 * time.Second, atMost: 2 * time.Second, state: "pending", status: 404},
		{name: "410", fault: githubsim.Fault{Endpoint: log, Kind: githubsim.Gone}, says: "done", state: "expired", status: 410, ends: "expired"},
		{name: "401", fault: githubsim.Fault{Endpoint: job, Kind: githubsim.Unauthorized}, says: "snooze", atLeast: time.Hour, atMost: 75 * time.Minute, state: "denied", status: 401},
		{name: "403", fault: githubsim.Fault{Endpoint: log, Kind: githubsim.Forbidden}, says: "snooze", atLeast: time.Hour, atMost: 75 * time.Minute, state: "denied", status: 403},
		{name: "500 for the job", fault: githubsim.Fault{Endpoint: job, Kind: githubsim.ServerError}, says: "snooze", atLeast: 2 * time.Second, atMost: 3 * time.Second, state: "pending", status: 500},
		{name: "500 for the log", fault: githubsim.Fault{Endpoint: log, Kind: githubsim.ServerError}, says: "snooze", atLeast: 2 * time.Second, atMost: 3 * time.Second, state: "pending", status: 500},
		{name: "503 with Retry-After", fault: githubsim.Fault{Endpoint: blb, Kind: githubsim.Status, Status: 503, Header: http.Header{"Retry-After": {"30"}}}, says: "snooze", atLeast: 30 * time.Second, atMost: time.Minute, state: "pending", status: 503},
		{name: "storage refuses the link", fault: githubsim.Fault{Endpoint: blb, Kind: githubsim.Forbidden}, says: "snooze", atLeast: 2 * time.Second, atMost: 3 * time.Second, state: "pending", status: 403},
		{name: "an error page with status 200", fault: githubsim.Fault{Endpoint: blb, Kind: githubsim.HTML200}, says: "snooze", atLeast: 2 * time.Second, atMost: 3 * time.Second, state: "pending", status: 200},
		{name: "an error page instead of the redirect", fault: githubsim.Fault{Endpoint: log, Kind: githubsim.HTML200}, says: "snooze", atLeast: 2 * time.Second, atMost: 3 * time.Second, state: "pending", status: 200},
		{name: "a page instead of the job", fault: githubsim.Fault{Endpoint: job, Kind: githubsim.HTML200}, says: "snooze", atLeast: 2 * time.Second, atMost: 3 * time.Second, state: "pending", status: 200},
		{name: "another job's answer", fault: githubsim.Fault{Endpoint: job, Kind: githubsim.Status, Status: 200, Body: `{"id":77,"run_id":1,"status":"completed"}`}, says: "snooze", atLeast: 2 * time.Second, atMost: 3 * time.Second, state: "pending", status: 200},
		{name: "body cut short", fault: githubsim.Fault{Endpoint: blb, Kind: githubsim.CutBody}, says: "snooze", atLeast: 2 * time.Second, atMost: 3 * time.Second, state: "pending", status: 200},
		{name: "chunked body cut short", fault: githubsim.Fault{Endpoint: blb, Kind: githubsim.CutChunked}, says: "snooze", atLeast: 2 * time.Second, atMost: 3 * time.Second, state: "pending", status: 200},
		{name: "wrong checksum", fault: githubsim.Fault{Endpoint: blb, Kind: githubsim.WrongMD5}, says: "snooze", atLeast: 2 * time.Second, atMost: 3 * time.Second, state: "pending", status: 200},
		{name: "redirect without an address", fault: githubsim.Fault{Endpoint: log, Kind: githubsim.Status, Status: 302}, says: "snooze", atLeast: 2 * time.Second, atMost: 3 * time.Second, state: "pending", status: 302},
		{name: "redirect to a file", fault: githubsim.Fault{Endpoint: log, Kind: githubsim.Status, Status: 302, Header: http.Header{"Location": {"file:///etc/passwd"}}}, says: "snooze", atLeast: 2 * time.Second, atMost: 3 * time.Second, state: "pending", status: 302},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			now := ingesttest.NewClock()
			r := newRig(t, ingesttest.Options{Now: now.Now})
			j := ingesttest.Completed(1, now.Now(), githubsim.GeneratedLog(1, 200_000, githubsim.LogStyle{}))
			r.Know(j)
			remove := r.GitHub.Inject(c.fault)
			says, pause := r.Try(1)
			if says != c.says || pause < c.atLeast || pause > c.atMost {
				t.Errorf("the worker says %s %s, want %s of %s to %s", says, pause, c.says, c.atLeast, c.atMost)
			}
			entry, err := r.DB.JobLog(t.Context(), 1)
			r.Check(err)
			if entry.State != c.state || c.status != 0 && (entry.HTTPStatus == nil || *entry.HTTPStatus != c.status) {
				t.Errorf("ledger: %s, status %v, reason %v; want %s, %d", entry.State, deref(entry.HTTPStatus), deref(entry.Reason), c.state, c.status)
			}
			if entry.Reason != nil && (strings.Contains(*entry.Reason, "sig=") || strings.Contains(*entry.Reason, r.GitHub.Token())) {
				t.Errorf("a secret in the reason: %s", *entry.Reason)
			}
			remove()
			now.Advance(2 * time.Hour)
			if says, _ := r.Try(1); says != "done" {
				t.Errorf("after GitHub came to its senses the worker says %s", says)
			}
			want := c.ends
			if want == "" {
				want = "archived"
				r.CompareLog(j)
			}
			if got := ingesttest.Scalar[string](r.Rig, `SELECT state FROM job_logs`); got != want {
				t.Errorf("in the end it is %s, want %s", got, want)
			}
		})
	}
}

func deref[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

// A limit stops the whole installation: nobody asks again before it ends.
func TestLimitStopsTheInstallation(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now})
	for id := range int64(5) {
		r.Know(ingesttest.Completed(id+1, now.Now(), githubsim.GeneratedLog(1, 1000, githubsim.LogStyle{})))
	}
	remove := r.GitHub.Inject(githubsim.Fault{Endpoint: job, Kind: githubsim.TooMany, RetryAfter: 10 * time.Minute})
	for id := range int64(5) {
		if says, pause := r.Try(id + 1); says != "snooze" || pause < 10*time.Minute {
			t.Errorf("job %d: %s %s", id+1, says, pause)
		}
	}
	if n := r.GitHub.Requests()[job]; n != 1 {
		t.Errorf("%d requests in spite of the limit, want 1", n)
	}
	if n := ingesttest.Scalar[int](r.Rig, `SELECT sum(attempts) FROM job_logs`); n != 0 {
		t.Errorf("%d attempts were charged", n)
	}
	remove()
	now.Advance(11 * time.Minute)
	if says, _ := r.Try(1); says != "done" {
		t.Errorf("after the limit: %s", says)
	}
}

// A log that is not there is asked for at growing intervals until the deadline,
// and at least twice however late the first try comes.
func TestLogNeverComes(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now, Deadline: time.Hour})
	r.Know(ingesttest.Completed(1, now.Now(), githubsim.Log{}), ingesttest.Completed(2, now.Now(), githubsim.Log{}))
	var pauses []time.Duration
	for {
		says, pause := r.Try(1)
		if says == "done" {
			break
		}
		pauses = append(pauses, pause)
		if len(pauses) > 50 {
			t.Fatal("it is asked for without end")
		}
		now.Advance(pause)
	}
	want := []int{2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600}
	for i, p := range pauses {
		if i < len(want) && p != time.Duration(want[i])*time.Second {
			t.Errorf("pause %d is %s, want %d s", i, p, want[i])
		}
	}
	entry, err := r.DB.JobLog(t.Context(), 1)
	r.Check(err)
	if entry.State != "missing" || *entry.HTTPStatus != 404 || !strings.Contains(*entry.Reason, "BlobNotFound") || entry.Attempts != len(pauses)+1 {
		t.Errorf("ledger %s %v %v, %d attempts after %d pauses", entry.State, deref(entry.HTTPStatus), deref(entry.Reason), entry.Attempts, len(pauses))
	}
	// Job 2 is long past its deadline when it is first tried.
	if says, _ := r.Try(2); says != "snooze" {
		t.Errorf("the first 404 was believed: %s", says)
	}
	if says, _ := r.Try(2); says != "done" || ingesttest.Scalar[string](r.Rig, `SELECT state FROM job_logs WHERE job_id = 2`) != "missing" {
		t.Errorf("the second was not: %s", says)
	}
	if n := r.GitHub.RequestsFor(1)[job]; n != 1 {
		t.Errorf("the job itself was fetched %d times", n)
	}
}

// A job that GitHub does not know is asked for twice, and then believed missing;
// one that never had steps or a runner never had a log.
func TestJobThatGitHubDoesNotKnow(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now})
	known := ingesttest.Completed(1, now.Now(), githubsim.Log{})
	check := ingesttest.Completed(2, now.Now(), githubsim.Log{})
	check.Steps, check.Labels, check.RunnerID, check.RunnerName, check.RunnerGroupID, check.RunnerGroupName = nil, nil, nil, nil, nil, nil
	r.Know(known, check)
	for id, want := range map[int64]string{1: "missing", 2: "none"} {
		r.GitHub.RemoveJob(id)
		if says, pause := r.Try(id); says != "snooze" || pause > 10*time.Second {
			t.Errorf("job %d: the first 404 makes the worker say %s %s", id, says, pause)
		}
		if says, _ := r.Try(id); says != "done" {
			t.Errorf("job %d: the second makes it say %s", id, says)
		}
		if got := ingesttest.Scalar[string](r.Rig, `SELECT state FROM job_logs WHERE job_id = $1`, id); got != want {
			t.Errorf("job %d is %s, want %s", id, got, want)
		}
	}
}

// Only an answer about the log counts as a try: after hours of other failures, a first
// 404 is still asked for again.
func TestOtherTroublesAreNoAttempts(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now, Deadline: time.Hour})
	r.Know(ingesttest.Completed(1, now.Now(), githubsim.Log{}))
	remove := r.GitHub.Inject(githubsim.Fault{Endpoint: job, Kind: githubsim.ServerError})
	for range 5 {
		if says, _ := r.Try(1); says != "snooze" {
			t.Errorf("the worker says %s", says)
		}
		now.Advance(time.Hour)
	}
	remove()
	if says, _ := r.Try(1); says != "snooze" {
		t.Errorf("the first 404 of the log was believed: %s", says)
	}
	if says, _ := r.Try(1); says != "done" {
		t.Errorf("the second was not: %s", says)
	}
	if n := ingesttest.Scalar[int](r.Rig, `SELECT attempts FROM job_logs`); n != 2 {
		t.Errorf("%d attempts, want 2", n)
	}
}

func TestLogComesLate(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now})
	j := ingesttest.Completed(1, now.Now(), githubsim.GeneratedLog(1, 5000, githubsim.LogStyle{}))
	r.Know(j)
	r.GitHub.LogAvailableAt(1, 3)
	for i, want := range []string{"snooze", "snooze", "done"} {
		if says, _ := r.Try(1); says != want {
			t.Errorf("try %d: %s, want %s", i+1, says, want)
		}
	}
	r.CompareLog(j)
}

// What can have no log is not waited for.
func TestJobsThatNeverHadALog(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now})
	bare := func(id int64, conclusion string) githubsim.Job {
		j := ingesttest.Completed(id, now.Now(), githubsim.Log{})
		j.Conclusion, j.Steps, j.Labels, j.RunnerID, j.RunnerName, j.RunnerGroupID, j.RunnerGroupName = &conclusion, nil, nil, nil, nil, nil, nil
		return j
	}
	surprise := bare(4, "cancelled")
	surprise.Log = githubsim.TextLog([]byte("it has one after all\n"))
	r.Know(bare(1, "skipped"), bare(2, "cancelled"), bare(3, "success"), surprise)
	for id := range int64(4) {
		if says, _ := r.Try(id + 1); says != "done" {
			t.Errorf("job %d: %s", id+1, says)
		}
	}
	for id, want := range map[int64]string{1: "none", 2: "none", 3: "none", 4: "archived"} {
		if got := ingesttest.Scalar[string](r.Rig, `SELECT state FROM job_logs WHERE job_id = $1`, id); got != want {
			t.Errorf("job %d is %s, want %s", id, got, want)
		}
	}
	if n := r.GitHub.RequestsFor(1)[log]; n != 0 {
		t.Errorf("the log of a skipped job was asked for %d times", n)
	}
	if n := r.GitHub.RequestsFor(2)[log]; n != 1 {
		t.Errorf("the log of a job without a runner was asked for %d times", n)
	}
}

// A server may answer with the log itself instead of a redirect, as Gitea does.
func TestLogWithoutRedirect(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{GitHub: githubsim.Options{DirectLogs: true}})
	j := ingesttest.Completed(1, time.Now(), githubsim.GeneratedLog(1, 3<<20, githubsim.LogStyle{CRLF: true}))
	r.Know(j)
	if says, _ := r.Try(1); says != "done" {
		t.Errorf("the worker says %s", says)
	}
	r.CompareLog(j)
}

// Strange logs come back as they were.
func TestStrangeLogs(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	logs := []githubsim.Log{
		githubsim.TextLog([]byte{}), githubsim.TextLog([]byte("no newline")), githubsim.TextLog([]byte("a\x00b\n\xff\xfe\n")),
		githubsim.GeneratedLog(1, 1<<20, githubsim.LogStyle{HugeLine: true}), githubsim.GeneratedLog(2, 5<<20, githubsim.LogStyle{CRLF: true, ANSI: true}),
		githubsim.GeneratedLog(3, 100_000, githubsim.LogStyle{NULBytes: true, InvalidUTF8: true, NoFinalNewline: true}),
	}
	for i, l := range logs {
		j := ingesttest.Completed(int64(i+1), time.Now(), l)
		r.Know(j)
		if says, _ := r.Try(j.ID); says != "done" {
			t.Errorf("log %d: %s", i, says)
		}
		r.CompareLog(j)
		r.CompareObject(j.ID, "log.zst", l.Bytes())
	}
}

// If the webhook said completed and the API is behind, the job stays completed and is
// asked for again.
func TestAPIBehindItsWebhook(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now})
	j := ingesttest.Completed(1, now.Now(), githubsim.GeneratedLog(1, 5000, githubsim.LogStyle{}))
	r.Know(j)
	behind := j
	behind.Status, behind.Conclusion, behind.CompletedAt = "in_progress", nil, nil
	r.GitHub.AddJob(behind)
	if says, _ := r.Try(1); says != "snooze" {
		t.Errorf("the worker says %s", says)
	}
	if got := ingesttest.Scalar[string](r.Rig, `SELECT status || ' ' || conclusion FROM jobs`); got != "completed success" {
		t.Errorf("the job went back to %s", got)
	}
	r.GitHub.AddJob(j)
	if says, _ := r.Try(1); says != "done" {
		t.Errorf("the worker says %s", says)
	}
	r.CompareLog(j)
}

// A repository that was renamed is found under its old name, by the redirect.
func TestRenamedRepository(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	j := ingesttest.Completed(1, time.Now(), githubsim.GeneratedLog(1, 5000, githubsim.LogStyle{}))
	r.Know(j)
	r.GitHub.RenameRepository(ingesttest.Repository.ID, "acme", "starship")
	if says, _ := r.Try(1); says != "done" {
		t.Errorf("the worker says %s", says)
	}
	r.CompareLog(j)
}

// What was archived stays, whatever a second worker or GitHub says later.
func TestArchivedStaysArchived(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	j := ingesttest.Completed(1, time.Now(), githubsim.GeneratedLog(1, 50_000, githubsim.LogStyle{}))
	r.Know(j)
	if says, _ := r.Try(1); says != "done" {
		t.Fatal(says)
	}
	less := j
	less.Log = githubsim.TextLog([]byte("less\n"))
	r.GitHub.AddJob(less)
	for _, state := range []string{"pending", "none", "expired", "missing", "denied", "archived"} {
		s := store.Settlement{JobID: 1, State: state}
		if state == "archived" {
			s.Object = &store.Object{Key: "v1/elsewhere", FrameLines: []int64{}, FrameOffsets: []int64{}}
		}
		changed, err := r.DB.Settle(context.Background(), s, time.Now())
		if changed || err != nil {
			t.Errorf("archived became %s (%v)", state, err)
		}
	}
	if says, _ := r.Try(1); says != "done" {
		t.Error(says)
	}
	r.CompareLog(j)
}

// If a worker was killed between two steps, the next one goes on from there.
func TestGoesOnAfterAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := newRig(t, ingesttest.Options{BucketURL: "file://" + dir})
	j := ingesttest.Completed(1, time.Now(), githubsim.GeneratedLog(1, 3<<20, githubsim.LogStyle{}))
	r.Know(j)
	if says, _ := r.Try(1); says != "done" {
		t.Fatal(says)
	}
	before := r.Rows(`SELECT job_id, state, object_key, raw_bytes, stored_bytes, lines, sha256, frame_lines, frame_offsets FROM job_logs`)
	requests := r.GitHub.RequestsFor(1)
	// Killed after the log was complete, before the ledger.
	_, err := r.Pool.Exec(t.Context(), `UPDATE job_logs SET state = 'pending', settled_at = NULL, object_key = NULL, raw_bytes = NULL,
		stored_bytes = NULL, lines = NULL, sha256 = NULL, frame_lines = NULL, frame_offsets = NULL, archived_at = NULL`)
	r.Check(err)
	if says, _ := r.Try(1); says != "done" {
		t.Fatal(says)
	}
	after := r.Rows(`SELECT job_id, state, object_key, raw_bytes, stored_bytes, lines, sha256, frame_lines, frame_offsets FROM job_logs`)
	if fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("settled as\n%v, want\n%v", after, before)
	}
	if again := r.GitHub.RequestsFor(1); again[log] != requests[log] || again[job] != requests[job] {
		t.Errorf("GitHub was asked again: %v, before %v", again, requests)
	}
	// Killed after job.json was kept, before the rows: what was kept counts.
	_, err = r.Pool.Exec(t.Context(), `UPDATE jobs SET fetched_at = NULL`)
	r.Check(err)
	_, err = r.Pool.Exec(t.Context(), `UPDATE job_logs SET state = 'pending', settled_at = NULL`)
	r.Check(err)
	changed := j
	changed.Name = "renamed meanwhile"
	r.GitHub.AddJob(changed)
	if says, _ := r.Try(1); says != "done" {
		t.Fatal(says)
	}
	if got := ingesttest.Scalar[string](r.Rig, `SELECT name FROM jobs`); got != j.Name {
		t.Errorf("the row says %q, job.json says %q", got, j.Name)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".tmp", "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A settled job without a log leaves a record of why in the bucket.
func TestSettledIsKeptInTheBucket(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := newRig(t, ingesttest.Options{BucketURL: "file://" + dir})
	r.Know(ingesttest.Completed(1, time.Now(), githubsim.GeneratedLog(1, 500, githubsim.LogStyle{})))
	r.GitHub.Inject(githubsim.Fault{Endpoint: log, Kind: githubsim.Gone})
	if says, _ := r.Try(1); says != "done" {
		t.Fatal(says)
	}
	row, err := os.ReadFile(filepath.Join(dir, "v1/3/101/1/1/settled.json"))
	r.Check(err)
	if !strings.Contains(string(row), `"state":"expired"`) || !strings.Contains(string(row), `"http_status":410`) {
		t.Errorf("settled.json is %s", row)
	}
	if _, err := os.Stat(filepath.Join(dir, "v1/3/101/1/1/job.json")); err != nil {
		t.Error(err)
	}
}
