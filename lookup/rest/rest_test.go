package rest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/lookup/access"
	"github.com/jobvault/jobvault/lookup/rest"
	"github.com/jobvault/jobvault/lookup/search"
	"github.com/jobvault/jobvault/store"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// fixture is the API over a vault, for whoever calls from this machine.
type fixture struct {
	*testenv.Vault
	url string
	now atomic.Pointer[time.Time]
}

func newFixture(t testing.TB) *fixture {
	v := testenv.NewVault(t)
	return serve(t, v, access.Loopback(v.DB))
}

func serve(t testing.TB, v *testenv.Vault, gate *access.Gate) *fixture {
	t.Helper()
	f := &fixture{Vault: v}
	f.now.Store(new(time.Now()))
	h, err := rest.New(t.Context(), rest.Config{
		DB: v.DB, Gate: gate, Logger: testenv.Logger(t), Now: func() time.Time { return *f.now.Load() },
		Sender:   lookup.NewSender(lookup.Logs{DB: v.DB, Archive: v.Archive}, testenv.Logger(t)),
		Searcher: search.NewLimitedSearcher(lookup.Logs{DB: v.DB, Archive: v.Archive}),
		Base:     func(req *http.Request) string { return "http://" + req.Host },
	})
	v.Check(err)
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

// later moves the clock of links.
func (f *fixture) later(d time.Duration) { f.now.Store(new(f.now.Load().Add(d))) }

// client is go-github, told of another server and otherwise unchanged.
func (f *fixture) client() *github.Client {
	f.T.Helper()
	c, err := github.NewClient(nil).WithEnterpriseURLs(f.url, f.url)
	f.Check(err)
	return c
}

// answer is what came back.
type answer struct {
	*http.Response
	body string
}

// get asks for a path, and follows no redirect. Headers are name, value, ….
func (f *fixture) get(path string, headers ...string) answer {
	f.T.Helper()
	if !strings.HasPrefix(path, "http") {
		path = f.url + "/api/v3" + path
	}
	req, err := http.NewRequestWithContext(f.T.Context(), http.MethodGet, path, nil)
	f.Check(err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	transport := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	f.Check(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	f.Check(err)
	return answer{resp, string(b)}
}

// log asks for a log and then for what the answer links to.
func (f *fixture) log(path string, headers ...string) answer {
	f.T.Helper()
	a := f.get(path)
	if a.StatusCode != http.StatusFound {
		return a
	}
	return f.get(a.Header.Get("Location"), headers...)
}

func (f *fixture) want(a answer, status int, parts ...string) {
	f.T.Helper()
	if a.StatusCode != status {
		f.T.Errorf("%s: %d, want %d: %.300s", a.Request.URL.Path, a.StatusCode, status, a.body)
	}
	for _, part := range parts {
		if !strings.Contains(a.body, part) {
			f.T.Errorf("%s: %q is not in: %.300s", a.Request.URL.Path, part, a.body)
		}
	}
	if status >= 400 {
		var body struct {
			Message          string
			DocumentationURL string `json:"documentation_url"`
			Status           string
		}
		if err := json.Unmarshal([]byte(a.body), &body); err != nil || body.Message == "" || body.DocumentationURL == "" || body.Status != strconv.Itoa(status) {
			f.T.Errorf("%s: an error that is not as GitHub's: %.300s", a.Request.URL.Path, a.body)
		}
	}
}

func TestGoGitHubReadsAJobAsItWasSent(t *testing.T) {
	f := newFixture(t)
	facts := f.Facts(31, "Set up job", "Run make")
	f.Record(facts)
	f.Log(31, []byte("2024-07-08T16:48:09.3750041Z hello\n"))
	for _, name := range []string{"acme/rocket", "ACME/Rocket"} {
		owner, repo, _ := strings.Cut(name, "/")
		job, resp, err := f.client().Actions.GetWorkflowJobByID(t.Context(), owner, repo, 31)
		f.Check(err)
		stamp := func(p *time.Time) *github.Timestamp { return &github.Timestamp{Time: *p} }
		want := &github.WorkflowJob{
			ID: &facts.Job.ID, RunID: &facts.Job.RunID, RunURL: new(f.url + "/api/v3/repos/acme/rocket/actions/runs/2"), NodeID: facts.Job.NodeID,
			HeadBranch: facts.Run.HeadBranch, HeadSHA: facts.Run.HeadSHA, URL: new(f.url + "/api/v3/repos/acme/rocket/actions/jobs/31"),
			HTMLURL: facts.Job.HTMLURL, Status: &facts.Job.Status, Conclusion: facts.Job.Conclusion, CreatedAt: stamp(facts.Job.CreatedAt),
			StartedAt: stamp(facts.Job.StartedAt), CompletedAt: stamp(facts.Job.CompletedAt), Name: &facts.Job.Name, CheckRunURL: facts.Job.CheckRunURL,
			Labels: facts.Labels, RunnerID: facts.Job.RunnerID, RunnerName: facts.Job.RunnerName, RunnerGroupID: facts.Job.RunnerGroupID,
			RunnerGroupName: facts.Job.RunnerGroupName, RunAttempt: facts.Job.RunAttempt, WorkflowName: facts.Run.WorkflowName,
		}
		for _, s := range facts.Steps {
			want.Steps = append(want.Steps, &github.TaskStep{
				Name: &s.Name, Status: &s.Status, Conclusion: s.Conclusion, Number: &s.Number, StartedAt: stamp(s.StartedAt), CompletedAt: stamp(s.CompletedAt),
			})
		}
		if diff := gocmp.Diff(want, job); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if resp.Header.Get("ETag") == "" {
			t.Error("no ETag")
		}
	}
	link, _, err := f.client().Actions.GetWorkflowJobLogs(t.Context(), "acme", "rocket", 31, 1)
	f.Check(err)
	f.want(f.get(link.String()), 200, "hello")
	a := f.get("/repos/acme/rocket/actions/jobs/31")
	f.want(f.get("/repos/acme/rocket/actions/jobs/31", "If-None-Match", a.Header.Get("ETag")), 304)
}

// Against the schema that GitHub publishes.
func TestAnswersFitTheSchema(t *testing.T) {
	f := newFixture(t)
	schema := testenv.Schema(t, "job.schema.json")
	f.Record(f.Facts(31, "Set up job", "Run make"))
	waiting := f.Facts(32)
	waiting.Job.Status, waiting.Job.Conclusion, waiting.Job.CompletedAt, waiting.Labels = "queued", nil, nil, nil
	waiting.Job.RunnerID, waiting.Job.RunnerName, waiting.Job.RunnerGroupID, waiting.Job.RunnerGroupName = nil, nil, nil, nil
	waiting.Run.WorkflowName, waiting.Run.HeadBranch, waiting.Job.RunAttempt = nil, nil, nil
	waiting.Run.ID, waiting.Job.RunID = 3, 3
	f.Record(waiting)
	for _, id := range []int{31, 32} {
		testenv.Validate(t, schema, []byte(f.get(fmt.Sprintf("/repos/acme/rocket/actions/jobs/%d", id)).body))
	}
	var list struct{ Jobs []json.RawMessage }
	f.Check(json.Unmarshal([]byte(f.get("/repos/acme/rocket/actions/runs/3/jobs").body), &list))
	for _, j := range list.Jobs {
		testenv.Validate(t, schema, j)
	}
	if len(list.Jobs) != 1 {
		t.Errorf("%d jobs", len(list.Jobs))
	}
}

// attempts writes jobs of run 2: ten of the first attempt, three of the second.
func (f *fixture) attempts() {
	for i := range int64(13) {
		facts := f.Facts(100 + i)
		facts.Job.RunAttempt = new(1 + i/10)
		f.Record(facts)
	}
}

func ids(jobs *github.Jobs) []int64 {
	var out []int64
	for _, j := range jobs.Jobs {
		out = append(out, j.GetID())
	}
	return out
}

func TestGoGitHubListsJobsOfRunsAndAttempts(t *testing.T) {
	f := newFixture(t)
	f.attempts()
	actions := f.client().Actions
	for name, c := range map[string]struct {
		list  func() (*github.Jobs, *github.Response, error)
		want  []int64
		total int
	}{
		"latest": {func() (*github.Jobs, *github.Response, error) {
			return actions.ListWorkflowJobs(t.Context(), "acme", "rocket", 2, nil)
		}, []int64{110, 111, 112}, 3},
		"all, third page": {func() (*github.Jobs, *github.Response, error) {
			return actions.ListWorkflowJobs(t.Context(), "acme", "rocket", 2, &github.ListWorkflowJobsOptions{Filter: "all", ListOptions: github.ListOptions{Page: 3, PerPage: 4}})
		}, []int64{108, 109, 110, 111}, 13},
		"first attempt": {func() (*github.Jobs, *github.Response, error) {
			return actions.ListWorkflowJobsAttempt(t.Context(), "acme", "rocket", 2, 1, &github.ListOptions{PerPage: 100})
		}, []int64{100, 101, 102, 103, 104, 105, 106, 107, 108, 109}, 10},
		"beyond the end": {func() (*github.Jobs, *github.Response, error) {
			return actions.ListWorkflowJobsAttempt(t.Context(), "acme", "rocket", 2, 1, &github.ListOptions{Page: 50})
		}, nil, 10},
	} {
		jobs, _, err := c.list()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := gocmp.Diff(c.want, ids(jobs)); diff != "" || jobs.GetTotalCount() != c.total {
			t.Errorf("%s: %d in all (-want +got):\n%s", name, jobs.GetTotalCount(), diff)
		}
	}
	// As programs go through a listing.
	var all []int64
	options := &github.ListWorkflowJobsOptions{Filter: "all", ListOptions: github.ListOptions{PerPage: 5}}
	for {
		jobs, resp, err := actions.ListWorkflowJobs(t.Context(), "acme", "rocket", 2, options)
		f.Check(err)
		all = append(all, ids(jobs)...)
		if resp.NextPage == 0 {
			break
		}
		options.Page = resp.NextPage
	}
	if len(all) != 13 || all[12] != 112 {
		t.Errorf("page by page: %v", all)
	}
}

func TestAbsurdPagesAreTheNearestThatThereAre(t *testing.T) {
	f := newFixture(t)
	f.attempts()
	for query, want := range map[string]int{
		"per_page=0": 13, "per_page=-1": 13, "per_page=x": 13, "per_page=99999999999999999999999": 13, "per_page=2": 2, "per_page=1000000": 13,
		"page=0": 13, "page=-5": 13, "page=99999999999999999999999": 0, "page=x": 13, "per_page=100&page=9223372036854775807": 0,
	} {
		a := f.get("/repos/acme/rocket/actions/runs/2/jobs?filter=all&" + query)
		f.want(a, 200)
		var list struct{ Jobs []struct{ ID int64 } }
		f.Check(json.Unmarshal([]byte(a.body), &list))
		if len(list.Jobs) != want {
			t.Errorf("%s: %d jobs, want %d", query, len(list.Jobs), want)
		}
	}
	a := f.get("/repos/acme/rocket/actions/runs/2/jobs?filter=all&per_page=5&page=2")
	want := fmt.Sprintf(`<%[1]s&page=1&per_page=5>; rel="prev", <%[1]s&page=3&per_page=5>; rel="next", <%[1]s&page=3&per_page=5>; rel="last", <%[1]s&page=1&per_page=5>; rel="first"`,
		f.url+"/api/v3/repos/acme/rocket/actions/runs/2/jobs?filter=all")
	if diff := gocmp.Diff(want, a.Header.Get("Link")); diff != "" {
		t.Errorf("Link (-want +got):\n%s", diff)
	}
}

func TestUnknownThingsAreNotFound(t *testing.T) {
	f := newFixture(t)
	f.Record(f.Facts(31))
	other := f.Facts(32)
	other.Repository, other.Job.RepositoryID = store.Repository{ID: 9, Owner: "acme", Name: "other", SeenAt: f.At}, 9
	other.Run.ID, other.Job.RunID, other.Run.RepositoryID = 3, 3, 9
	f.Record(other)
	for _, path := range []string{
		"/repos/acme/rocket/actions/jobs/99", "/repos/acme/rocket/actions/jobs/0", "/repos/acme/rocket/actions/jobs/-1",
		"/repos/acme/rocket/actions/jobs/x", "/repos/acme/rocket/actions/jobs/99999999999999999999", "/repos/acme/none/actions/jobs/31",
		"/repos/acme/rocket/actions/jobs/32", "/repos/acme/rocket/actions/runs/3/jobs", "/repos/acme/rocket/actions/runs/99/jobs",
		"/repos/acme/rocket/actions/runs/2/attempts/2/jobs", "/repos/acme/rocket/actions/runs/2/attempts/0/jobs",
		"/repos/acme/rocket/actions/runs/2/attempts/-1/jobs", "/repos/acme/rocket/actions/runs/2/attempts/x/jobs",
		"/repos/acme/%00/actions/jobs/31", "/repos/%2e%2e/rocket/actions/jobs/31", "/repos/acme/..%2f..%2frocket/actions/jobs/31",
		"/repos/acme/rocket/actions/jobs/31%2flogs", "/", "/user", "/repos/acme/rocket", "/repos/acme%2frocket/rocket/actions/jobs/31",
	} {
		f.want(f.get(path), 404, notFoundMessage)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, f.url+"/api/v3/repos/acme/rocket/actions/jobs/31", nil)
	f.Check(err)
	resp, err := http.DefaultClient.Do(req)
	f.Check(err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("DELETE: %d", resp.StatusCode)
	}
}

const notFoundMessage = `"message":"Not Found"`

// A renamed repository is found under both names, and its job leads to the new one;
// a name that another took is the other's, and of those who had it.
func TestRenamedRepositoriesKeepTheirNames(t *testing.T) {
	f := newFixture(t)
	f.Record(f.Facts(31))
	rename := func(id int64, owner, name string) {
		_, err := f.DB.SeeRepositories(t.Context(), []store.Repository{{ID: id, Owner: owner, Name: name}})
		f.Check(err)
	}
	rename(1, "acme", "missile")
	for _, name := range []string{"acme/rocket", "acme/missile", "Acme/ROCKET"} {
		f.want(f.get("/repos/"+name+"/actions/jobs/31"), 200, "/repos/acme/missile/actions/jobs/31")
	}
	rename(9, "acme", "rocket")
	other := f.Facts(32)
	other.Repository, other.Job.RepositoryID = store.Repository{ID: 9, Owner: "acme", Name: "rocket", SeenAt: time.Now()}, 9
	other.Run.ID, other.Job.RunID, other.Run.RepositoryID = 3, 3, 9
	f.Record(other)
	f.want(f.get("/repos/acme/rocket/actions/jobs/31"), 200)
	f.want(f.get("/repos/acme/rocket/actions/jobs/32"), 200)
	f.want(f.get("/repos/acme/missile/actions/jobs/32"), 404)
}

// Lists of jobs and of uses carry what started the runs, and are filtered by it.
func TestListsByWhatStartedTheRuns(t *testing.T) {
	f := newFixture(t)
	for id := range int64(2) {
		facts := f.Facts(31 + id)
		facts.Job.RunID, facts.Run.ID = 2+id, 2+id
		f.Record(facts)
		f.Settle(store.Settlement{JobID: 31 + id, State: store.LogNone, Usage: &joblog.Usage{Actions: []joblog.Action{{Line: 1, Name: "acme/lint", Ref: "v1", InSetup: true}}}})
	}
	f.Check(f.DB.RecordRuns(t.Context(), []store.ListedRun{{
		ID: 2, RepositoryID: 1, Origin: store.RunOrigin{Event: new("pull_request_target"), Actor: new("mallory"), HeadRepositoryID: new(int64(66)), RunNumber: new(int64(41))},
		Attempt: store.RunAttemptFacts{RunAttempt: 1, TriggeringActor: new("Mona")},
	}}))
	f.want(f.get("/jobs?event=pull_request_target&fork=1&actor=mona"), 200,
		`"id":31`, `"event":"pull_request_target","actor":"mallory","triggering_actor":"Mona","from_fork":true,"path":null,"display_title":null,"run_number":41`)
	f.want(f.get("/jobs"), 200, `"id":32`, `"event":null,"actor":null,"triggering_actor":null,"from_fork":null`)
	f.want(f.get("/uses?action=acme/lint&event=pull_request_target&fork=1"), 200, `"jobs":1`, `"last_job":31`, `"last_event":"pull_request_target","last_actor":"mallory"`)
	f.want(f.get("/uses?action=acme/lint"), 200, `"jobs":2`, `"last_job":32`, `"last_event":null,"last_actor":null`)
	for path, unknown := range map[string]string{
		"/jobs?event=push": `"unknown":{"not_listed":1}`, "/jobs?actor=mona": `"unknown":{"not_listed":1}`, "/jobs?event=push&log=archived": `"unknown":{"not_listed":0}`,
		"/jobs?fork=1&run=2": `"unknown":{"not_listed":0}`, "/jobs?event=push&after=.9": "", "/jobs?run=3": "",
	} {
		if a := f.get(path); a.StatusCode != 200 || !strings.Contains(a.body, unknown) || unknown == "" && strings.Contains(a.body, "unknown") {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.body)
		}
	}
	for _, path := range []string{"/jobs?event=push", "/jobs?actor=mal", "/uses?action=acme/lint&actor=hubot"} {
		if a := f.get(path); a.StatusCode != 200 || strings.Contains(a.body, `acme`) {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.body)
		}
	}
	f.want(f.get("/jobs?fork=yes"), 422, "want 1 or 0")
	f.want(f.get("/uses?action=acme/lint&fork=yes"), 422, "want 1 or 0")
}
