package ingest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// replay is a Gitea with the jobs of the recording as they were at last, each that had a
// runner with a log.
func (r *rig) replay(ds []githubsim.Delivery, api map[int64]json.RawMessage) map[int64]githubsim.Job {
	r.T.Helper()
	last, repositories := map[int64]githubsim.Job{}, map[int64]int64{} // repositories by run
	add := func(raw json.RawMessage, repository int64) {
		j, err := githubsim.ParseGiteaJob(raw, repository)
		r.Check(err)
		if j.RunnerID != nil {
			j.Log = githubsim.TextLog(fmt.Appendf(nil, "the log of %d\n", j.ID))
		}
		if old, ok := last[j.ID]; !ok || old.Status != "completed" || j.Status == "completed" {
			last[j.ID] = j
		}
	}
	for _, d := range ds {
		var p struct {
			Job struct {
				RunID int64 `json:"run_id"`
			} `json:"workflow_job"`
			Repository struct {
				ID    int64                  `json:"id"`
				Name  string                 `json:"name"`
				Owner struct{ Login string } `json:"owner"`
			} `json:"repository"`
		}
		var raw struct {
			Job json.RawMessage `json:"workflow_job"`
		}
		r.Check(json.Unmarshal(d.Body, &p))
		r.Check(json.Unmarshal(d.Body, &raw))
		r.GitHub.AddRepository(githubsim.Repository{ID: p.Repository.ID, Owner: p.Repository.Owner.Login, Name: p.Repository.Name})
		repositories[p.Job.RunID] = p.Repository.ID
		add(raw.Job, p.Repository.ID)
	}
	for _, raw := range api {
		var of struct {
			RunID int64 `json:"run_id"`
		}
		r.Check(json.Unmarshal(raw, &of))
		add(raw, repositories[of.RunID])
	}
	for _, id := range slices.Sorted(maps.Keys(last)) {
		r.GitHub.AddJob(last[id])
	}
	return last
}

// What a real Gitea sent, and what its API says, comes to rest: jobs that no webhook told
// of are found, each has the row that the API tells and the log that was served, or a
// reason why there is none.
func TestRecordedGiteaComesToRest(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	now.Set(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC))
	r := newRig(t, ingesttest.Options{Now: now.Now, GitHub: githubsim.Options{Gitea: true, Now: now.Now}})
	ds, api := giteaDeliveries(t), giteaJobs(t)
	jobs := r.replay(ds, api)
	r.Work()
	r.Send(ds, githubsim.SendOptions{Duplicates: .1, Seed: 1})
	r.Drain()
	r.Reconcile()
	r.Await(time.Minute, `SELECT NOT EXISTS (SELECT FROM jobs j JOIN job_logs l ON l.job_id = j.id WHERE j.status = 'completed' AND l.state = 'pending')`)
	untold := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM jobs j WHERE NOT EXISTS (SELECT FROM deliveries d WHERE d.job_id = j.id)`)
	if untold == 0 || r.jobs() != len(jobs) {
		t.Errorf("%d jobs of %d are known, %d of which no webhook told", r.jobs(), len(jobs), untold)
	}
	states := make(map[int64]string)
	for _, row := range r.Rows(`SELECT job_id, state FROM job_logs`) {
		states[row["job_id"].(int64)] = row["state"].(string)
	}
	rows, counts := r.jobsAsJSON(), make(map[string]int)
	for id, j := range jobs {
		if raw, ok := api[id]; ok {
			if diff := cmp.Diff(decodeJob(t, raw), rows[id]); diff != "" {
				t.Errorf("job %d (-API +rows):\n%s", id, diff)
			}
		}
		want := "pending"
		switch {
		case j.Status == "completed" && j.RunnerID != nil:
			want = "archived"
			r.CompareLog(j)
		case j.Status == "completed":
			want = "none"
		}
		counts[want]++
		if states[id] != want {
			t.Errorf("job %d, %s, is %s, want %s", id, j.Status, states[id], want)
		}
	}
	if counts["archived"] < 90 || counts["none"] < 5 || counts["pending"] < 1 {
		t.Errorf("jobs by state: %v", counts)
	}
	if names := r.Rows(`SELECT DISTINCT workflow_name FROM workflow_runs`); len(names) != 1 || names[0]["workflow_name"] != "checks.yml" {
		t.Errorf("workflows are called %v", names)
	}
}
