package ingest_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/go-github/v60/github"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/store"
)

// executed says whether a runner spent time on a job of the day, and how much.
func executed(day githubsim.Day, j githubsim.Job) (time.Duration, bool) {
	if _, carried := day.CarriedOver[j.ID]; carried || j.RunnerID == nil {
		return 0, false
	}
	return j.CompletedAt.Sub(j.StartedAt), true
}

// The machine time of a day is what runners spent on it, whichever view tells: nothing of
// it is counted twice because failed jobs were run again, and the others listed again.
func TestMachineTimeCountsEachExecutionOnce(t *testing.T) {
	t.Parallel()
	r, day := ingesttest.SettledDay(t, ingesttest.Options{}, 3, 60)
	r.CompareDay(day)
	if len(day.CarriedOver) != 4 {
		t.Fatalf("%d jobs are carried over", len(day.CarriedOver))
	}
	byDay, byLabel, byRunner, byRun := make(map[string]float64), make(map[string]float64), make(map[string]float64), make(map[string]float64)
	for _, j := range day.Jobs {
		spent, ran := executed(day, j)
		if !ran {
			continue
		}
		byDay[j.CreatedAt.UTC().Format(time.DateOnly)] += spent.Seconds()
		byRunner[*j.RunnerName] += spent.Seconds()
		byRun[fmt.Sprint(j.RunID)] += spent.Seconds()
		for _, l := range j.Labels {
			byLabel[l] += spent.Seconds()
		}
	}
	for view, c := range map[string]struct {
		query string
		want  map[string]float64
	}{
		"workflow_daily": {`SELECT day::text AS of, sum(job_seconds) AS seconds FROM workflow_daily GROUP BY 1`, byDay},
		"job_facts":      {`SELECT day::text AS of, sum(duration_seconds) AS seconds FROM job_facts WHERE runner_name IS NOT NULL GROUP BY 1`, byDay},
		"label_daily":    {`SELECT label AS of, sum(job_seconds) AS seconds FROM label_daily GROUP BY 1`, byLabel},
		"runner_daily":   {`SELECT runner_name AS of, sum(job_seconds) AS seconds FROM runner_daily GROUP BY 1`, byRunner},
		"run_facts":      {`SELECT run_id::text AS of, job_seconds AS seconds FROM run_facts`, byRun},
	} {
		got := make(map[string]float64)
		for _, row := range r.Rows(c.query) {
			if s, known := row["seconds"].(float64); known {
				got[row["of"].(string)] = s
			}
		}
		if diff := cmp.Diff(c.want, got, cmpopts.EquateApprox(0, 1e-3)); diff != "" {
			t.Errorf("%s (-spent +told):\n%s", view, diff)
		}
	}
}

// Gitea carries jobs over as GitHub does: under a new id, with the old runner and times.
// Of the recorded runs, 5 was run again whole, and of 6 the jobs that had not succeeded.
func TestGiteaCarriesOverAsGitHub(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	var facts []store.Facts
	for id, raw := range giteaJobs(t) {
		var j github.WorkflowJob
		r.Check(json.Unmarshal(raw, &j))
		f, err := record.FactsOfJob(&j, store.Repository{ID: 1, Owner: "acme", Name: "alpha", SeenAt: time.Now()})
		if err != nil {
			t.Fatalf("job %d: %v", id, err)
		}
		facts = append(facts, f)
	}
	r.Check(r.DB.RecordListed(t.Context(), facts, time.Now(), store.PrioritySweep))
	rows := r.Rows(`SELECT id, carried_over_from FROM jobs WHERE carried_over_from IS NOT NULL`)
	if diff := cmp.Diff([]map[string]any{{"id": int64(26), "carried_over_from": int64(23)}}, rows); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
