package rest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"
	"github.com/klauspost/compress/zstd"

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

func TestLogsThatAreNotAvailableSayWhy(t *testing.T) {
	f := newFixture(t)
	id := int64(0)
	for state, want := range map[string]int{store.LogExpired: 410, store.LogMissing: 404, store.LogNone: 404, store.LogDenied: 404, store.LogPending: 404} {
		id++
		f.Record(f.Facts(id))
		if state != store.LogPending {
			f.Settle(store.Settlement{JobID: id, State: state, Reason: "because of " + state})
		}
		f.want(f.get(fmt.Sprintf("/repos/acme/rocket/actions/jobs/%d/logs", id)), want, "it is "+state)
		if state != store.LogPending {
			f.want(f.get(fmt.Sprintf("/repos/acme/rocket/actions/jobs/%d/logs", id)), want, "because of "+state)
		}
	}
}

func manyLines(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "2024-07-08T16:48:09.3750041Z line %d of many, with some text to fill the frames\n", i+1)
	}
	return b.Bytes()
}

func TestPartsOfALog(t *testing.T) {
	f := newFixture(t)
	raw := manyLines(40_000)
	f.Record(f.Facts(31, "a", "b", "c"))
	f.Log(31, raw, store.StepLines{Number: 1, First: 1, Last: 10}, store.StepLines{Number: 2, First: 11, Last: 40_000})
	lines := strings.SplitAfter(string(raw), "\n")
	const path = "/repos/acme/rocket/actions/jobs/31/logs"
	for query, want := range map[string]string{
		"": string(raw), "?lines=5-7": strings.Join(lines[4:7], ""), "?lines=39999-": strings.Join(lines[39998:], ""), "?lines=20000": lines[19999],
		"?lines=50000-": "", "?step=1": strings.Join(lines[:10], ""), "?step=2": strings.Join(lines[10:], ""),
	} {
		a := f.log(path + query)
		if a.StatusCode != 200 || a.body != want {
			t.Errorf("%s: %d, %d bytes, want %d", query, a.StatusCode, len(a.body), len(want))
		}
		if a.Header.Get("Content-Type") != "text/plain; charset=utf-8" || a.Header.Get("X-Content-Type-Options") != "nosniff" || a.Header.Get("ETag") == "" {
			t.Errorf("%s: %v", query, a.Header)
		}
		// The same, compressed.
		for _, coding := range []string{"gzip", "zstd"} {
			a := f.log(path+query, "Accept-Encoding", "br, "+coding+";q=0.5")
			if got, err := decoded(a); err != nil || got != want {
				t.Errorf("%s in %s: %d bytes, want %d: %v", query, coding, len(got), len(want), err)
			}
			again := f.log(path+query, "Accept-Encoding", coding, "If-None-Match", a.Header.Get("ETag"))
			f.want(again, 304)
		}
	}
	f.want(f.log(path, "If-None-Match", f.log(path).Header.Get("ETag")), 304)
	for query, want := range map[string]string{
		"?lines=0": "want lines from 1", "?lines=5-4": "want lines", "?lines=x": "want lines", "?step=x": "number of a step", "?lines=1&step=1": "only one",
	} {
		f.want(f.get(path+query), 422, want)
	}
	f.want(f.get(path+"?step=3"), 404, "has no lines")
	f.want(f.get(path+"?step=9"), 404, "no step 9")
	if a := f.log(path, "Accept-Encoding", "zstd;q=0, gzip;q=0.0"); a.Header.Get("Content-Encoding") != "" {
		t.Error("a coding that the client does not take")
	}
}

func decoded(a answer) (string, error) {
	var r io.Reader
	var err error
	switch a.Header.Get("Content-Encoding") {
	case "gzip":
		r, err = gzip.NewReader(strings.NewReader(a.body))
	case "zstd":
		r, err = zstd.NewReader(strings.NewReader(a.body))
	default:
		err = fmt.Errorf("coding %q", a.Header.Get("Content-Encoding"))
	}
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(r)
	return string(b), err
}

