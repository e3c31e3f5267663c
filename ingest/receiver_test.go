package ingest_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// usable is a payload of job 1, or of another.
func usable(job int64) []byte {
	return fmt.Appendf(nil, `{"action":"queued","workflow_job":{"id":%d,"run_id":2,"status":"queued","name":"x"},
		"repository":{"id":3,"name":"rocket","full_name":"acme/rocket","owner":{"login":"acme"}}}`, job)
}

// post sends a request as GitHub would, changed by edit.
func (r *rig) post(body []byte, edit func(*http.Request)) (status int, answer string, header http.Header) {
	r.T.Helper()
	req, err := http.NewRequestWithContext(r.T.Context(), http.MethodPost, r.Receiver.URL+"/webhook", bytes.NewReader(body))
	r.Check(err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-GitHub-Event", "workflow_job")
	req.Header.Set("X-GitHub-Delivery", uuid.NewString())
	req.Header.Set("X-Hub-Signature-256", githubsim.Sign(ingesttest.Secret, body))
	if edit != nil {
		edit(req)
	}
	resp, err := http.DefaultClient.Do(req)
	r.Check(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	r.Check(err)
	return resp.StatusCode, string(b), resp.Header
}

func header(key, value string) func(*http.Request) {
	return func(req *http.Request) {
		if value == "" {
			req.Header.Del(key)
		} else {
			req.Header.Set(key, value)
		}
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{
		Secrets:  []string{"old secret", ingesttest.Secret},
		Selected: func(name string) bool { return !strings.EqualFold(name, "acme/secret") },
	})
	sha1Signature := func(body []byte) string {
		mac := hmac.New(sha1.New, []byte(ingesttest.Secret))
		mac.Write(body)
		return "sha1=" + hex.EncodeToString(mac.Sum(nil))
	}
	form := githubsim.Delivery{Body: usable(1)}.Form().Body
	big := append(append([]byte(`{"x":"`), bytes.Repeat([]byte("x"), 25<<20)...), `"}`...)
	for _, c := range []struct {
		name   string
		body   []byte
		edit   func(*http.Request)
		want   int
		stored int
	}{
		{"accepted", usable(1), nil, 202, 1},
		{"signed with the old secret", usable(1), header("X-Hub-Signature-256", githubsim.Sign("old secret", usable(1))), 202, 1},
		{"a form", form, header("Content-Type", "application/x-www-form-urlencoded"), 202, 1},
		{"with a charset", usable(1), header("Content-Type", "application/json; charset=utf-8"), 202, 1},
		{"ping", []byte(`{"zen":"x"}`), header("X-GitHub-Event", "ping"), 200, 0},
		{"another event", []byte(`{"action":"x"}`), header("X-GitHub-Event", "workflow_run"), 202, 0},
		{"a repository that is not archived", bytes.ReplaceAll(usable(1), []byte("acme/rocket"), []byte("Acme/Secret")), nil, 202, 0},
		{"job is null", []byte(`{"action":"queued","workflow_job":null,"repository":{"id":1}}`), nil, 202, 1},
		{"job is a number", []byte(`{"workflow_job":7,"repository":{"id":1}}`), nil, 202, 1},
		{"an empty object", []byte(`{}`), nil, 202, 1},
		{"an array", []byte(`[1,2]`), nil, 202, 1},
		{"id is a text", []byte(`{"workflow_job":{"id":"7"},"repository":{"id":1}}`), nil, 202, 1},
		{"id is too large", []byte(`{"workflow_job":{"id":99999999999999999999},"repository":{"id":1}}`), nil, 202, 1},
		{"id is negative", []byte(`{"workflow_job":{"id":-7},"repository":{"id":1}}`), nil, 202, 1},
		{"not JSON", []byte(`{"action":`), nil, 400, 0},
		{"empty", nil, nil, 400, 0},
		{"a form without payload", []byte("x=y"), header("Content-Type", "application/x-www-form-urlencoded"), 400, 0},
		{"no event", usable(1), header("X-GitHub-Event", ""), 400, 0},
		{"no GUID", usable(1), header("X-GitHub-Delivery", ""), 400, 0},
		{"GUID that is none", usable(1), header("X-GitHub-Delivery", "1; DROP TABLE jobs"), 400, 0},
		{"no signature", usable(1), header("X-Hub-Signature-256", ""), 401, 0},
		{"wrong signature", usable(1), header("X-Hub-Signature-256", githubsim.Sign("guess", usable(1))), 401, 0},
		{"signature cut", usable(1), header("X-Hub-Signature-256", githubsim.Sign(ingesttest.Secret, usable(1))[:40]), 401, 0},
		{"signature of another body", usable(1), header("X-Hub-Signature-256", githubsim.Sign(ingesttest.Secret, usable(2))), 401, 0},
		{"SHA-1", usable(1), header("X-Hub-Signature-256", sha1Signature(usable(1))), 401, 0},
		{"SHA-1 in its own header", usable(1), func(req *http.Request) {
			req.Header.Del("X-Hub-Signature-256")
			req.Header.Set("X-Hub-Signature", sha1Signature(usable(1)))
		}, 401, 0},
		{"unsigned and not JSON", []byte("{"), header("X-Hub-Signature-256", ""), 401, 0},
		{"too large", big, nil, 413, 0},
		{"too large, of unknown length", big, func(req *http.Request) { req.ContentLength = -1 }, 413, 0},
		{"text", usable(1), header("Content-Type", "text/plain"), 415, 0},
		{"no content type", usable(1), header("Content-Type", ""), 415, 0},
		{"GET", nil, func(req *http.Request) { req.Method = http.MethodGet }, 405, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM deliveries`)
			status, answer, _ := r.post(c.body, c.edit)
			if status != c.want {
				t.Errorf("answered %d, want %d: %s", status, c.want, answer)
			}
			var object map[string]string
			if err := json.Unmarshal([]byte(answer), &object); err != nil || len(object) != 1 {
				t.Errorf("the answer is not one small JSON object: %s", answer)
			}
			if got := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM deliveries`) - before; got != c.stored {
				t.Errorf("%d deliveries stored, want %d", got, c.stored)
			}
		})
	}
}

