package ingest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// rowsOfJobs is everything the tables say of jobs, but for times and numbers
// that jobvault itself made.
func (r *rig) rowsOfJobs() map[string][]map[string]any {
	r.T.Helper()
	return map[string][]map[string]any{
		"repositories": r.Rows(`SELECT id, owner, name, private, installation_id, named_at, named_by_api, private_at, installation_at, has_name(r)
			FROM repositories r ORDER BY id`),
		"repository_names": r.Rows(`SELECT repository_id, owner, name, named_at, named_by_api FROM repository_names ORDER BY 1, 2, 3`),
		"workflow_runs":    r.Rows(`SELECT * FROM workflow_runs ORDER BY id`),
		"jobs": r.Rows(`SELECT id, run_id, run_attempt, repository_id, name, status, conclusion, node_id, html_url, check_run_url, created_at, started_at,
			completed_at, runner_id, runner_name, runner_group_id, runner_group_name FROM jobs ORDER BY id`),
		"steps":    r.Rows(`SELECT job_id, number, name, status, conclusion, started_at, completed_at FROM steps ORDER BY job_id, number`),
		"labels":   r.Rows(`SELECT jl.job_id, jl.position, l.name FROM job_labels jl JOIN labels l ON l.id = jl.label_id ORDER BY 1, 2`),
		"job_logs": r.Rows(`SELECT job_id, state FROM job_logs ORDER BY job_id`),
	}
}

func (r *rig) truncate() {
	r.T.Helper()
	// TRUNCATE makes new files for a hundred tables and indexes, which takes longer than what is tested in between.
	sql := "SET LOCAL session_replication_role = replica;" // without triggers, as TRUNCATE
	for _, table := range strings.Fields(`
		action_callers action_sums action_pending action_invalidated manifests retention_plans holds log_removals log_redactions job_actions
		job_annotations job_environment job_permissions job_facets repository_names job_logs deliveries job_labels labels steps jobs workflow_run_attempts
		workflow_runs repositories sweeps run_attempts queue.river_job`) {
		sql += "DELETE FROM " + table + ";"
	}
	_, err := r.Pool.Exec(r.T.Context(), sql) // several commands without arguments are one transaction
	r.Check(err)
}

// anyLife draws payloads of two jobs of one run, in any state and with anything
// left out.
func anyLife(t *rapid.T) []githubsim.Delivery {
	var ds []githubsim.Delivery
	for i := range rapid.IntRange(1, 6).Draw(t, "payloads") {
		status := rapid.SampledFrom([]string{"queued", "waiting", "in_progress", "completed"}).Draw(t, "status")
		job := map[string]any{
			"id": rapid.Int64Range(1, 2).Draw(t, "job"), "run_id": 7, "status": status, "name": rapid.SampledFrom([]string{"build", "Build 🚀"}).Draw(t, "name"),
			"head_sha": "0123456789012345678901234567890123456789", "head_branch": "main", "workflow_name": "ci",
		}
		maybe := func(key string, values ...any) {
			if v := rapid.SampledFrom(append(values, nil, "leave out")).Draw(t, key); v != "leave out" {
				job[key] = v
			}
		}
		maybe("run_attempt", 1, 2)
		maybe("runner_name", "r1", "r2")
		maybe("runner_id", 0, 1, 2)
		maybe("created_at", "2024-01-01T00:00:00Z")
		maybe("started_at", "1970-01-01T00:00:00Z", "2024-01-01T00:00:00Z", "2024-01-01T00:00:05Z")
		if status == "completed" {
			maybe("conclusion", "success", "failure", "cancelled")
			maybe("completed_at", "2024-01-01T00:01:00Z", "2024-01-01T00:02:00Z")
		}
		maybe("labels", []string{}, []string{"linux"}, []string{"gpu", "linux"})
		maybe("steps", []any{}, []any{step(1, "set up", nil), step(14, "post", "2024-01-01T00:00:09.000Z")}, []any{step(1, "set up", "2024-01-01T00:00:03Z")})
		body, err := json.Marshal(map[string]any{
			"action": status, "workflow_job": job,
			"repository": anyRepository(t),
		})
		if err != nil {
			t.Fatal(err)
		}
		ds = append(ds, githubsim.Delivery{
			GUID: uuid.NewSHA1(uuid.Nil, fmt.Appendf(nil, "%d", i)).String(), Event: "workflow_job", ContentType: "application/json", Body: body,
		})
	}
	return ds
}

// anyRepository draws what a payload says of the repository, now or before: names,
// whether it is private, and when it changed.
func anyRepository(t *rapid.T) map[string]any {
	r := map[string]any{
		"id": 3, "name": rapid.SampledFrom([]string{"rocket", "Rocket", "starship"}).Draw(t, "repository"),
		"owner": map[string]any{"login": rapid.SampledFrom([]string{"acme", "umbrella"}).Draw(t, "owner")},
	}
	if rapid.Bool().Draw(t, "private is told") {
		r["private"] = rapid.Bool().Draw(t, "private")
	}
	if rapid.Bool().Draw(t, "its change is told") {
		r["updated_at"] = fmt.Sprintf("2024-01-01T00:00:0%dZ", rapid.IntRange(0, 9).Draw(t, "changed"))
	}
	return r
}

func step(number int, name string, startedAt any) map[string]any {
	s := map[string]any{"number": number, "name": name, "status": "queued", "conclusion": nil, "started_at": startedAt, "completed_at": nil}
	if startedAt != nil {
		s["status"] = "completed"
	}
	return s
}

// Whatever order the deliveries come in, however they are grouped, and however
// often one comes: the rows are the same.
func TestAnyOrderGivesTheSameRows(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	rapid.Check(t, func(rt *rapid.T) {
		ds := anyLife(rt)
		r.truncate()
		r.Send(ds, githubsim.SendOptions{})
		r.Drain()
		want := r.rowsOfJobs()
		r.truncate()
		for _, d := range rapid.Permutation(ds).Draw(rt, "order") {
			r.Send([]githubsim.Delivery{d}, githubsim.SendOptions{Duplicates: .3, Seed: rapid.Uint64().Draw(rt, "seed")})
			if rapid.Bool().Draw(rt, "drain now") {
				r.Drain()
			}
		}
		r.Drain()
		if diff := cmp.Diff(want, r.rowsOfJobs()); diff != "" {
			rt.Fatalf("in one order (-) and in another (+):\n%s", diff)
		}
	})
}