func TestRangesOfALog(t *testing.T) {
	f := newFixture(t)
	raw := manyLines(40_000)
	f.Record(f.Facts(31))
	f.Log(31, raw)
	size := len(raw)
	for header, want := range map[string][2]int{
		"bytes=0-0": {0, 1}, "bytes=100-199": {100, 200}, "bytes=1048570-1048590": {1048570, 1048591}, "bytes=-5": {size - 5, size},
		"bytes=3000000-": {3000000, size}, fmt.Sprintf("bytes=%d-", size-1): {size - 1, size}, "bytes=2000000-99999999999": {2000000, size},
	} {
		a := f.log("/repos/acme/rocket/actions/jobs/31/logs", "Range", header, "Accept-Encoding", "gzip")
		if a.StatusCode != 206 || a.body != string(raw[want[0]:want[1]]) {
			t.Errorf("%s: %d, %d bytes", header, a.StatusCode, len(a.body))
		}
		if got := a.Header.Get("Content-Range"); got != fmt.Sprintf("bytes %d-%d/%d", want[0], want[1]-1, size) {
			t.Errorf("%s: Content-Range %s", header, got)
		}
	}
	if a := f.log("/repos/acme/rocket/actions/jobs/31/logs", "Range", "bytes=99999999-"); a.StatusCode != 416 {
		t.Errorf("beyond the end: %d", a.StatusCode)
	}
	for _, header := range []string{"bytes=0-3,10-13", "bytes=", "bytes=-", "bytes=9-3", "lines=1-2", "bytes=a-b", "bytes=-0", "bytes=99999999999999999999-"} {
		if a := f.log("/repos/acme/rocket/actions/jobs/31/logs", "Range", header); a.StatusCode != 200 || len(a.body) != size {
			t.Errorf("%s: %d, %d bytes, want all", header, a.StatusCode, len(a.body))
		}
	}
	a := f.log("/repos/acme/rocket/actions/jobs/31/logs", "Range", "bytes=0-3", "If-Range", `"another"`)
	if a.StatusCode != 200 || len(a.body) != size {
		t.Errorf("of another log: %d, %d bytes", a.StatusCode, len(a.body))
	}
}

func TestLinksAreGoodForAMinuteAndForWhatTheyWereMadeFor(t *testing.T) {
	f := newFixture(t)
	for _, id := range []int64{31, 32} {
		f.Record(f.Facts(id))
		f.Log(id, manyLines(100))
	}
	link := f.get("/repos/acme/rocket/actions/jobs/31/logs?lines=1-2").Header.Get("Location")
	f.want(f.get(link), 200)
	u, err := url.Parse(link)
	f.Check(err)
	changed := func(path, name, value string) string {
		c := *u
		if path != "" {
			c.Path = path
		}
		q := u.Query()
		q.Set(name, value)
		c.RawQuery = q.Encode()
		return c.String()
	}
	for what, forged := range map[string]string{
		"another job":      changed("/api/v3/logs/32", "lines", "1-2"),
		"more lines":       changed("", "lines", "1-100"),
		"a longer life":    changed("", "expires", "99999999999"),
		"somebody else":    changed("", "subject", "token x"),
		"no signature":     changed("", "signature", ""),
		"another":          changed("", "signature", strings.Repeat("A", 43)),
		"a step besides":   changed("", "step", "1"),
		"a second value":   link + "&lines=1-100",
		"an unknown job":   changed("/api/v3/logs/99", "lines", "1-2"),
		"nothing at all":   f.url + "/api/v3/logs/31",
		"a number, nearly": changed("/api/v3/logs/031x", "lines", "1-2"),
	} {
		a := f.get(forged)
		if a.StatusCode != 403 || !strings.Contains(a.body, "not made by jobvault") {
			t.Errorf("%s: %d %s", what, a.StatusCode, a.body)
		}
	}
	f.later(59 * time.Second)
	f.want(f.get(link), 200)
	f.later(2 * time.Second)
	f.want(f.get(link), 403, "expired")
}