func TestUnusablePayloadsAreKeptWithTheReason(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	bodies := map[string]string{
		`{"action":"queued","workflow_job":null,"repository":{"id":1}}`:                                                                                             "workflow_job is null or missing",
		`{"workflow_job":{"id":1,"run_id":2,"status":"queued"},"repository":{"id":3}}`:                                                                              "repository has neither owner and name nor full_name",
		`{"workflow_job":{"id":1,"status":"queued"},"repository":{"id":3,"full_name":"a/b"}}`:                                                                       "workflow_job.run_id is not positive",
		`{"workflow_job":{"id":1,"run_id":2},"repository":{"id":3,"full_name":"a/b"}}`:                                                                              "workflow_job.status is missing",
		`{"workflow_job":{"id":1,"run_id":2,"status":{}},"repository":{"id":3,"full_name":"a/b"}}`:                                                                  "not a workflow_job payload",
		`{"workflow_job":{"id":1,"run_id":2,"status":"queued","started_at":"soon"},"repository":{"id":3,"full_name":"a/b"}}`:                                        "not a workflow_job payload",
		`{"workflow_job":{"id":1,"id":5,"run_id":2,"status":"queued","name":"x"},"repository":{"id":3,"full_name":"a/b"}}`:                                          "a key comes twice",
		`{"workflow_job":{"id":1,"run_id":2,"status":"queued","name":"x","labels":["` + strings.Repeat("l", 1<<20) + `"]},"repository":{"id":3,"full_name":"a/b"}}`: "labels[0] is 1048576 bytes long",
	}
	// A good one among them is not harmed.
	if status, answer, _ := r.post(usable(77), nil); status != 202 {
		t.Fatalf("answered %d: %s", status, answer)
	}
	for body := range bodies {
		if status, answer, _ := r.post([]byte(body), nil); status != 202 {
			t.Errorf("answered %d: %s", status, answer)
		}
	}
	r.Drain()
	dec, err := zstd.NewReader(nil)
	r.Check(err)
	defer dec.Close()
	quarantined := 0
	for _, row := range r.Rows(`SELECT payload, error FROM deliveries WHERE state = 'quarantined'`) {
		body, err := dec.DecodeAll(row["payload"].([]byte), nil)
		r.Check(err)
		if want := bodies[string(body)]; want == "" || !strings.Contains(row["error"].(string), want) {
			t.Errorf("%.80s is kept with %q, want %q", body, row["error"], want)
		}
		quarantined++
	}
	if quarantined != len(bodies) {
		t.Errorf("%d quarantined, want %d", quarantined, len(bodies))
	}
	if diff := cmp.Diff([]map[string]any{{"id": int64(77)}}, r.Rows(`SELECT id FROM jobs`)); diff != "" {
		t.Errorf("jobs (-want +got):\n%s", diff)
	}
}

