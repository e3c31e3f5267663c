package githubsim

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

// What SetRun says is what go-github reads in the list of runs, with the account of the
// latest attempt.
func TestRunsTellWhatStartedThem(t *testing.T) {
	s := start(t, Options{})
	first, again := aJob(1), aJob(2)
	again.RunAttempt, again.CreatedAt = 2, first.CreatedAt.Add(time.Hour)
	s.AddJob(first)
	fork := Repository{ID: 66, Owner: "mallory", Name: "rocket"}
	s.SetRun(Run{
		ID: first.RunID, Event: "pull_request_target", Actor: "mallory", StartedBy: []string{"mallory", "octocat"}, Number: 41, Title: "<b>\x1b\u202e", Head: &fork,
		PullRequests: []int64{7}, Referenced: []Referenced{{"acme/w/x.yml@v1", "c0ffee", "refs/tags/v1"}},
	})
	c := hub(t, s, nil).WithAuthToken(s.Token()).Actions
	for attempt, by := range []string{"mallory", "octocat"} {
		if attempt == 1 {
			s.AddJob(again)
		}
		list, _, err := c.ListRepositoryWorkflowRuns(t.Context(), "acme", "rocket", nil)
		if err != nil {
			t.Fatal(err)
		}
		u := list.WorkflowRuns[0]
		if u.GetEvent() != "pull_request_target" || u.GetActor().GetLogin() != "mallory" || u.GetTriggeringActor().GetLogin() != by || u.GetRunNumber() != 41 ||
			u.GetDisplayTitle() != "<b>\x1b\u202e" || u.GetHeadRepository().GetID() != 66 || u.PullRequests[0].GetNumber() != 7 ||
			u.ReferencedWorkflows[0].GetSHA() != "c0ffee" || u.GetRunAttempt() != attempt+1 {
			t.Errorf("attempt %d: %+v", attempt+1, u)
		}
	}
}

// Gitea's runs have Gitea's keys, and 1970 for what has not been.
func TestGiteasRuns(t *testing.T) {
	s := start(t, Options{Gitea: true})
	j := aJob(1)
	j.Status, j.Conclusion, j.CompletedAt = "in_progress", nil, nil
	s.AddJob(j)
	_, body := get(t, s, "repos/acme/rocket/actions/runs")
	var list struct {
		Runs []map[string]any `json:"workflow_runs"`
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil || len(list.Runs) != 1 {
		t.Fatal(body, err)
	}
	u := list.Runs[0]
	for _, missing := range []string{"created_at", "updated_at", "run_started_at", "triggering_actor", "workflow_id", "pull_requests", "referenced_workflows", "conclusion", "node_id"} {
		if _, there := u[missing]; there {
			t.Errorf("Gitea does not send %s", missing)
		}
	}
	if u["completed_at"] != "1970-01-01T00:00:00Z" || u["trigger_actor"] == nil || !strings.Contains(u["path"].(string), ".yml@refs/heads/") {
		t.Errorf("%v", u)
	}
}

// A day has runs of each kind that people ask for.
func TestADayIsStartedInManyWays(t *testing.T) {
	s := start(t, Options{})
	day := s.PlayableDay(3, 100, 1000)
	var events []string
	for _, r := range day.Repositories {
		for _, u := range s.world.runsOf(r.ID) {
			events = append(events, s.world.origin(u).Event)
		}
	}
	for _, want := range []string{"push", "pull_request", "pull_request_target", "schedule", "workflow_dispatch"} {
		if !slices.Contains(events, want) {
			t.Errorf("no run of %s", want)
		}
	}
}
