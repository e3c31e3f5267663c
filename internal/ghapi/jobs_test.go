package ghapi_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
)

func TestBaseURLMayHaveAPathAndLackTheSlash(t *testing.T) {
	var asked []string
	gh := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.EscapedPath())
		switch {
		case strings.HasSuffix(r.URL.Path, "/access_tokens"):
			w.WriteHeader(http.StatusCreated)
			io.WriteString(w, `{"token":"ghs_x","expires_at":"2099-01-01T00:00:00Z"}`)
		case strings.HasSuffix(r.URL.Path, "/installation"):
			io.WriteString(w, `{"id":5}`)
		default:
			io.WriteString(w, `{"id":7}`)
		}
	})
	for _, path := range []string{"", "/", "/api/v3", "/api/v3/"} {
		prefix := strings.TrimSuffix(path, "/")
		for _, c := range []struct {
			config ghapi.Config
			want   []string
		}{
			{ghapi.Config{}, []string{prefix + "/repos/acme/a%2Fb%20c/actions/jobs/7"}},
			{ghapi.Config{AppID: appID, AppKey: keyPEM(appKey())}, []string{
				prefix + "/repos/acme/a%2Fb%20c/installation",
				prefix + "/app/installations/5/access_tokens",
				prefix + "/repos/acme/a%2Fb%20c/actions/jobs/7",
			}},
		} {
			asked = nil
			c.config.BaseURL = gh.URL + path
			client, err := clientsOf(t, c.config).For(t.Context(), nil, owner, "a/b c")
			check(t, err)
			if _, err := client.Job(t.Context(), owner, "a/b c", 7); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(c.want, asked); diff != "" {
				t.Errorf("base %q (-want +got):\n%s", path, diff)
			}
		}
	}
}

func TestRequestsSayWhatTheyAre(t *testing.T) {
	var got http.Header
	gh := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		io.WriteString(w, `{"id":7}`)
	})
	_, err := clientOf(t, ghapi.Config{BaseURL: gh.URL, Token: "ghp_x", APIVersion: "2031-01-01"}).Job(t.Context(), owner, repo, 7)
	check(t, err)
	for name, want := range map[string]string{
		"Authorization": "Bearer ghp_x", "User-Agent": "jobvault-test", "X-GitHub-Api-Version": "2031-01-01",
	} {
		if diff := cmp.Diff([]string{want}, got.Values(name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if accept := got.Get("Accept"); !strings.Contains(accept, "application/vnd.github") {
		t.Errorf("Accept: %s", accept)
	}
}

// GHES below 3.21 answers 400 to the newer version; elsewhere is not GitHub.
func TestVersionSuitsAnOlderServer(t *testing.T) {
	gh := simulate(t, githubsim.Options{APIVersions: []string{"2022-11-28"}}, completed(7, githubsim.Log{}))
	if _, err := ask(t, gh).Job(t.Context(), owner, repo, 7); err != nil {
		t.Error(err)
	}
	_, err := clientOf(t, ghapi.Config{BaseURL: gh.URL(), Token: gh.Token(), APIVersion: "2026-03-10"}).Job(t.Context(), owner, repo, 7)
	refusal(t, err, ghapi.Transient, 400, "Unsupported API version")
}

func TestJobIsTheBytesThatWereSent(t *testing.T) {
	for name, body := range map[string]string{
		"nulls and empty lists": `{"id":7,"steps":[],"labels":[],"runner_id":null,"conclusion":null}`,
		"unknown fields":        `{"id":7,"shoe_size":43,"nested":{"a":[1,2.50,1e3]}}`,
		"white space and order": "\n{ \"status\" : \"completed\",\r\n\t\"id\":7 }\n",
		"escapes":               `{"id":7,"name":"\u00fc < & \/ \ud83d\ude80 ü"}`,
		"a key twice":           `{"id":6,"id":7,"name":"x","name":"y"}`,
		"states nobody knows":   `{"id":7,"status":"pondering","conclusion":"shrug"}`,
	} {
		t.Run(name, func(t *testing.T) {
			zipped := false
			gh := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if zipped = strings.Contains(r.Header.Get("Accept-Encoding"), "gzip"); zipped {
					w.Header().Set("Content-Encoding", "gzip")
					z := gzip.NewWriter(w)
					defer z.Close()
					io.WriteString(z, body)
				}
			})
			j, err := clientOf(t, ghapi.Config{BaseURL: gh.URL}).Job(t.Context(), owner, repo, 7)
			check(t, err)
			if !zipped || string(j.Raw) != body || j.GetID() != 7 {
				t.Errorf("job %d has the bytes %q, want %q", j.GetID(), j.Raw, body)
			}
		})
	}
}