// What Postgres refuses is set aside, and harms nothing else in its batch.
func TestPoisonHarmsNoOther(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	_, err := r.Pool.Exec(t.Context(), `ALTER TABLE jobs ADD CONSTRAINT poison CHECK (id % 10 <> 3)`)
	r.Check(err)
	for id := range int64(50) {
		if status, answer, _ := r.post(usable(id+1), nil); status != 202 {
			t.Fatalf("answered %d: %s", status, answer)
		}
	}
	r.Drain()
	if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM jobs`); n != 45 {
		t.Errorf("%d jobs, want 45", n)
	}
	if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM deliveries WHERE state = 'quarantined' AND job_id % 10 = 3 AND error LIKE '%poison%'`); n != 5 {
		t.Errorf("%d deliveries set aside, want 5", n)
	}
}

// A bad delivery does not take the good ones of its own job with it, whichever
// comes first.
func TestPoisonHarmsNotItsOwnJob(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	_, err := r.Pool.Exec(t.Context(), `ALTER TABLE jobs ADD CONSTRAINT poison CHECK (name <> 'poison')`)
	r.Check(err)
	bad := bytes.ReplaceAll(bytes.ReplaceAll(usable(1), []byte(`"x"`), []byte(`"poison"`)), []byte("queued"), []byte("in_progress"))
	for _, body := range [][]byte{usable(1), bad, usable(1)} {
		if status, answer, _ := r.post(body, nil); status != 202 {
			t.Fatalf("answered %d: %s", status, answer)
		}
	}
	r.Drain()
	if got := ingesttest.Scalar[string](r.Rig, `SELECT string_agg(state, ' ' ORDER BY received_at) FROM deliveries`); got != "done quarantined done" {
		t.Errorf("the deliveries are %s", got)
	}
}

// Times at the end of the calendar are no times, and stop nothing.
func TestTimesBeyondTheCalendar(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	body := bytes.ReplaceAll(usable(1), []byte(`"name"`), []byte(`"started_at":"9999-12-31T23:59:59-01:00","completed_at":"0000-01-01T00:00:00+01:00","name"`))
	if status, answer, _ := r.post(body, nil); status != 202 {
		t.Fatalf("answered %d: %s", status, answer)
	}
	r.Drain()
	if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM jobs WHERE started_at IS NULL AND completed_at IS NULL`); n != 1 {
		t.Errorf("%d such jobs, want 1; %v", n, r.Rows(`SELECT state, error FROM deliveries`))
	}
}

// Names may hold anything that JSON can.
func TestStrangeNames(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	body := []byte(`{"action":"com\u0000pleted","workflow_job":{"id":1,"run_id":2,"status":"queued","name":"a\u0000b \ud800 \u202e <script> ../../etc",
		"labels":["\u0000",""],"head_branch":"` + "\xff" + `","steps":[{"number":1,"name":"x"},{"number":1,"name":"\u0000"}]},
		"repository":{"id":3,"full_name":"../..\u0000/x"}}`)
	if status, answer, _ := r.post(body, nil); status != 202 {
		t.Fatalf("answered %d: %s", status, answer)
	}
	r.Drain()
	if bad := r.Rows(`SELECT error FROM deliveries WHERE state <> 'done'`); len(bad) > 0 {
		t.Fatal(bad)
	}
	if got, want := ingesttest.Scalar[string](r.Rig, `SELECT name FROM jobs`), "a\ufffdb \ufffd \u202e <script> ../../etc"; got != want {
		t.Errorf("name is %q, want %q", got, want)
	}
}

func TestSignedBytesAreKept(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	guid := uuid.NewString()
	body := githubsim.Delivery{Body: []byte("  " + string(usable(5)) + "\n")}.Form().Body
	for range 3 {
		status, answer, _ := r.post(body, func(req *http.Request) {
			req.Header.Set("X-GitHub-Delivery", guid)
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		})
		if status != 202 {
			t.Fatalf("answered %d: %s", status, answer)
		}
	}
	dec, err := zstd.NewReader(nil)
	r.Check(err)
	defer dec.Close()
	kept, err := dec.DecodeAll(ingesttest.Scalar[[]byte](r.Rig, `SELECT payload FROM deliveries`), nil)
	r.Check(err)
	if !bytes.Equal(kept, body) {
		t.Errorf("kept %q, signed was %q", kept, body)
	}
	r.Drain()
	if n := ingesttest.Scalar[int64](r.Rig, `SELECT id FROM jobs`); n != 5 {
		t.Errorf("job %d, want 5", n)
	}
}

// Deliveries that come together are committed together, and each is answered
// only when it is committed.
func TestGroupCommit(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	lock, err := r.Pool.Begin(t.Context())
	r.Check(err)
	_, err = lock.Exec(t.Context(), `LOCK TABLE deliveries IN SHARE MODE`)
	r.Check(err)
	const n = 40
	answered := make(chan int, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			status, _, _ := r.post(usable(int64(i+1)), nil)
			answered <- status
		})
	}
	r.Await(10*time.Second, `EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`)
	select {
	case status := <-answered:
		t.Fatalf("answered %d before the commit", status)
	default:
	}
	r.Check(lock.Commit(t.Context()))
	wg.Wait()
	for range n {
		if status := <-answered; status != 202 {
			t.Errorf("answered %d", status)
		}
	}
	if got := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM deliveries`); got != n {
		t.Errorf("%d deliveries stored, want %d", got, n)
	}
	// Rows of one transaction have one xmin: one for the first, one or a few for
	// all that had to wait.
	if groups := ingesttest.Scalar[int](r.Rig, `SELECT count(DISTINCT xmin::text) FROM deliveries`); groups > 10 {
		t.Errorf("%d transactions for %d deliveries that came together", groups, n)
	}
}

