package ingest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/store"
)

// maxDepth is the bound on outside JSON.
const maxDepth = 10_000

// nested is an array with a number of levels.
func nested(levels int) []byte {
	return append(bytes.Repeat([]byte("["), levels), bytes.Repeat([]byte("]"), levels)...)
}

// usableAt is a usable payload of a job, nested a number of levels deep.
func usableAt(job int64, depth int) []byte {
	b := usable(job)
	return append(append(append(b[:len(b)-1:len(b)-1], `,"deep":`...), nested(depth-1)...), '}')
}

// A signed delivery that is nested deeper than anything is kept as it was sent, and
// set aside: nothing recurses through it. One that is just not too deep is a delivery.
func TestDeepDeliveriesAreQuarantined(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{Selected: func(name string) bool { return name != "acme/secret" }})
	const reason = "nested deeper than 10000 levels"
	form := func(b []byte) []byte { return []byte("payload=" + url.QueryEscape(string(b))) }
	asForm := header("Content-Type", "application/x-www-form-urlencoded")
	for i, c := range []struct {
		name  string
		body  []byte
		edit  func(*http.Request)
		want  int
		state string // of what is stored, once it is drained; empty: nothing is
		job   *int64
	}{
		{name: "just below", body: usableAt(1, maxDepth-1), want: 202, state: "done", job: ingesttest.Ptr(int64(1))},
		{name: "at the bound", body: usableAt(2, maxDepth), want: 202, state: "done", job: ingesttest.Ptr(int64(2))},
		{name: "just above", body: usableAt(3, maxDepth+1), want: 202, state: "quarantined", job: ingesttest.Ptr(int64(3))},
		{name: "a form at the bound", body: form(usableAt(4, maxDepth)), edit: asForm, want: 202, state: "done", job: ingesttest.Ptr(int64(4))},
		{name: "a form just above", body: form(usableAt(5, maxDepth+1)), edit: asForm, want: 202, state: "quarantined", job: ingesttest.Ptr(int64(5))},
		{name: "objects", body: []byte(strings.Repeat(`{"a":`, maxDepth+1) + "1" + strings.Repeat("}", maxDepth+1)), want: 202, state: "quarantined"},
		{name: "nothing but brackets", body: bytes.Repeat([]byte("["), 4<<20), want: 202, state: "quarantined"},
		{name: "brackets in a text", body: bytes.Replace(usable(6), []byte(`"x"`), []byte(`"`+strings.Repeat(`[{\"`, maxDepth)+`"`), 1), want: 202, state: "done", job: ingesttest.Ptr(int64(6))},
		{name: "beside each other", body: bytes.Replace(usable(7), []byte(`{"action"`), []byte(`{"x":[`+strings.Repeat("{},", 2*maxDepth)+`[]],"action"`), 1), want: 202, state: "done", job: ingesttest.Ptr(int64(7))},
		{name: "a ping", body: nested(maxDepth + 1), edit: header("X-GitHub-Event", "ping"), want: 200},
		{name: "another event", body: nested(maxDepth + 1), edit: header("X-GitHub-Event", "workflow_run"), want: 202},
		{name: "a repository that is not archived", body: bytes.ReplaceAll(usableAt(8, maxDepth+1), []byte("acme/rocket"), []byte("acme/secret")), want: 202},
		{name: "unsigned", body: nested(maxDepth + 1), edit: header("X-Hub-Signature-256", githubsim.Sign("guess", nil)), want: 401},
		{name: "not JSON behind brackets that are closed", body: append(nested(maxDepth), '{'), want: 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			guid := fmt.Sprintf("00000000-0000-0000-0000-%012d", i+1)
			status, answer, _ := r.post(c.body, func(req *http.Request) {
				header("X-GitHub-Delivery", guid)(req)
				if c.edit != nil {
					c.edit(req)
				}
			})
			if status != c.want {
				t.Fatalf("answered %d, want %d: %s", status, c.want, answer)
			}
			r.Drain()
			found := r.Rows(`SELECT state, coalesce(error, '') AS error, job_id, payload FROM deliveries WHERE guid = $1::text::uuid`, guid)
			if c.state == "" {
				if len(found) > 0 {
					t.Errorf("stored %v", found[0]["state"])
				}
				return
			}
			row := found[0]
			if row["state"] != c.state || (c.state == "quarantined") != strings.Contains(row["error"].(string), reason) {
				t.Errorf("it is %v: %v", row["state"], row["error"])
			}
			if id, _ := row["job_id"].(int64); c.job != nil && id != *c.job {
				t.Errorf("it is said to be of job %v", row["job_id"])
			}
			if got := unpack(t, row["payload"].([]byte)); !bytes.Equal(got, c.body) {
				t.Errorf("kept are %d bytes, not the %d that were sent", len(got), len(c.body))
			}
		})
	}
}