func TestJobIsReadAsGitHubMeansIt(t *testing.T) {
	want := completed(7, githubsim.Log{})
	want.Extra = map[string]any{"shoe_size": 43}
	gh := simulate(t, githubsim.Options{}, want)
	j, err := ask(t, gh).Job(t.Context(), "ACME", "Rocket", 7)
	check(t, err)
	if j.GetName() != want.Name || j.GetRunID() != want.RunID || j.GetConclusion() != "success" || !j.GetCompletedAt().Time.Equal(*want.CompletedAt) ||
		!strings.Contains(string(j.Raw), `"shoe_size":43`) {
		t.Errorf("job %+v from %s", j.WorkflowJob, j.Raw)
	}
	gh.RenameRepository(repository.ID, owner, "starship")
	if j, err := ask(t, gh).Job(t.Context(), owner, repo, 7); err != nil || j.GetID() != 7 {
		t.Errorf("under its former name: %v", err)
	}
}

func TestAnswersThatAreNoJobAreTransient(t *testing.T) {
	for body, want := range map[string]string{
		``:                             "not the JSON expected",
		`{"id":7`:                      "not the JSON expected",
		`[{"id":7}]`:                   "not the JSON expected",
		`{"id":"7"}`:                   "not the JSON expected",
		`{"id":7,"created_at":"soon"}`: "not the JSON expected",
		`{"id":8}`:                     "about job 8",
		`{}`:                           "about job 0",
		`null`:                         "about job 0",
	} {
		gh := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) })
		_, err := clientOf(t, ghapi.Config{BaseURL: gh.URL}).Job(t.Context(), owner, repo, 7)
		refusal(t, err, ghapi.Transient, 200, want)
	}
}

// ids are the ids of jobs.
func ids(jobs []ghapi.Job) (out []int64) {
	for _, j := range jobs {
		out = append(out, j.GetID())
	}
	return out
}

func upTo(n int64) (out []int64) {
	for i := range n {
		out = append(out, i+1)
	}
	return out
}

func TestListingsHaveEveryPage(t *testing.T) {
	gh := simulate(t, githubsim.Options{})
	for _, id := range upTo(250) {
		gh.AddJob(completed(id, githubsim.Log{}))
	}
	c := ask(t, gh)
	for name, list := range map[string]iter.Seq2[ghapi.JobPage, error]{
		"run": c.RunJobs(t.Context(), owner, repo, 100, ghapi.FilterAll), "attempt": c.AttemptJobs(t.Context(), owner, repo, 100, 1, ""),
	} {
		jobs, err := collect(list)
		if diff := cmp.Diff(upTo(250), ids(jobs)); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
		one, err := c.Job(t.Context(), owner, repo, 250)
		if err != nil || string(jobs[249].Raw) != string(one.Raw) {
			t.Errorf("listed as\n%s\nalone as\n%s\n%v", jobs[249].Raw, one.Raw, err)
		}
	}
	if n := gh.Requests(); n[githubsim.EndpointRunJobs] != 3 || n[githubsim.EndpointAttemptJobs] != 3 {
		t.Errorf("requests %v, want three of each: pages of 100", n)
	}
}

func TestFilterAndAttemptChooseJobs(t *testing.T) {
	gh := simulate(t, githubsim.Options{})
	for id, attempt := range map[int64]int64{1: 1, 2: 1, 3: 2} {
		j := completed(id, githubsim.Log{})
		j.RunAttempt = attempt
		gh.AddJob(j)
	}
	// What a re-run did not run again is listed with it, and says it ran before.
	carried := completed(4, githubsim.Log{})
	carried.ListedAttempt = 2
	gh.AddJob(carried)
	c := ask(t, gh)
	for name, test := range map[string]struct {
		list iter.Seq2[ghapi.JobPage, error]
		want int
	}{
		"latest":    {c.RunJobs(t.Context(), owner, repo, 100, "latest"), 2},
		"all":       {c.RunJobs(t.Context(), owner, repo, 100, ghapi.FilterAll), 4},
		"attempt 1": {c.AttemptJobs(t.Context(), owner, repo, 100, 1, ""), 2},
		"attempt 2": {c.AttemptJobs(t.Context(), owner, repo, 100, 2, ""), 2},
	} {
		if jobs, err := collect(test.list); len(jobs) != test.want || err != nil {
			t.Errorf("%s: jobs %v, %v; want %d", name, ids(jobs), err, test.want)
		}
	}
	_, err := collect(c.AttemptJobs(t.Context(), owner, repo, 100, 3, ""))
	refusal(t, err, ghapi.NotFound, 404, "run 100 attempt 3")
	_, err = collect(c.RunJobs(t.Context(), owner, repo, 999, ghapi.FilterAll))
	refusal(t, err, ghapi.NotFound, 404, "run 999")
}

