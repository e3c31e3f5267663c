package githubsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"
)

func TestJobWithGoGitHub(t *testing.T) {
	s := start(t, Options{})
	j := aJob(77)
	s.AddJob(j)
	// Case does not matter to GitHub.
	got, resp, err := hub(t, s, nil).WithAuthToken(s.Token()).Actions.GetWorkflowJobByID(t.Context(), "aCME", "ROCKET", 77)
	if err != nil {
		t.Fatal(err)
	}
	if got.GetName() != j.Name || got.GetRunAttempt() != 1 || got.GetStartedAt().Time != j.StartedAt ||
		got.GetCompletedAt().Time != *j.CompletedAt || len(got.Steps) != len(j.Steps) || got.GetRunnerGroupID() != 0 {
		t.Errorf("got %v", got)
	}
	if resp.Rate.Limit != 5000 || resp.Rate.Remaining != 4999 {
		t.Errorf("rate %v", resp.Rate)
	}
}

// TestJobKeys has GitHub's 23 keys in its order, plus what the job says.
func TestJobKeys(t *testing.T) {
	s := start(t, Options{})
	j := aJob(77)
	j.Omit = []string{"run_attempt", "steps"}
	j.Extra = map[string]any{"zebra": map[string]any{"a": nil}, "added_later": 1.5}
	s.AddJob(j)
	_, body := get(t, s, "repos/acme/rocket/actions/jobs/77")
	for _, want := range []string{`{"id":77,"run_id":9001,"run_url":`, `"name":"build / <linux> & 🚀"`, `"head_branch":"main","added_later":1.5,"zebra":{"a":null}}`} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 23-2+2 {
		t.Errorf("%d keys: %s", len(got), body)
	}
}

func TestNullsAndEmptyLists(t *testing.T) {
	o := jobObject(rocket, Job{ID: 1, Status: "queued"})
	got := string(encode(o))
	for _, want := range []string{`"conclusion":null`, `"completed_at":null`, `"steps":[]`, `"labels":[]`, `"runner_id":null`, `"runner_group_name":null`, `"workflow_name":null`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
}

func TestRefusals(t *testing.T) {
	s := start(t, Options{APIVersions: []string{"2022-11-28"}})
	s.AddJob(aJob(77))
	s.AddJob(aJob(78))
	s.RemoveJob(78)
	other := rocket
	other.ID, other.Name = 2, "other"
	s.AddRepository(other)
	const job = "repos/acme/rocket/actions/jobs/77"
	for _, c := range []struct {
		path    string
		headers []string
		status  int
		message string
	}{
		{job, nil, 200, ""},
		{job, []string{"Authorization", "token sim-token"}, 200, ""},
		{job, []string{"X-GitHub-Api-Version", "2022-11-28"}, 200, ""},
		{job, []string{"X-GitHub-Api-Version", "2026-03-10"}, 400, `Unsupported API version: "2026-03-10"`},
		{job, []string{"Authorization", "Bearer wrong"}, 401, "Bad credentials"},
		{job, []string{"Authorization", ""}, 401, "Requires authentication"},
		{"repos/acme/rocket/actions/jobs/78", nil, 404, "Not Found"},
		{"repos/acme/other/actions/jobs/77", nil, 404, "Not Found"},
		{"repos/acme/nothing/actions/jobs/77", nil, 404, "Not Found"},
		{"repos/acme/rocket/actions/jobs/x", nil, 404, "Not Found"},
		{"repos/acme/rocket/actions/jobs/78/logs", nil, 404, "Not Found"},
		{"repos/acme/rocket/actions/runs/5/jobs", nil, 404, "Not Found"},
		{"repos/acme/rocket/actions/runs/9001/attempts/2/jobs", nil, 404, "Not Found"},
		{"teapot", nil, 404, "Not Found"},
	} {
		resp, body := get(t, s, c.path, c.headers...)
		var said struct {
			Message, Status string
			Docs            string `json:"documentation_url"`
		}
		if err := json.Unmarshal([]byte(body), &said); err != nil {
			t.Fatalf("%s: %v", c.path, err)
		}
		if resp.StatusCode != c.status || c.message != "" && said.Message != c.message {
			t.Errorf("%s %v: %d %s", c.path, c.headers, resp.StatusCode, body)
		}
		if c.status >= 400 && (said.Docs == "" || said.Status != fmt.Sprint(c.status)) {
			t.Errorf("%s: %s", c.path, body)
		}
		if resp.Header.Get("X-RateLimit-Remaining") == "" || resp.Header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%s: headers %v", c.path, resp.Header)
		}
	}
	want := map[Endpoint]int64{EndpointJob: 10, EndpointLog: 1, EndpointRunJobs: 1, EndpointAttemptJobs: 1, EndpointUnknown: 1}
	if diff := cmp.Diff(want, s.Requests()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[Endpoint]int64{EndpointJob: 1, EndpointLog: 1}, s.RequestsFor(78)); diff != "" {
		t.Error(diff)
	}
}