func TestPostgresAway(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	_, err := r.Pool.Exec(t.Context(), `ALTER TABLE deliveries RENAME TO elsewhere`)
	r.Check(err)
	status, answer, h := r.post(usable(1), nil)
	if status != 503 || h.Get("Retry-After") == "" || strings.Contains(answer, "deliveries") {
		t.Errorf("answered %d, Retry-After %q: %s", status, h.Get("Retry-After"), answer)
	}
	_, err = r.Pool.Exec(t.Context(), `ALTER TABLE elsewhere RENAME TO deliveries`)
	r.Check(err)
	if status, answer, _ := r.post(usable(1), nil); status != 202 {
		t.Errorf("answered %d after Postgres came back: %s", status, answer)
	}
}

// A client that is gone does not take its delivery with it, once it waits.
func TestClientGone(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	lock, err := r.Pool.Begin(t.Context())
	r.Check(err)
	_, err = lock.Exec(t.Context(), `LOCK TABLE deliveries IN SHARE MODE`)
	r.Check(err)
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		d := githubsim.Delivery{GUID: uuid.NewString(), Event: "workflow_job", ContentType: "application/json", Body: usable(1)}
		githubsim.Send(ctx, r.Receiver.URL, []githubsim.Delivery{d}, githubsim.SendOptions{Secret: ingesttest.Secret})
	}()
	r.Await(10*time.Second, `EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`)
	cancel()
	<-gone
	r.Check(lock.Commit(t.Context()))
	r.Await(10*time.Second, `SELECT count(*) = 1 FROM deliveries`)
}

// That a repository has left what is selected, or is in it by now, is heard of a delivery
// whose own name is not selected.
func TestARepositoryLeavesWhatIsSelected(t *testing.T) {
	t.Parallel()
	inAcme := func(name string) bool { return strings.HasPrefix(name, "acme/") }
	r := newRig(t, ingesttest.Options{Selected: inAcme})
	told := func(owner, at string, job int64) []byte {
		return fmt.Appendf(nil, `{"action":"queued","workflow_job":{"id":%d,"run_id":2,"status":"queued","name":"x","created_at":"%s"},
			"repository":{"id":3,"name":"rocket","full_name":"%s/rocket","owner":{"login":"%s"}}}`, job, at, owner, owner)
	}
	present := func() string {
		rs, err := r.DB.Repositories(t.Context())
		r.Check(err)
		if len(rs) == 0 {
			return ""
		}
		return rs[0].FullName()
	}
	for _, c := range []struct {
		body []byte
		kept bool
		name string
	}{
		{told("umbrella", "2026-03-01T08:00:00Z", 1), false, ""}, // nobody knows it
		{told("acme", "2026-03-01T09:00:00Z", 1), true, "acme/rocket"},
		{told("umbrella", "2026-03-01T10:00:00Z", 2), true, "umbrella/rocket"},
		{told("umbrella", "2026-03-01T11:00:00Z", 3), false, "umbrella/rocket"}, // it is known that it is elsewhere
		{told("acme", "2026-03-01T12:00:00Z", 4), true, "acme/rocket"},          // and back
		{told("umbrella", "2026-03-01T10:00:00Z", 5), true, "acme/rocket"},      // late
	} {
		before := len(r.Rows(`SELECT guid FROM deliveries`))
		if status, _, _ := r.post(c.body, nil); status != http.StatusAccepted {
			t.Fatalf("%s: %d", c.body, status)
		}
		r.Drain()
		if kept := len(r.Rows(`SELECT guid FROM deliveries`)) > before; kept != c.kept || present() != c.name {
			t.Errorf("%s: kept %t, called %q", c.body, kept, present())
		}
	}
	want := []map[string]any{{"id": int64(1)}, {"id": int64(4)}, {"id": int64(5)}} // 2 was not selected any more
	if diff := cmp.Diff(want, r.Rows(`SELECT id FROM jobs ORDER BY id`)); diff != "" {
		t.Errorf("jobs (-want +got):\n%s", diff)
	}
}
