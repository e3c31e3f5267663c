package ingest_test

import (
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// origins are what is known of runs' starts, and of their attempts.
func (r *rig) origins() []map[string]any {
	r.T.Helper()
	return r.Rows(`SELECT w.id, event, actor, w.triggering_actor, run_number, display_title, path, head_repository, head_repository_id <> repository_id AS fork,
		pull_requests, referenced_workflows, run_attempt, status, conclusion, w.created_at,
		(SELECT jsonb_object_agg(a.run_attempt, concat_ws(' ', a.triggering_actor, a.status, a.conclusion, a.started_at IS NOT NULL, a.updated_at IS NOT NULL))
		 FROM workflow_run_attempts a WHERE a.run_id = w.id) AS attempts
		FROM workflow_runs w ORDER BY w.id`)
}

// forkedAndRerun adds a run from a fork that somebody else ran again, one that goes on, and
// one of a schedule.
func (r *rig) forkedAndRerun(now time.Time) (first githubsim.Job) {
	fork := githubsim.Repository{ID: 66, Owner: "mallory", Name: "rocket"}
	r.GitHub.AddRepository(ingesttest.Repository)
	first = ingesttest.Completed(1, now.Add(-time.Hour), githubsim.TextLog([]byte("x\n")))
	second := ingesttest.Completed(2, now.Add(-30*time.Minute), githubsim.TextLog([]byte("x\n")))
	second.RunID, second.RunAttempt, second.Conclusion = first.RunID, 2, ingesttest.Ptr("failure")
	going := ingesttest.Completed(3, now, githubsim.Log{})
	going.Status, going.Conclusion, going.CompletedAt = "in_progress", nil, nil
	nightly := ingesttest.Completed(4, now.Add(-2*time.Hour), githubsim.TextLog([]byte("x\n")))
	for _, j := range []githubsim.Job{first, second, going, nightly} {
		r.GitHub.AddJob(j)
	}
	r.GitHub.SetRun(githubsim.Run{
		ID: first.RunID, Event: "pull_request_target", Actor: "mallory", StartedBy: []string{"mallory", "Mona"}, Number: 41,
		Title: "</script>\x00\x1b]0;x\x07\u202e", Path: ".github/workflows/label.yml", Head: &fork,
		Referenced: []githubsim.Referenced{{Path: "acme/w/.github/workflows/x.yml@v1", SHA: "c0ffee", Ref: "refs/tags/v1"}},
	})
	r.GitHub.SetRun(githubsim.Run{ID: going.RunID, Event: "pull_request", PullRequests: []int64{7}, HeadDeleted: true})
	r.GitHub.SetRun(githubsim.Run{ID: nightly.RunID, Event: "schedule", Actor: "hubot", Omit: []string{"triggering_actor", "updated_at", "pull_requests"}})
	return first
}

// A sweep and a backfill write what listings of runs say of who and what started them; a
// run that only a webhook told of learns it from the next listing. None of it costs a
// request: there are as many as for runs that say nothing.
func TestListingsTellWhatStartedARun(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Second)
	requests := make(map[string]map[githubsim.Endpoint]int64)
	for name, do := range map[string]func(r *rig, first githubsim.Job){
		"sweep":    func(r *rig, _ githubsim.Job) { r.sweepRecent(r.knowRepository()) },
		"backfill": func(r *rig, _ githubsim.Job) { r.backfill(now) },
		"webhook, then sweep": func(r *rig, first githubsim.Job) {
			r.Send(r.GitHub.Deliveries(first), githubsim.SendOptions{})
			r.Drain()
			if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM job_facts WHERE num_nulls(event, actor, triggering_actor, from_fork, display_title) = 5`); n != 1 {
				t.Error("a webhook is taken to tell what started a run")
			}
			r.sweepRecent(r.knowRepository())
		},
	} {
		r := newRig(t, ingesttest.Options{})
		first := r.forkedAndRerun(now)
		do(r, first)
		want := []map[string]any{
			{
				"id": int64(101), "event": "pull_request_target", "actor": "mallory", "triggering_actor": "Mona", "run_number": int64(41),
				"display_title": "</script>\ufffd\x1b]0;x\x07\u202e", "path": ".github/workflows/label.yml", "head_repository": "mallory/rocket", "fork": true,
				"pull_requests": []any{}, "referenced_workflows": []any{map[string]any{"path": "acme/w/.github/workflows/x.yml@v1", "sha": "c0ffee", "ref": "refs/tags/v1"}},
				"run_attempt": int64(2), "status": "completed", "conclusion": "success", "created_at": first.CreatedAt,
				"attempts": map[string]any{"2": "Mona completed success t t"},
			},
			{
				"id": int64(103), "event": "pull_request", "actor": "Mona", "triggering_actor": "Mona", "run_number": int64(104), "display_title": "What a pull_request changes",
				"path": ".github/workflows/ci.yml", "head_repository": nil, "fork": nil, "pull_requests": []any{int64(7)}, "referenced_workflows": []any{},
				"run_attempt": int64(1), "status": "in_progress", "conclusion": nil, "created_at": now.Add(-2 * time.Minute),
				"attempts": map[string]any{"1": "Mona in_progress t t"},
			},
			{
				"id": int64(104), "event": "schedule", "actor": "hubot", "triggering_actor": nil, "run_number": int64(105), "display_title": "What a schedule changes",
				"path": ".github/workflows/ci.yml", "head_repository": "acme/rocket", "fork": false, "pull_requests": nil, "referenced_workflows": []any{},
				"run_attempt": int64(1), "status": "completed", "conclusion": "success", "created_at": now.Add(-2*time.Hour - 2*time.Minute),
				"attempts": map[string]any{"1": "completed success t f"},
			},
		}
		if diff := cmp.Diff(want, r.origins()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		requests[name] = r.GitHub.Requests()

		silent := newRig(t, ingesttest.Options{})
		silent.forkedAndRerun(now)
		for id := int64(101); id <= 104; id++ {
			silent.GitHub.SetRun(githubsim.Run{ID: id, Omit: []string{"event", "actor", "triggering_actor", "display_title", "path", "head_repository", "pull_requests"}})
		}
		do(silent, first)
		if got := silent.GitHub.Requests(); !maps.Equal(got, requests[name]) {
			t.Errorf("%s: requests %v, where runs say nothing %v", name, requests[name], got)
		}
	}
}

// backfill lists the runs of the last day.
func (r *rig) backfill(now time.Time) {
	r.T.Helper()
	_, err := r.Sweeper().Backfill(r.T.Context(), r.knowRepository(), now.Add(-24*time.Hour), now.Add(time.Minute))
	r.Check(err)
}

// Each attempt keeps who started it, if it was listed while it was the latest; and a job
// of an attempt of which that is not known is not given another's.
func TestAttemptsKeepWhoStartedThem(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	repo := r.knowRepository()
	now := time.Now().UTC().Truncate(time.Second)
	add := func(attempt int64, ago time.Duration) {
		j := ingesttest.Completed(attempt, now.Add(-ago), githubsim.Log{})
		j.RunID, j.RunAttempt = 500, attempt
		r.GitHub.AddJob(j)
	}
	r.GitHub.SetRun(githubsim.Run{ID: 500, StartedBy: []string{"mona", "hubot", "octocat"}})
	add(1, time.Hour)
	r.sweepRecent(repo)
	add(2, 40*time.Minute)
	add(3, 20*time.Minute)
	r.sweepRecent(repo)
	got := r.Rows(`SELECT job_id, triggering_actor FROM job_facts ORDER BY job_id`)
	want := []map[string]any{
		{"job_id": int64(1), "triggering_actor": "mona"}, {"job_id": int64(2), "triggering_actor": nil}, {"job_id": int64(3), "triggering_actor": "octocat"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if by := ingesttest.Scalar[string](r.Rig, `SELECT triggering_actor FROM run_facts`); by != "octocat" {
		t.Errorf("the run was started by %s", by)
	}
}

// What Gitea calls otherwise, leaves out, or sets to 1970 is what it is.
func TestGiteaTellsWhatStartedARun(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{GitHub: githubsim.Options{Gitea: true}})
	r.forkedAndRerun(time.Now().UTC().Truncate(time.Second))
	r.sweepRecent(r.knowRepository())
	want := []map[string]any{
		{"id": int64(101), "event": "pull_request_target", "by": "Mona", "path": "label.yml@refs/heads/main", "fork": true, "open": false, "unknown": true},
		{"id": int64(103), "event": "pull_request", "by": "Mona", "path": "ci.yml@refs/heads/main", "fork": nil, "open": true, "unknown": true},
		{"id": int64(104), "event": "schedule", "by": "hubot", "path": "ci.yml@refs/heads/main", "fork": false, "open": false, "unknown": true},
	}
	got := r.Rows(`SELECT w.id, event, a.triggering_actor AS by, path, head_repository_id <> repository_id AS fork, a.updated_at IS NULL AS open,
		pull_requests IS NULL AND referenced_workflows IS NULL AND w.created_at IS NULL AND workflow_id IS NULL AS unknown
		FROM workflow_runs w JOIN workflow_run_attempts a ON a.run_id = w.id ORDER BY w.id`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What was swept before runs were described is listed again by a backfill, and then no more.
func TestBackfillDescribesWhatWasSweptBefore(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	now := time.Now().UTC().Truncate(time.Second)
	long := now.Add(-60 * 24 * time.Hour)
	skippedRuns(r.GitHub, long, 3)
	past := func() int {
		_, err := r.Sweeper().Backfill(t.Context(), r.knowRepository(), long.Add(-time.Hour), long.Add(time.Hour))
		r.Check(err)
		return int(r.GitHub.Requests()[runsList])
	}
	first := past()
	r.Exec(`UPDATE sweeps SET described = '{}'`)
	r.Exec(`UPDATE workflow_runs SET event = NULL`)
	before := r.GitHub.Requests()[attempts]
	if again := past(); again <= first || r.GitHub.Requests()[attempts] != before {
		t.Errorf("%d listings of runs after %d, and %d of attempts after %d", again, first, r.GitHub.Requests()[attempts], before)
	}
	if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM workflow_runs WHERE event = 'push'`); n != 3 {
		t.Errorf("%d of 3 runs are described", n)
	}
	if done := past(); past() != done {
		t.Error("what is described was listed once more")
	}
}

// What an older jobvault has listed meanwhile is described too, although nothing has changed
// since: an unchanged listing that it read was not read for what started the runs.
func TestSweepDescribesWhatAnOlderJobvaultListed(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now, GitHub: githubsim.Options{Now: now.Now}})
	repo := r.knowRepository()
	r.sweepRecent(repo)
	r.sweepRecent(repo)
	skippedRuns(r.GitHub, now.Now().Add(-time.Minute), 3)
	described := ingesttest.Scalar[string](r.Rig, `SELECT coalesce(described_etag, '') FROM sweeps`)
	now.Advance(time.Minute)
	r.sweepRecent(repo)
	// As an older one leaves them: it writes neither of these columns.
	r.Exec(`UPDATE sweeps SET described = '{}', described_etag = $1`, described)
	r.Exec(`UPDATE workflow_runs SET event = NULL`)
	now.Advance(time.Minute)
	r.sweepRecent(repo)
	if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM workflow_runs WHERE event = 'push'`); n != 3 {
		t.Errorf("%d of 3 runs are described, and the range counts as %s", n, ingesttest.Scalar[string](r.Rig, `SELECT described::text FROM sweeps`))
	}
	before := ingesttest.Scalar[string](r.Rig, `SELECT etag FROM sweeps`)
	now.Advance(time.Minute)
	r.sweepRecent(repo)
	if after := ingesttest.Scalar[string](r.Rig, `SELECT etag FROM sweeps`); after != before {
		t.Errorf("the ETag was %s and is %s: nothing has changed", before, after)
	}
}
