package ghapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// newestFirst are the ids from n down to 1.
func newestFirst(n int) []int64 {
	ids := upTo(int64(n))
	slices.Reverse(ids)
	return ids
}

// Every run of a Gitea is listed, in pages as large as it gives them, whether it links to
// them, reads limit or per_page, or neither.
func TestRunsOfGiteas(t *testing.T) {
	for name, c := range map[string]struct {
		features githubsim.Features
		pages    int
	}{
		"as recorded":        {githubsim.Features{}, 22},
		"without links":      {githubsim.Features{NoLinks: true}, 22},
		"larger pages":       {githubsim.Features{MaxPage: 100}, 11},
		"small pages":        {githubsim.Features{MaxPage: 10}, 110},
		"per_page is heeded": {githubsim.Features{PerPage: true, Created: true, ETag: true, RunTimes: true}, 22},
	} {
		t.Run(name, func(t *testing.T) {
			gh := simulate(t, githubsim.Options{Gitea: true, Features: c.features}, runsOf(1100)...)
			pages := runPages(t, ask(t, gh), firstRun, time.Time{}, "")
			if ids := runIDs(pages); !slices.Equal(ids, newestFirst(1100)) || len(pages) != c.pages {
				t.Errorf("%d runs on %d pages, want 1100 on %d", len(ids), len(pages), c.pages)
			}
			for i, p := range pages {
				if p.More != (i < len(pages)-1) || p.Total != 1100 {
					t.Errorf("page %d: more %v of %d", i, p.More, p.Total)
				}
			}
		})
	}
}

// Jobs too come on further pages without a link to them.
func TestJobsOfAGiteaWithoutLinks(t *testing.T) {
	var jobs []githubsim.Job
	for id := range int64(120) {
		jobs = append(jobs, completed(id+1, githubsim.Log{}))
	}
	gh := simulate(t, githubsim.Options{Gitea: true, Features: githubsim.Features{NoLinks: true}}, jobs...)
	c := ask(t, gh)
	for name, list := range map[string]func() ([]ghapi.Job, error){
		"attempt": func() ([]ghapi.Job, error) { return collect(c.AttemptJobs(t.Context(), owner, repo, 100, 1, "")) },
		"run": func() ([]ghapi.Job, error) {
			return collect(c.RunJobs(t.Context(), owner, repo, 100, ghapi.FilterAll))
		},
	} {
		if got, err := list(); err != nil || !slices.Equal(ids(got), upTo(120)) {
			t.Errorf("%s: %d jobs, %v", name, len(got), err)
		}
	}
	if n := gh.Requests()[githubsim.EndpointAttemptJobs]; n != 3 {
		t.Errorf("%d requests for 120 jobs, want 3", n)
	}
}

// At an address that does not tell a Gitea, that per_page is not heeded is learned from the
// first listing; GitHub is never asked with another word than its own.
func TestPageSizeIsLearned(t *testing.T) {
	var queries []string
	small := serve(t, func(w http.ResponseWriter, r *http.Request) {
		queries = append(queries, r.URL.RawQuery)
		if r.URL.Query().Get("page") == "" {
			w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?page=2>; rel="next"`, r.Host, r.URL.Path))
		}
		fmt.Fprint(w, `{"total_count":2,"jobs":[{"id":1}]}`)
	})
	c := clientOf(t, ghapi.Config{BaseURL: small.URL})
	for range 2 {
		_, err := collect(c.AttemptJobs(t.Context(), owner, repo, 100, 1, ""))
		check(t, err)
	}
	if want := []string{"per_page=100", "page=2", "limit=100&per_page=100", "page=2"}; !slices.Equal(queries, want) {
		t.Errorf("asked %q, want %q", queries, want)
	}
	gh := simulate(t, githubsim.Options{}, runsOf(250)...)
	asked := asked(gh, githubsim.EndpointRuns)
	for range 2 {
		runPages(t, ask(t, gh), firstRun, time.Time{}, "")
	}
	for _, q := range asked() {
		if strings.Contains(q, "limit") {
			t.Errorf("GitHub was asked with %s", q)
		}
	}
}

// A total that is too high makes GitHub be asked for no page that it does not link to.
func TestGitHubsTotalIsNoPage(t *testing.T) {
	gh := simulate(t, githubsim.Options{}, runsOf(5)...)
	gh.LieAboutTotal(githubsim.EndpointRuns, 70)
	if pages := runPages(t, ask(t, gh), firstRun, time.Time{}, ""); len(pages) != 1 || len(gh.Requests()) != 1 || gh.Requests()[githubsim.EndpointRuns] != 1 {
		t.Errorf("%d pages, requests %v", len(pages), gh.Requests())
	}
	// Another server is asked until a page is empty.
	gitea := simulate(t, githubsim.Options{Gitea: true, Features: githubsim.Features{NoLinks: true}}, runsOf(5)...)
	gitea.LieAboutTotal(githubsim.EndpointRuns, 70)
	if ids := runIDs(runPages(t, ask(t, gitea), firstRun, time.Time{}, "")); len(ids) != 5 || gitea.Requests()[githubsim.EndpointRuns] != 2 {
		t.Errorf("runs %v, requests %v", ids, gitea.Requests())
	}
}

// When a run had been created at the latest, as far as it is told.
func TestCreatedBy(t *testing.T) {
	const unset = `"1970-01-01T00:00:00Z"`
	for text, want := range map[string]string{
		`{"id":1}`: "",
		`{"created_at":"2026-03-01T12:00:00Z","run_started_at":"2026-02-01T00:00:00Z"}`:                   "2026-03-01T12:00:00Z",
		`{"started_at":"2026-03-02T00:00:00Z","completed_at":"2026-03-02T01:00:00Z"}`:                     "2026-03-02T00:00:00Z",
		`{"started_at":` + unset + `,"completed_at":"2026-03-02T01:00:00Z"}`:                              "2026-03-02T01:00:00Z",
		`{"started_at":` + unset + `,"completed_at":` + unset + `}`:                                       "",
		`{"created_at":` + unset + `,"run_started_at":"2026-03-03T00:00:00Z"}`:                            "2026-03-03T00:00:00Z",
		`{"created_at":null,"started_at":"soon","completed_at":""}`:                                       "",
		`{"created_at":"0001-01-01T00:00:00Z","started_at":7,"completed_at":"2026-03-02T01:00:00+02:00"}`: "2026-03-01T23:00:00Z",
	} {
		var r ghapi.Run
		check(t, json.Unmarshal([]byte(text), &r))
		got := ""
		if !r.CreatedBy.IsZero() {
			got = r.CreatedBy.UTC().Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%s: by %q, want %q", text, got, want)
		}
		if r.CreatedAt.Unix() == 0 {
			t.Errorf("%s: created in 1970", text)
		}
	}
}

// A log that a Gitea has removed has expired; one that it does not have yet has not.
func TestExpiredLogOfGitea(t *testing.T) {
	gh := simulate(t, githubsim.Options{Gitea: true}, completed(7, githubsim.Log{}))
	_, err := readLog(t.Context(), ask(t, gh), 7)
	refusal(t, err, ghapi.NotFound, 404, "job not started")
	gh.ExpireLog(7)
	_, err = readLog(t.Context(), ask(t, gh), 7)
	refusal(t, err, ghapi.Expired, 404, "logs have been cleaned up")
}
