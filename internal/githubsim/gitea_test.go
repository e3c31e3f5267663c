package githubsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// giteaRuns adds runs of a job each to a Gitea, one a minute.
func giteaRuns(s *Server, runs int) {
	for id := int64(1); id <= int64(runs); id++ {
		j := aJob(id)
		j.RunID = id
		j.CreatedAt = j.CreatedAt.Add(time.Duration(id) * time.Minute)
		s.AddJob(j)
	}
}

// listed walks a listing by its links, and returns the ids and the number of pages.
func listed(t *testing.T, s *Server, path, key string) (ids []int64, pages int) {
	t.Helper()
	for path != "" {
		resp, body := get(t, s, path)
		var list map[string]json.RawMessage
		var items []struct{ ID int64 }
		if err := json.Unmarshal([]byte(body), &list); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(list[key], &items); err != nil {
			t.Fatal(err)
		}
		for _, item := range items {
			ids = append(ids, item.ID)
		}
		pages++
		next, _, more := strings.Cut(resp.Header.Get("Link"), `>; rel="next"`)
		path = ""
		if more {
			path = strings.TrimPrefix(strings.TrimPrefix(next, "<"), s.URL())
		}
	}
	return ids, pages
}

const giteaRunsPath = "repos/acme/rocket/actions/runs"

// A Gitea lists all runs, by their ids, whatever filter it is asked with; GitHub's search
// has an end.
func TestGiteaListsAllRuns(t *testing.T) {
	s := start(t, Options{Gitea: true})
	giteaRuns(s, 1040)
	for path, pages := range map[string]int{
		"": 35, "?per_page=100": 35, "?limit=100": 21, "?limit=7&per_page=100": 149, "?limit=0": 35, "?limit=50&created=%3E%3D2030-01-01": 21, "?limit=50&created=nonsense": 21,
	} {
		ids, got := listed(t, s, giteaRunsPath+path, "workflow_runs")
		if len(ids) != 1040 || got != pages || ids[0] != 1040 || ids[1039] != 1 {
			t.Errorf("%s: %d runs on %d pages, from %d to %d", path, len(ids), got, ids[0], ids[len(ids)-1])
		}
	}
	resp, _ := get(t, s, giteaRunsPath+"?limit=50&page=2")
	self := s.URL() + giteaRunsPath + "?limit=50&page="
	want := fmt.Sprintf(`<%s3>; rel="next",<%s21>; rel="last",<%s1>; rel="first",<%s1>; rel="prev"`, self, self, self, self)
	if got := resp.Header.Get("Link"); got != want || resp.Header.Get("X-Total-Count") != "1040" {
		t.Errorf("%q, %s", got, resp.Header.Get("X-Total-Count"))
	}
	for _, none := range []string{"ETag", "X-Ratelimit-Remaining", "X-Github-Request-Id", "Server"} {
		if resp.Header.Get(none) != "" {
			t.Errorf("a Gitea has no header %s", none)
		}
	}
}

// Giteas differ, and one that is upgraded answers otherwise from then on.
func TestFeaturesOfGiteas(t *testing.T) {
	s := start(t, Options{Gitea: true, Features: Features{NoLinks: true}})
	giteaRuns(s, 120)
	if ids, pages := listed(t, s, giteaRunsPath, "workflow_runs"); len(ids) != 30 || pages != 1 {
		t.Errorf("without links: %d runs on %d pages", len(ids), pages)
	}
	if _, body := get(t, s, giteaRunsPath+"?page=4"); !strings.Contains(body, `"id":1,`) || strings.Contains(body, "created_at\":\"2026-04") {
		t.Errorf("the last page is not there: %.300s", body)
	}
	s.SetFeatures(Features{Created: true, PerPage: true, ETag: true, RunTimes: true, MaxPage: 20})
	ids, pages := listed(t, s, giteaRunsPath+"?per_page=100&created=%3E%3D2026-04-01T10:01:00Z", "workflow_runs")
	if len(ids) != 60 || pages != 3 {
		t.Errorf("upgraded: %d runs on %d pages", len(ids), pages)
	}
	resp, body := get(t, s, giteaRunsPath)
	if !strings.Contains(body, `"created_at":"2026-04-01T11:00:00Z"`) {
		t.Errorf("upgraded: %.500s", body)
	}
	if again, _ := get(t, s, giteaRunsPath, "If-None-Match", resp.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
		t.Errorf("upgraded: %d", again.StatusCode)
	}
}