func TestEveryReadingIsRecorded(t *testing.T) {
	f := newFixture(t)
	f.Record(f.Facts(31, "a"))
	f.Log(31, manyLines(100), store.StepLines{Number: 1, First: 1, Last: 100})
	const path = "/repos/acme/rocket/actions/jobs/31/logs"
	f.log(path)
	f.log(path + "?lines=1-5")
	f.log(path + "?step=1")
	f.log(path, "Range", "bytes=0-9")
	f.get(path) // is no reading
	f.log(path, "Range", "bytes=90-99999")
	f.log(path, "Range", "bytes=0-0,5-9")                      // all is sent
	f.log(path, "Range", "bytes=0-0", "If-Range", `"another"`) // so it is here
	f.log(path, "Range", "bytes=99999-")                       // is no reading either
	rows, err := f.DB.Pool().Query(t.Context(), `SELECT subject || ': ' || job_id || ': ' || what FROM reads ORDER BY at`)
	f.Check(err)
	var got []string
	for rows.Next() {
		var s string
		f.Check(rows.Scan(&s))
		got = append(got, s)
	}
	want := []string{"loopback: 31: whole", "loopback: 31: lines 1-5", "loopback: 31: step 1", "loopback: 31: bytes 0-9", "loopback: 31: bytes 90-7991", "loopback: 31: whole", "loopback: 31: whole"}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A log that is not there at all is an answer, not an end.
func TestALostLogIsAnError(t *testing.T) {
	f := newFixture(t)
	f.Record(f.Facts(31))
	log := f.Log(31, manyLines(100))
	f.Check(f.Archive.Bucket().Remove(t.Context(), log.Key))
	for _, header := range [][]string{{"Range", ""}, {"Range", "bytes=0-9"}, {"Range", "bytes=-5"}, {"Accept-Encoding", "gzip"}, {"Accept-Encoding", "zstd"}} {
		for _, part := range []string{"", "?lines=2-3"} {
			a := f.log("/repos/acme/rocket/actions/jobs/31/logs"+part, header...)
			f.want(a, 503, "cannot answer now")
			if a.Header.Get("ETag") != "" || a.Header.Get("Content-Range") != "" || a.Header.Get("Content-Encoding") != "" {
				t.Errorf("%v: headers of a log: %v", header, a.Header)
			}
		}
	}
}

// A log that is damaged ends in an error, not in an end.
func TestADamagedLogIsNoShorterLog(t *testing.T) {
	f := newFixture(t)
	f.Record(f.Facts(31))
	log := f.Log(31, manyLines(40_000))
	bucket := f.Archive.Bucket()
	f.Check(bucket.Remove(t.Context(), log.Key))
	if _, err := bucket.Put(t.Context(), log.Key, strings.NewReader("no zstd at all")); err != nil {
		t.Fatal(err)
	}
	link := f.get("/repos/acme/rocket/actions/jobs/31/logs").Header.Get("Location")
	for _, coding := range []string{"identity", "gzip", "zstd"} {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, link, nil)
		f.Check(err)
		req.Header.Set("Accept-Encoding", coding)
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		if err == nil && resp.StatusCode == http.StatusOK {
			t.Errorf("%s: the client is told nothing", coding)
		}
	}
}

// The server's time-outs are for requests and short answers: a log may take as long
// as it needs, as long as it moves.
func TestALongReadOutlivesTheTimeOutsOfRequests(t *testing.T) {
	f := newFixture(t)
	f.Record(f.Facts(31))
	raw := manyLines(400_000) // more than sockets hold
	f.Log(31, raw)
	h, err := rest.New(t.Context(), rest.Config{
		DB: f.DB, Gate: access.Loopback(f.DB), Logger: testenv.Logger(t), Base: func(req *http.Request) string { return "http://" + req.Host },
		Sender:   lookup.NewSender(lookup.Logs{DB: f.DB, Archive: f.Archive}, testenv.Logger(t)),
		Searcher: search.NewLimitedSearcher(lookup.Logs{DB: f.DB, Archive: f.Archive}),
	})
	f.Check(err)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		h.ServeHTTP(w, req)
		// Which a bucket far away would heed.
		if err := req.Context().Err(); err != nil {
			t.Errorf("%s: %v", req.URL.Path, err)
		}
	}))
	server.Config.ReadTimeout, server.Config.WriteTimeout = 300*time.Millisecond, 300*time.Millisecond
	server.Start()
	defer server.Close()
	for _, header := range []string{"", "bytes=1-"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/v3/jobs/31/logs", nil)
		f.Check(err)
		if header != "" {
			req.Header.Set("Range", header)
		}
		client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
		resp, err := client.Do(req)
		f.Check(err)
		got := 0
		b := make([]byte, 64<<10)
		tick := time.NewTicker(10 * time.Millisecond)
		for begun := time.Now(); time.Since(begun) < time.Second; <-tick.C {
			n, err := io.ReadFull(resp.Body, b)
			f.Check(err)
			got += n
		}
		tick.Stop()
		rest, err := io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if want := len(raw) - len(header)/8; err != nil || got+int(rest) != want {
			t.Errorf("%q: %d bytes of %d: %v", header, got+int(rest), want, err)
		}
	}
}