// gitea lists jobs as Gitea does: it knows no per_page, and its links are its
// own. Sizes are those of the pages.
func gitea(t testing.TB, sizes ...int) (base string, asked *[]string) {
	t.Helper()
	asked = new([]string)
	var s *httptest.Server
	s = serve(t, func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.URL.RequestURI())
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		page = max(page, 1)
		first := 0
		for _, size := range sizes[:page-1] {
			first += size
		}
		var jobs []string
		for i := range sizes[page-1] {
			jobs = append(jobs, fmt.Sprintf(` { "id" : %d } `, first+i+1))
		}
		var links []string
		if page < len(sizes) {
			links = append(links, fmt.Sprintf(`<%s%s?limit=2&page=%d>; rel="next"`, s.URL, r.URL.Path, page+1),
				fmt.Sprintf(`<%s%s?limit=2&page=%d>; rel="last"`, s.URL, r.URL.Path, len(sizes)))
		}
		if page > 1 {
			links = append(links, fmt.Sprintf(`<%s%s?limit=2&page=1>; rel="first"`, s.URL, r.URL.Path))
		}
		if len(links) > 0 {
			w.Header().Set("Link", strings.Join(links, ","))
		}
		fmt.Fprintf(w, `{"total_count":1,"jobs":[%s]}`, strings.Join(jobs, ","))
	})
	return s.URL + "/api/v1", asked
}

// How many jobs a page has, and how many there are to be, says nothing.
func TestListingFollowsTheLinkAlone(t *testing.T) {
	base, asked := gitea(t, 2, 2, 0, 1, 2)
	jobs, err := collect(clientOf(t, ghapi.Config{BaseURL: base}).RunJobs(t.Context(), owner, repo, 100, ghapi.FilterAll))
	if diff := cmp.Diff(upTo(7), ids(jobs)); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if string(jobs[6].Raw) != `{ "id" : 7 }` {
		t.Errorf("the bytes of job 7 are %q", jobs[6].Raw)
	}
	const path = "/api/v1/repos/acme/rocket/actions/runs/100/jobs?"
	want := []string{
		path + "filter=all&limit=100&per_page=100", path + "limit=2&page=2", path + "limit=2&page=3", path + "limit=2&page=4", path + "limit=2&page=5",
	}
	if diff := cmp.Diff(want, *asked); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestListingStopsWithItsReader(t *testing.T) {
	base, asked := gitea(t, 2, 2, 2)
	for p, err := range clientOf(t, ghapi.Config{BaseURL: base}).AttemptJobs(t.Context(), owner, repo, 100, 1, "") {
		check(t, err)
		if p.Jobs[1].GetID() == 2 {
			break
		}
	}
	if len(*asked) != 1 {
		t.Errorf("requests %v, want the first page only", *asked)
	}
}

func TestListingThatFailsInTheMiddleSaysSo(t *testing.T) {
	gh := simulate(t, githubsim.Options{})
	for _, id := range upTo(150) {
		gh.AddJob(completed(id, githubsim.Log{}))
	}
	c := ask(t, gh)
	var seen int
	for _, err := range c.RunJobs(t.Context(), owner, repo, 100, ghapi.FilterAll) {
		if seen++; seen == 1 {
			gh.Inject(githubsim.Fault{Endpoint: githubsim.EndpointRunJobs, Kind: githubsim.ServerError})
		}
		if err != nil {
			refusal(t, err, ghapi.Transient, 500, "list jobs of run 100")
		}
	}
	if seen != 2 {
		t.Errorf("%d pages and errors, want the first page and one error", seen)
	}
	broken := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"jobs":[{"id":1},{"id":"two"}]}`) })
	_, err := collect(clientOf(t, ghapi.Config{BaseURL: broken.URL}).RunJobs(t.Context(), owner, repo, 100, ghapi.FilterAll))
	refusal(t, err, ghapi.Transient, -1, "not the JSON expected")
}
