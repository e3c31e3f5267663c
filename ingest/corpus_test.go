package ingest_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/internal/testenv"
)

func readCorpus(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testenv.Corpus(t), name))
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".zst") {
		dec, err := zstd.NewReader(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer dec.Close()
		if b, err = dec.DecodeAll(b, nil); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// Every recorded payload is accepted, and every workflow_job of them makes rows.
func TestCorpusPayloads(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob(filepath.Join(testenv.Corpus(t), "webhooks", "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no webhooks in the corpus: %v", err)
	}
	r := newRig(t, ingesttest.Options{})
	for _, path := range paths {
		body := readCorpus(t, filepath.Join("webhooks", filepath.Base(path)))
		event, want := "workflow_job", http.StatusAccepted
		switch name := filepath.Base(path); {
		case strings.Contains(name, "ping"):
			event, want = "ping", http.StatusOK
		case strings.Contains(name, "other-"):
			event = strings.TrimSuffix(strings.SplitN(name, "other-", 2)[1], ".json")
		}
		for _, d := range []githubsim.Delivery{
			{GUID: uuid.NewString(), Event: event, Body: body, ContentType: "application/json"},
			githubsim.Delivery{GUID: uuid.NewString(), Event: event, Body: body}.Form(),
		} {
			res := githubsim.Send(t.Context(), r.Receiver.URL, []githubsim.Delivery{d}, githubsim.SendOptions{Secret: ingesttest.Secret})[0]
			if res.Err != nil || res.Status != want {
				t.Errorf("%s: answered %d, %v", path, res.Status, res.Err)
			}
		}
	}
	r.Drain()
	if bad := r.Rows(`SELECT guid, error FROM deliveries WHERE state <> 'done'`); len(bad) > 0 {
		t.Errorf("not understood: %v", bad)
	}
	// Eight payloads of five jobs, each sent as JSON and as a form.
	if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM deliveries`); n != 16 {
		t.Errorf("%d deliveries stored, want 16", n)
	}
	want := []map[string]any{
		{"id": int64(289782451), "status": "completed"}, {"id": int64(2832853555), "status": "in_progress"},
		{"id": int64(12877621891), "status": "waiting"}, {"id": int64(14541957942), "status": "in_progress"},
	}
	if diff := cmp.Diff(want, r.Rows(`SELECT id, status FROM jobs ORDER BY id`)); diff != "" {
		t.Errorf("jobs (-want +got):\n%s", diff)
	}
}

// giteaDeliveries are what a real Gitea sent, in the order in which it did.
func giteaDeliveries(t testing.TB) []githubsim.Delivery {
	t.Helper()
	var ds []githubsim.Delivery
	for _, d := range testenv.Gitea(t).Deliveries {
		ds = append(ds, githubsim.Delivery{
			GUID: d.Headers["X-Github-Delivery"], Event: d.Headers["X-Github-Event"], ContentType: d.Headers["Content-Type"], Body: []byte(d.Body),
		})
	}
	if len(ds) != 328 {
		t.Fatalf("%d recorded deliveries, want 328", len(ds))
	}
	return ds
}

// giteaJobs are the jobs that the API told of afterwards, by id, as JSON.
func giteaJobs(t testing.TB) map[int64]json.RawMessage {
	t.Helper()
	rec := testenv.Gitea(t)
	jobs := make(map[int64]json.RawMessage)
	add := func(raw json.RawMessage) {
		var id struct {
			ID int64 `json:"id"`
		}
		if err := json.Unmarshal(raw, &id); err != nil {
			t.Fatal(err)
		}
		jobs[id.ID] = raw
	}
	for _, raw := range rec.Lists {
		var list struct {
			Jobs []json.RawMessage `json:"jobs"`
		}
		if err := json.Unmarshal(raw, &list); err != nil {
			t.Fatal(err)
		}
		for _, job := range list.Jobs {
			add(job)
		}
	}
	for _, raw := range rec.Jobs {
		add(raw)
	}
	return jobs
}

// jobJSON is what rows and API are compared by.
type jobJSON struct {
	ID          int64      `json:"id"`
	RunID       int64      `json:"run_id"`
	RunAttempt  int64      `json:"run_attempt"`
	Name        string     `json:"name"`
	Status      string     `json:"status"`
	Conclusion  string     `json:"conclusion"`
	HeadSHA     string     `json:"head_sha"`
	HeadBranch  string     `json:"head_branch"`
	RunnerID    int64      `json:"runner_id"`
	RunnerName  string     `json:"runner_name"`
	Labels      []string   `json:"labels"`
	CreatedAt   time.Time  `json:"created_at"`
	StartedAt   time.Time  `json:"started_at"`
	CompletedAt time.Time  `json:"completed_at"`
	Steps       []stepJSON `json:"steps"`
}

type stepJSON struct {
	Number      int64     `json:"number"`
	Name        string    `json:"name"`
	Status      string    `json:"status"`
	Conclusion  string    `json:"conclusion"`
	StartedAt   time.Time `json:"started_at"`
	CompletedAt time.Time `json:"completed_at"`
}

// jobsAsJSON reads the rows back in the form of the API; an unset time is the
// epoch there.
func (r *rig) jobsAsJSON() map[int64]jobJSON {
	r.T.Helper()
	const epoch = `'1970-01-01T00:00:00Z'::timestamptz`
	got := make(map[int64]jobJSON)
	for _, row := range r.Rows(`
		SELECT j.id, jsonb_build_object(
			'id', j.id, 'run_id', j.run_id, 'run_attempt', j.run_attempt, 'name', j.name, 'status', j.status, 'conclusion', j.conclusion,
			'head_sha', w.head_sha, 'head_branch', w.head_branch, 'runner_id', j.runner_id, 'runner_name', j.runner_name,
			'created_at', coalesce(j.created_at, ` + epoch + `), 'started_at', coalesce(j.started_at, ` + epoch + `),
			'completed_at', coalesce(j.completed_at, ` + epoch + `),
			'labels', (SELECT jsonb_agg(l.name ORDER BY jl.position) FROM job_labels jl JOIN labels l ON l.id = jl.label_id WHERE jl.job_id = j.id),
			'steps', (SELECT jsonb_agg(jsonb_build_object('number', number, 'name', name, 'status', status, 'conclusion', conclusion,
				'started_at', coalesce(started_at, ` + epoch + `), 'completed_at', coalesce(completed_at, ` + epoch + `)) ORDER BY number)
				FROM steps WHERE job_id = j.id))::text AS json
		FROM jobs j JOIN workflow_runs w ON w.id = j.run_id`) {
		got[row["id"].(int64)] = decodeJob(r.T, []byte(row["json"].(string)))
	}
	return got
}

func decodeJob(t testing.TB, raw []byte) jobJSON {
	t.Helper()
	var j jobJSON
	if err := json.Unmarshal(raw, &j); err != nil {
		t.Fatal(err)
	}
	utc := func(at *time.Time) { *at = at.UTC() }
	utc(&j.CreatedAt)
	utc(&j.StartedAt)
	utc(&j.CompletedAt)
	for i := range j.Steps {
		utc(&j.Steps[i].StartedAt)
		utc(&j.Steps[i].CompletedAt)
	}
	if len(j.Steps) == 0 {
		j.Steps = nil
	}
	return j
}

// The deliveries that a real Gitea sent end in the rows that its API told of,
// in the order recorded and in any other.
func TestGiteaDeliveries(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	ds := giteaDeliveries(t)
	api := giteaJobs(t)
	for round := range 4 {
		t.Run(fmt.Sprintf("order %d", round), func(t *testing.T) {
			r.truncate()
			r.Send(ds, githubsim.SendOptions{Duplicates: .1, Seed: uint64(round)})
			r.Drain()
			compareGitea(t, r.jobsAsJSON(), ds, api)
		})
		rand.New(rand.NewPCG(uint64(round), 1)).Shuffle(len(ds), func(i, j int) { ds[i], ds[j] = ds[j], ds[i] })
	}
}

func compareGitea(t *testing.T, got map[int64]jobJSON, ds []githubsim.Delivery, api map[int64]json.RawMessage) {
	t.Helper()
	told := lastAction(t, ds)
	if len(got) != len(told) {
		t.Errorf("%d jobs, want %d", len(got), len(told))
	}
	compared := 0
	for id, job := range got {
		want, ok := api[id]
		if !ok { // the API listed 30 of the 60 jobs of a run, and not all runs
			if job.Status != told[id] {
				t.Errorf("job %d is %s, the furthest that was told of it is %s", id, job.Status, told[id])
			}
			continue
		}
		w := decodeJob(t, want)
		// The API was asked when all was over. A job whose end no webhook told
		// cannot be at its end here: that is for a sweep to find.
		if told[id] != "completed" && w.Status == "completed" {
			continue
		}
		compared++
		if diff := cmp.Diff(w, job); diff != "" {
			t.Errorf("job %d (-API +rows):\n%s", id, diff)
		}
	}
	if compared < 50 {
		t.Errorf("only %d jobs were compared", compared)
	}
}

// lastAction is the furthest action that the deliveries tell of each job.
func lastAction(t *testing.T, ds []githubsim.Delivery) map[int64]string {
	t.Helper()
	rank := map[string]int{"waiting": 1, "queued": 2, "in_progress": 3, "completed": 4}
	actions := make(map[int64]string)
	for _, d := range ds {
		var p struct {
			Action string `json:"action"`
			Job    struct {
				ID int64 `json:"id"`
			} `json:"workflow_job"`
		}
		if err := json.Unmarshal(d.Body, &p); err != nil {
			t.Fatal(err)
		}
		if rank[p.Action] > rank[actions[p.Job.ID]] {
			actions[p.Job.ID] = p.Action
		}
	}
	return actions
}

// A recorded job, as the REST API sent it in 2021, is archived with all that it
// says, and kept as it was sent.
func TestRecordedJob(t *testing.T) {
	t.Parallel()
	raw, log := readCorpus(t, "rest/hub4j-job-2270858630.json"), readCorpus(t, "logs/hub4j-job-2270858630.log")
	var api *httptest.Server
	api = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch req.URL.Path {
		case "/repos/hub4j-test-org/GHWorkflowRunTest/actions/jobs/2270858630":
			_, _ = w.Write(raw)
		case "/repos/hub4j-test-org/GHWorkflowRunTest/actions/jobs/2270858630/logs":
			http.Redirect(w, req, api.URL+"/storage", http.StatusFound)
		case "/storage":
			w.Header().Set("Content-Type", "text/plain")
			_, _ = w.Write(log)
		default:
			http.NotFound(w, req)
		}
	}))
	defer api.Close()
	r := newRig(t, ingesttest.Options{Client: ingesttest.PointAt(api)})
	r.Work()
	body := fmt.Appendf(nil, `{"action":"completed","workflow_job":%s,"repository":{"id":348674220,"full_name":"hub4j-test-org/GHWorkflowRunTest"}}`, raw)
	r.Send([]githubsim.Delivery{{GUID: uuid.NewString(), Event: "workflow_job", ContentType: "application/json", Body: body}}, githubsim.SendOptions{})
	r.Await(20*time.Second, ingesttest.Settled)
	want := decodeJob(t, raw)
	want.RunAttempt, want.CreatedAt = 0, time.Unix(0, 0).UTC() // the answer has neither
	if diff := cmp.Diff(want, r.jobsAsJSON()[2270858630]); diff != "" {
		t.Errorf("row (-sent +got):\n%s", diff)
	}
	r.CompareObject(2270858630, "job.json", raw)
	r.CompareObject(2270858630, "log.zst", log)
}
