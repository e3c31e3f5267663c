package githubsim

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"
)

func TestGetRun(t *testing.T) {
	s := start(t, Options{})
	first, again, carried := aJob(1), aJob(3), aJob(2)
	again.RunAttempt, again.CreatedAt = 2, first.CreatedAt.Add(time.Hour)
	carried.ListedAttempt, carried.CreatedAt = 2, again.CreatedAt.Add(-time.Minute)
	for _, j := range []Job{again, first, carried} {
		s.AddJob(j)
	}
	c := hub(t, s, nil).WithAuthToken(s.Token()).Actions
	u, _, err := c.GetWorkflowRunByID(t.Context(), "acme", "rocket", 9001)
	if err != nil {
		t.Fatal(err)
	}
	if u.GetID() != 9001 || u.GetRunAttempt() != 2 || !u.GetCreatedAt().Equal(github.Timestamp{Time: first.CreatedAt}) ||
		!u.GetRunStartedAt().Equal(github.Timestamp{Time: carried.CreatedAt}) || u.GetRepository().GetID() != rocket.ID {
		t.Error(u)
	}
	// The list says the same.
	list, _, err := c.ListRepositoryWorkflowRuns(t.Context(), "acme", "rocket", nil)
	if err != nil || len(list.WorkflowRuns) != 1 || !cmp.Equal(list.WorkflowRuns[0], u) {
		t.Error(list, err)
	}
	for _, id := range []int64{1, 2, 3} {
		s.RemoveJob(id)
	}
	resp, body := get(t, s, "repos/acme/rocket/actions/runs/9001")
	wantStatus(t, resp, body, 404)
}

// runIDs are those of one page of the runs, in order.
func runIDs(t *testing.T, s *Server, query string) string {
	t.Helper()
	resp, body := get(t, s, "repos/acme/rocket/actions/runs"+query)
	wantStatus(t, resp, body, 200)
	var list struct {
		Runs []struct{ ID int64 } `json:"workflow_runs"`
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, u := range list.Runs {
		ids = append(ids, fmt.Sprint(u.ID))
	}
	return strings.Join(ids, " ")
}

// TestRunOrder is by creation and not by id, and follows every change.
func TestRunOrder(t *testing.T) {
	s := start(t, Options{})
	begin := aJob(0).CreatedAt
	add := func(id, run int64, after time.Duration) Job {
		j := aJob(id)
		j.RunID, j.CreatedAt = run, begin.Add(after)
		s.AddJob(j)
		return j
	}
	wantRuns := func(want string) {
		t.Helper()
		if got := runIDs(t, s, ""); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	add(1, 9003, time.Hour)
	add(2, 9001, 2*time.Hour)
	add(3, 9002, time.Hour)
	wantRuns("9001 9003 9002")
	add(2, 9001, 0) // its time changes
	wantRuns("9003 9002 9001")
	add(4, 9002, -time.Hour) // an earlier job of the run
	wantRuns("9003 9001 9002")
	add(3, 9004, time.Minute) // to another run
	wantRuns("9003 9004 9001 9002")
	s.RemoveJob(1)
	wantRuns("9004 9001 9002")
	// A job may even change its repository, and two repositories may have a run
	// of the same id.
	other := rocket
	other.ID, other.Name = 2, "other"
	s.AddRepository(other)
	j := add(5, 9004, 0)
	j.RepositoryID = 2
	s.AddJob(j)
	wantRuns("9004 9001 9002")
	s.RemoveJob(3)
	wantRuns("9001 9002")
}

func TestListsRunAttempt(t *testing.T) {
	s := start(t, Options{})
	j := aJob(77)
	j.RunAttempt, j.ListsRunAttempt = 2, 1
	s.AddJob(j)
	s.AddJob(func() Job { j := aJob(78); j.RunAttempt = 2; return j }())
	for path, want := range map[string]string{
		"jobs/77":                   "2",
		"runs/9001/jobs":            "1 2",
		"runs/9001/attempts/2/jobs": "1 2",
	} {
		_, body := get(t, s, "repos/acme/rocket/actions/"+path)
		var got []string
		for _, part := range strings.Split(body, `"run_attempt":`)[1:] {
			got = append(got, part[:strings.IndexByte(part, ',')])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: run_attempt %v, want %s", path, got, want)
		}
	}
}