func TestGiteaIgnoresFilterAll(t *testing.T) {
	s := start(t, Options{Gitea: true})
	for id := int64(1); id <= 4; id++ {
		j := aJob(id)
		j.RunAttempt = (id + 1) / 2
		s.AddJob(j)
	}
	for path, want := range map[string][]int64{"jobs": {3, 4}, "jobs?filter=all": {3, 4}, "attempts/1/jobs": {1, 2}, "attempts/2/jobs": {3, 4}} {
		if ids, _ := listed(t, s, giteaRunsPath+"/9001/"+path, "jobs"); !cmp.Equal(ids, want) {
			t.Errorf("%s: %v, want %v", path, ids, want)
		}
	}
	s.SetFeatures(Features{FilterAll: true})
	if ids, _ := listed(t, s, giteaRunsPath+"/9001/jobs?filter=all", "jobs"); len(ids) != 4 {
		t.Errorf("upgraded: %v", ids)
	}
}

// What GitHub tells and a Gitea does not is left out, or the start of an era.
func TestGiteasJob(t *testing.T) {
	s := start(t, Options{Gitea: true})
	j := aJob(1)
	s.AddJob(Job{ID: 2, RunID: 9001, RunAttempt: 1, RepositoryID: rocket.ID, Status: "queued", Name: "waits", CreatedAt: j.CreatedAt, Labels: []string{"gpu"}})
	_, body := get(t, s, "repos/acme/rocket/actions/jobs/2")
	want := `{"id":2,"url":"https://gitea.example/api/v1/repos/Acme/rocket/actions/jobs/2","html_url":"https://gitea.example/Acme/rocket/actions/runs/9001/jobs/2",` +
		`"run_id":9001,"run_url":"https://gitea.example/api/v1/repos/Acme/rocket/actions/runs/9001","name":"waits","labels":["gpu"],"run_attempt":1,"head_sha":"",` +
		`"status":"queued","runner_id":0,"steps":[],"created_at":"2026-04-01T09:00:00Z","started_at":"1970-01-01T00:00:00Z","completed_at":"1970-01-01T00:00:00Z"}`
	if body != want {
		t.Errorf("%s\nwant\n%s", body, want)
	}
	j.Omit, j.Extra = []string{"labels"}, map[string]any{"later": 1}
	s.AddJob(j)
	var told struct {
		Steps []Step
		Later int
	}
	_, body = get(t, s, "repos/acme/rocket/actions/jobs/1")
	if err := json.Unmarshal([]byte(body), &told); err != nil {
		t.Fatal(err)
	}
	for i, st := range told.Steps {
		if st.Number != int64(i) {
			t.Errorf("step %d has the number %d", i, st.Number)
		}
	}
	if len(told.Steps) != len(j.Steps) || told.Later != 1 || strings.Contains(body, "labels") {
		t.Error(body)
	}
	// It is read back as it is told.
	back, err := ParseGiteaJob([]byte(body), rocket.ID)
	if err != nil {
		t.Fatal(err)
	}
	back.Omit, back.Extra = j.Omit, j.Extra
	s.AddJob(back)
	if _, again := get(t, s, "repos/acme/rocket/actions/jobs/1"); again != body {
		t.Errorf("%s\nwant\n%s", again, body)
	}
	if _, err := ParseGiteaJob([]byte(`{"id":"x"}`), 1); err == nil {
		t.Error("that is no job")
	}
}

// A Gitea has neither deliveries to list nor Apps, and its errors are its own.
func TestWhatGiteaDoesNotHave(t *testing.T) {
	s := start(t, Options{Gitea: true, AppID: appID, AppKey: &appKey().PublicKey})
	for _, path := range []string{"repos/acme/rocket/hooks/1/deliveries", "app/installations", "rate_limit", "repos/acme/rocket/installation", "repos/acme/nothing"} {
		resp, body := get(t, s, path)
		if resp.StatusCode != http.StatusNotFound || body != `{"message":"The target couldn't be found.","url":"https://gitea.example/api/swagger"}` {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	if _, body := get(t, s, "repos/acme/rocket"); !strings.Contains(body, `"updated_at":"2022`) || strings.Contains(body, "pushed_at") || strings.Contains(body, "node_id") {
		t.Error(body)
	}
}