// TestPages walks a list as go-github does and looks at the links of GitHub.
func TestPages(t *testing.T) {
	s := start(t, Options{})
	for id := int64(1); id <= 65; id++ {
		s.AddJob(aJob(id))
	}
	var (
		ids  []int64
		c    = hub(t, s, nil).WithAuthToken(s.Token())
		opts = &github.ListWorkflowJobsOptions{ListOptions: github.ListOptions{PerPage: 20}}
	)
	for {
		js, resp, err := c.Actions.ListWorkflowJobs(t.Context(), "acme", "rocket", 9001, opts)
		if err != nil || js.GetTotalCount() != 65 {
			t.Fatal(js.GetTotalCount(), err)
		}
		for _, j := range js.Jobs {
			ids = append(ids, j.GetID())
		}
		if resp.NextPage == 0 {
			break
		}
		opts.Page = resp.NextPage
	}
	if len(ids) != 65 || ids[0] != 1 || ids[64] != 65 {
		t.Errorf("ids %v", ids)
	}

	base := s.URL() + "repositories/510001/actions/runs/9001/jobs?"
	for query, want := range map[string]string{
		"":                       `<` + base + `page=2>; rel="next", <` + base + `page=3>; rel="last"`,
		"?page=3":                `<` + base + `page=2>; rel="prev", <` + base + `page=1>; rel="first"`,
		"?per_page=1000&page=-1": "",
		"?per_page=100":          "",
		"?page=9":                `<` + base + `page=3>; rel="prev", <` + base + `page=1>; rel="first"`,
	} {
		resp, body := get(t, s, "repos/acme/rocket/actions/runs/9001/jobs"+query)
		wantStatus(t, resp, body, 200)
		got := resp.Header.Get("Link")
		if strings.Contains(query, "per_page") {
			if got != "" {
				t.Errorf("%s: %s", query, got)
			}
		} else if got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

func TestAttempts(t *testing.T) {
	s := start(t, Options{})
	add := func(id, attempt, listed int64) {
		j := aJob(id)
		j.RunAttempt, j.ListedAttempt = attempt, listed
		s.AddJob(j)
	}
	add(1, 1, 0)
	add(2, 1, 0)
	add(3, 1, 2) // carried over, and still told as of attempt 1
	add(4, 2, 0)
	for path, want := range map[string]string{
		"jobs":                   "3 4",
		"jobs?filter=latest":     "3 4",
		"jobs?filter=all":        "1 2 3 4",
		"attempts/1/jobs":        "1 2",
		"attempts/2/jobs?page=1": "3 4",
	} {
		_, body := get(t, s, "repos/acme/rocket/actions/runs/9001/"+path)
		var list struct {
			Jobs []struct{ ID int64 }
		}
		if err := json.Unmarshal([]byte(body), &list); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, j := range list.Jobs {
			ids = append(ids, fmt.Sprint(j.ID))
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestRename(t *testing.T) {
	s := start(t, Options{})
	s.AddJob(aJob(77))
	s.RenameRepository(rocket.ID, "acme-labs", "rocket-2")
	resp, body := get(t, s, "repos/acme/rocket/actions/runs/9001/jobs?filter=all")
	wantStatus(t, resp, body, http.StatusMovedPermanently)
	want := s.URL() + "repositories/510001/actions/runs/9001/jobs?filter=all"
	if got := resp.Header.Get("Location"); got != want {
		t.Errorf("Location %s, want %s", got, want)
	}
	// go-github follows, and the payload has the new name.
	j, _, err := hub(t, s, nil).WithAuthToken(s.Token()).Actions.GetWorkflowJobByID(t.Context(), "acme", "rocket", 77)
	if err != nil || !strings.Contains(j.GetURL(), "/acme-labs/rocket-2/") {
		t.Error(j, err)
	}
	u, _, err := hub(t, s, nil).WithAuthToken(s.Token()).Actions.GetWorkflowJobLogs(t.Context(), "acme", "rocket", 77, 1)
	if err != nil || !strings.HasPrefix(u.String(), s.BlobURL()) {
		t.Error(u, err)
	}
	// Whoever takes the old name has it.
	s.AddRepository(Repository{ID: 3, Owner: "acme", Name: "rocket"})
	resp, body = get(t, s, "repos/acme/rocket/actions/jobs/77")
	wantStatus(t, resp, body, http.StatusNotFound)
}

func TestRateLimit(t *testing.T) {
	c := newClock()
	s := start(t, Options{RateLimit: 2, Now: c.Now})
	s.AddJob(aJob(77))
	const path = "repos/acme/rocket/actions/jobs/77"
	resp, _ := get(t, s, path)
	etag := resp.Header.Get("ETag")
	// What has not changed costs nothing, and neither does asking for the limit.
	resp, body := get(t, s, path, "If-None-Match", etag)
	wantStatus(t, resp, body, http.StatusNotModified)
	_, body = get(t, s, "rate_limit")
	if !strings.Contains(body, `"rate":{"limit":2,"used":1,"remaining":1,`) {
		t.Error(body)
	}
	resp, body = get(t, s, path)
	wantStatus(t, resp, body, 200)
	if got := resp.Header.Get("X-RateLimit-Remaining"); got != "0" {
		t.Errorf("remaining %s", got)
	}
	_, _, err := hub(t, s, nil).WithAuthToken(s.Token()).Actions.GetWorkflowJobByID(t.Context(), "acme", "rocket", 77)
	var limit *github.RateLimitError
	if !errors.As(err, &limit) || !limit.Rate.Reset.Equal(github.Timestamp{Time: c.Now().Add(time.Hour)}) {
		t.Errorf("%T %v", err, err)
	}
	c.forward(time.Hour)
	resp, body = get(t, s, path)
	wantStatus(t, resp, body, 200)
}

func TestRuns(t *testing.T) {
	s := start(t, Options{})
	for i := range int64(3) {
		j := aJob(100 + i)
		j.RunID = 9001 + i
		j.CreatedAt = j.CreatedAt.AddDate(0, 0, int(i))
		s.AddJob(j)
	}
	for query, want := range map[string]string{
		"":                                    "9003 9002 9001",
		"?created=2026-04-02":                 "9002",
		"?created=2026-04-01..2026-04-02":     "9002 9001",
		"?created=*..2026-04-01T09:00:00Z":    "9001",
		"?created=>=2026-04-02T09:00:00Z":     "9003 9002",
		"?created=%3E2026-04-02T09:00:00Z":    "9003",
		"?created=<2026-04-02":                "9001",
		"?status=queued":                      "",
		"?status=completed&per_page=1&page=2": "9002",
		"?created=2026-04-01T08:00:00Z..*":    "9003 9002 9001",
	} {
		c := hub(t, s, nil).WithAuthToken(s.Token())
		r, err := c.NewRequest("GET", "repos/acme/rocket/actions/runs"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		var runs github.WorkflowRuns
		if _, err := c.Do(t.Context(), r, &runs); err != nil {
			t.Fatal(query, err)
		}
		var ids []string
		for _, u := range runs.WorkflowRuns {
			ids = append(ids, fmt.Sprint(u.GetID()))
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	resp, body := get(t, s, "repos/acme/rocket/actions/runs?created=yesterday")
	wantStatus(t, resp, body, http.StatusUnprocessableEntity)
}