func unpack(t testing.TB, packed []byte) []byte {
	t.Helper()
	dec, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	b, err := dec.DecodeAll(packed, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A deep delivery that is in the table already, from before there was a bound, harms
// nobody who reads it, and no other delivery of its job.
func TestDeepDeliveryOfBeforeIsQuarantined(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	enc, err := zstd.NewWriter(nil)
	r.Check(err)
	_, err = r.Pool.Exec(t.Context(), `INSERT INTO deliveries (guid, event, action, received_at, repository_id, job_id, payload, state)
		VALUES (gen_random_uuid(), 'workflow_job', 'queued', now(), 3, 1, $1, 'received')`, enc.EncodeAll(usableAt(1, 100*maxDepth), nil))
	r.Check(err)
	if status, answer, _ := r.post(usable(1), nil); status != 202 {
		t.Fatalf("answered %d: %s", status, answer)
	}
	r.Drain()
	states := ingesttest.Scalar[string](r.Rig, `SELECT string_agg(state, ' ' ORDER BY state) FROM deliveries`)
	if states != "done quarantined" || ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM jobs`) != 1 {
		t.Errorf("deliveries are %s\n%s", states, r.Dump())
	}
	if reason := ingesttest.Scalar[string](r.Rig, `SELECT error FROM deliveries WHERE state = 'quarantined'`); !strings.Contains(reason, "depth") {
		t.Errorf("the reason is %q", reason)
	}
}

// What is said of a bad payload is brief, however long what is bad in it: it is kept,
// and logged.
func TestReasonsAreBrief(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	long := strings.Repeat("9", 3<<20)
	for name, body := range map[string]string{
		"a number":   strings.Replace(string(usable(1)), `"run_id":2`, `"run_id":`+long, 1),
		"a time":     strings.Replace(string(usable(1)), `"run_id":2`, `"run_id":2,"started_at":"`+long+`"`, 1),
		"an action":  strings.Replace(string(usable(1)), `"queued"`, `"`+long+`"`, 1),
		"its labels": strings.Replace(string(usable(1)), `"run_id":2`, `"run_id":2,"labels":["`+long+`"]`, 1),
	} {
		if status, answer, _ := r.post([]byte(body), nil); status != 202 {
			t.Fatalf("%s: answered %d: %s", name, status, answer)
		}
		r.Drain()
	}
	if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM deliveries WHERE state = 'quarantined' AND length(error) BETWEEN 10 AND 1100 AND coalesce(length(action), 0) < 1100`); n != 4 {
		t.Errorf("%d of 4 are set aside with a brief reason\n%v", n, r.Rows(`SELECT state, length(error) AS error, length(action) AS action FROM deliveries`))
	}
}

// A deep answer of the REST API is an error that says so. It settles no job, and the
// next answer is taken.
func TestDeepAnswersSettleNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	job := ingesttest.Completed(1, r.Now(), githubsim.TextLog([]byte("a line\n")))
	r.Know(job)
	body := string(append([]byte(`{"id":1,"deep":`), append(nested(maxDepth), '}')...))
	for _, e := range []githubsim.Endpoint{githubsim.EndpointJob, githubsim.EndpointLog} {
		remove := r.GitHub.Inject(githubsim.Fault{Endpoint: e, Kind: githubsim.Status, Status: 200, Body: body, Header: http.Header{"Content-Type": {"application/json"}}})
		if says, _ := r.Try(1); says != "snooze" {
			t.Errorf("%s: the worker says %s", e, says)
		}
		row := r.Rows(`SELECT state, reason FROM job_logs`)[0]
		if row["state"] != store.LogPending || e == githubsim.EndpointJob && !strings.Contains(fmt.Sprint(row["reason"]), "exceeded max depth") {
			t.Errorf("%s: the job is %v: %v", e, row["state"], row["reason"])
		}
		remove()
	}
	if says, _ := r.Try(1); says != "done" || ingesttest.Scalar[string](r.Rig, `SELECT state FROM job_logs`) != store.LogArchived {
		t.Errorf("at last the worker says %s\n%s", says, r.Dump())
	}
}

// A redirect that is refused is loud and loses nothing: the job is denied, asked for
// again, first after an hour, and archived as soon as the redirect leads somewhere else.
func TestRefusedRedirectLosesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	r.Know(ingesttest.Completed(1, r.Now(), githubsim.TextLog([]byte("a line\n"))))
	remove := r.GitHub.Inject(githubsim.Fault{
		Endpoint: githubsim.EndpointLog, Kind: githubsim.Status, Status: http.StatusFound,
		Header: http.Header{"Location": {"http://169.254.169.254/latest/meta-data?sig=TheSignature"}},
	})
	for range 2 {
		says, pause := r.Try(1)
		if says != "snooze" || pause < 50*time.Minute {
			t.Errorf("the worker says %s %s", says, pause)
		}
		row := r.Rows(`SELECT state, reason, http_status FROM job_logs`)[0]
		reason := fmt.Sprint(row["reason"])
		if row["state"] != store.LogDenied || row["http_status"] != int32(302) || !strings.Contains(reason, `"169.254.169.254" is refused`) || strings.Contains(reason, "TheSignature") {
			t.Errorf("the job is %v (%v): %s", row["state"], row["http_status"], reason)
		}
	}
	remove()
	if says, _ := r.Try(1); says != "done" || ingesttest.Scalar[string](r.Rig, `SELECT state FROM job_logs`) != store.LogArchived {
		t.Errorf("at last the worker says %s\n%s", says, r.Dump())
	}
}

// The bound is the one that encoding/json has by itself: what is accepted here can be
// decoded there.
func TestDepthIsThatOfEncodingJSON(t *testing.T) {
	var v any
	if err := json.Unmarshal(nested(maxDepth), &v); err != nil {
		t.Error(err)
	}
	if err := json.Unmarshal(nested(maxDepth+1), &v); err == nil {
		t.Error("encoding/json decodes more levels than we accept")
	}
}
