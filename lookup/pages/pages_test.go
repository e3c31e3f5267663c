package pages_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/lookup/access"
	"github.com/jobvault/jobvault/lookup/pages"
	"github.com/jobvault/jobvault/lookup/search"
	"github.com/jobvault/jobvault/store"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// fixture is the pages over a vault.
type fixture struct {
	*testenv.Vault
	url string
}

func newFixture(t testing.TB) *fixture {
	v := testenv.NewVault(t)
	return serve(t, v, access.Loopback(v.DB))
}

func serve(t testing.TB, v *testenv.Vault, gate *access.Gate) *fixture {
	t.Helper()
	h, err := pages.New(pages.Config{
		DB: v.DB, Gate: gate, Logger: testenv.Logger(t), Now: func() time.Time { return v.At.Add(time.Hour) },
		Sender:   lookup.NewSender(lookup.Logs{DB: v.DB, Archive: v.Archive}, testenv.Logger(t)),
		Searcher: search.NewLimitedSearcher(lookup.Logs{DB: v.DB, Archive: v.Archive}),
	})
	v.Check(err)
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return &fixture{Vault: v, url: server.URL}
}

type answer struct {
	*http.Response
	body string
}

// get asks for a path and follows no redirect.
func (f *fixture) get(path string, headers ...string) answer {
	f.T.Helper()
	req, err := http.NewRequestWithContext(f.T.Context(), http.MethodGet, f.url+path, nil)
	f.Check(err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return f.do(req)
}

func (f *fixture) do(req *http.Request) answer {
	f.T.Helper()
	resp, err := http.DefaultTransport.RoundTrip(req)
	f.Check(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	f.Check(err)
	return answer{resp, string(b)}
}

func (f *fixture) want(a answer, status int, parts ...string) {
	f.T.Helper()
	if a.StatusCode != status {
		f.T.Errorf("%s: %d, want %d: %.300s", a.Request.URL, a.StatusCode, status, a.body)
	}
	for _, part := range parts {
		if !strings.Contains(a.body, part) {
			f.T.Errorf("%s: %q is not in:\n%.2000s", a.Request.URL, part, a.body)
		}
	}
}

func stamped(lines ...string) []byte {
	var b bytes.Buffer
	for _, l := range lines {
		b.WriteString("2024-07-08T16:48:09.3750041Z " + l + "\n")
	}
	return b.Bytes()
}

const hostile = `<script>document.title='pwned'</script><img src=x onerror="document.title='pwned'">`

// Names and logs are hostile text: on no page are they anything else.
func TestHostileTextIsText(t *testing.T) {
	f := newFixture(t)
	facts := f.Facts(31, hostile, "b")
	facts.Job.Name, facts.Run.WorkflowName, facts.Run.HeadBranch, facts.Job.RunnerName = hostile, new(hostile), new(hostile), new(hostile)
	facts.Labels = []string{hostile}
	facts.Job.HTMLURL = new("javascript:alert(1)")
	facts.Job.Conclusion = new(`x"><script>`)
	f.Record(facts)
	evil := hostile + "\x1b]0;x\x07\u202e"
	f.started(2, store.RunStart{Event: &evil, Actor: &evil, TriggeringActor: new(evil + "2"), FromFork: new(true), Path: &evil, DisplayTitle: &evil})
	f.Log(31, stamped(hostile, "##[group]"+hostile, "##[error]"+hostile, "##[endgroup]",
		"\x1b]0;title\x07\x1b[2J\x1b[10A\x1b[31mred\x1b[0m \x1b]8;;javascript:alert(1)\x07link\x1b]8;;\x07 \x1b_bk;t=1\x07",
		"a\u202eb\u2066c\u200bd\xff\xfe\x00\x7f", "\x1b]1337;File=name=eA==;inline=1:PHN2Zz4=\x07", strings.Repeat("x", 450<<10)),
		store.StepLines{Number: 1, First: 1, Last: 8})
	for _, path := range []string{
		"/", "/overview", "/acme/rocket/runs/2", "/acme/rocket/jobs/31", "/acme/rocket/jobs/31?line=3", "/acme/rocket/jobs/31/find?q=script",
		"/?workflow=" + url.QueryEscape(hostile), "/acme/rocket/jobs/31/find?q=" + url.QueryEscape(hostile), "/?repository=" + url.QueryEscape(hostile),
	} {
		a := f.get(path)
		f.want(a, 200)
		for _, bad := range []string{"<script>document", "<img src=x", "<script>", "href=\"javascript:", "\x1b", "\u202e", "]0;x\x07", "\u2066", "\x00", "<svg>"} {
			if strings.Contains(strings.ReplaceAll(a.body, `<script src="/assets/`, ""), bad) {
				t.Errorf("%s: %q is in the page", path, bad)
			}
		}
		if len(a.body) > 200<<10 {
			t.Errorf("%s: %d bytes", path, len(a.body))
		}
		if csp := a.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: %s", path, csp)
		}
	}
	f.want(f.get("/acme/rocket/jobs/31"), 200, `<span class="x"><span class="term-fg31">red</span> link</span>`, "⟨U+202E⟩", "⟨U+200B⟩", "␀␡", "bytes more")
	raw := f.get("/acme/rocket/jobs/31/raw")
	f.want(raw, 200, hostile)
	if raw.Header.Get("Content-Type") != "text/plain; charset=utf-8" || !strings.Contains(raw.Header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("raw: %v", raw.Header)
	}
}

// started has a listing tell what started a run of acme/rocket, and its first attempt.
func (f *fixture) started(run int64, s store.RunStart) {
	head := int64(1)
	if s.IsFromFork() {
		head = 66
	}
	f.Check(f.DB.RecordRuns(f.T.Context(), []store.ListedRun{{
		ID: run, RepositoryID: 1,
		Origin:  store.RunOrigin{Event: s.Event, Actor: s.Actor, Path: s.Path, DisplayTitle: s.DisplayTitle, RunNumber: s.RunNumber, HeadRepositoryID: &head},
		Attempt: store.RunAttemptFacts{RunAttempt: 1, TriggeringActor: s.TriggeringActor},
	}}))
}

// Who and what started a run is on the pages of its jobs and of the run, and in lists; of
// a run that was not listed, nothing is said.
func TestPagesTellWhatStartedARun(t *testing.T) {
	f := newFixture(t)
	silent := f.Facts(40)
	silent.Job.RunID, silent.Run.ID = 3, 3
	f.Record(silent)
	f.Record(f.Facts(31))
	f.started(2, store.RunStart{
		Event: new("pull_request_target"), Actor: new("mallory"), TriggeringActor: new("mona"), FromFork: new(true), Path: new(".github/workflows/label.yml"),
		DisplayTitle: new("Fix & <b>typo</b>"), RunNumber: new(int64(41)),
	})
	for _, path := range []string{"/", "/acme/rocket/jobs/31", "/acme/rocket/runs/2"} {
		f.want(f.get(path), 200, "pull_request_target by mallory", "from a fork", "run by mona")
	}
	for _, path := range []string{"/acme/rocket/jobs/31", "/acme/rocket/runs/2"} {
		f.want(f.get(path), 200, "Fix &amp; &lt;b&gt;typo&lt;/b&gt;", "#41", ".github/workflows/label.yml")
	}
	for _, path := range []string{"/acme/rocket/jobs/40", "/acme/rocket/runs/3"} {
		if a := f.get(path); strings.Contains(a.body, "Started by") || strings.Contains(a.body, " by ") {
			t.Errorf("%s tells who started a run that was not listed", path)
		}
	}
	for query, want := range map[string]int{
		"event=pull_request_target": 1, "event=push": 0, "actor=Mallory": 1, "actor=MONA": 1, "actor=mal": 0, "fork=1": 1, "fork=0": 2, "fork=1&actor=hubot": 0,
		"event=pull_request_target&fork=1&actor=mona&repository=acme/rocket": 1,
	} {
		if got := strings.Count(f.get("/?"+query).body, `<td data-name="Job"`); got != want {
			t.Errorf("%s: %d jobs, want %d", query, got, want)
		}
	}
	f.want(f.get("/?fork=yes"), 400, "cannot be asked")
	f.want(f.get("/?event=push"), 200, "1 job is left out: it is not known what started it")
	for _, query := range []string{"event=push&run=2", "conclusion=success"} {
		if a := f.get("/?" + query); strings.Contains(a.body, "left out") {
			t.Errorf("%s: %s", query, a.body)
		}
	}
}

func TestJobsAreFoundByEachFilterAndPageByPage(t *testing.T) {
	f := newFixture(t)
	for i := range int64(120) {
		facts := f.Facts(1000 + i)
		facts.Job.CreatedAt = new(f.At.Add(time.Duration(i) * time.Minute / 10))
		if i%2 == 0 {
			facts.Job.Conclusion, facts.Labels = new("failure"), []string{"gpu"}
		}
		if i == 7 {
			facts.Job.CreatedAt = nil
		}
		f.Record(facts)
	}
	for query, want := range map[string]int{
		"": 50, "conclusion=failure": 50, "conclusion=success&label=gpu": 0, "label=gpu": 50, "repository=acme/rocket": 50, "repository=acme/none": 0,
		"workflow=ci": 50, "branch=main": 50, "branch=other": 0, "commit=0000": 50, "commit=f": 0, "runner=runner-7": 50, "log=pending": 50,
		"log=archived": 0, "status=queued": 0, "since=2024-07-08T16:59:00Z": 11, "until=2024-07-08": 0, "since=1h": 50,
	} {
		a := f.get("/?" + query)
		f.want(a, 200)
		if got := strings.Count(a.body, `<td data-name="Job"`); got != want {
			t.Errorf("%s: %d jobs, want %d", query, got, want)
		}
	}
	next := regexp.MustCompile(`rel="next" href="([^"]*)"`)
	seen := make(map[string]bool)
	jobs := regexp.MustCompile(`/acme/rocket/jobs/\d+`)
	path := "/?repository=acme/rocket"
	for range 5 {
		a := f.get(path)
		for _, j := range jobs.FindAllString(a.body, -1) {
			if seen[j] {
				t.Errorf("%s twice", j)
			}
			seen[j] = true
		}
		m := next.FindStringSubmatch(a.body)
		if m == nil {
			break
		}
		path = strings.ReplaceAll(m[1], "&amp;", "&")
		if !strings.Contains(path, "repository=acme") {
			t.Errorf("the link %s has lost the filter", path)
		}
	}
	if len(seen) != 120 {
		t.Errorf("%d jobs on all pages, want 120", len(seen))
	}
	for _, bad := range []string{"since=soon", "until=x", "after=x", "after=1", "after=x.y", "after=99999999999999999999.1", "after=9223372036854775807.1", "log=lost", "run=x", "run=0"} {
		f.want(f.get("/?"+bad), 400, "cannot be asked")
	}
	f.want(f.get("/?branch=%00"), 404)
}

func lines(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("line %d of many, with some text to fill the frames", i+1)
	}
	return out
}

func TestALogIsShownAtTheLineThatIsAskedFor(t *testing.T) {
	f := newFixture(t)
	all := lines(60_000)
	all[29_999] = "##[error]it broke"
	all[50_000] = "##[warning]look out"
	f.Record(f.Facts(31, "a"))
	f.Log(31, stamped(all...), store.StepLines{Number: 1, First: 1, Last: 60_000})
	const path = "/acme/rocket/jobs/31"
	for query, want := range map[string][2]int{
		"": {1, 500}, "?line=30000": {29980, 30479}, "?line=60000": {59501, 60000}, "?from=777": {777, 1276}, "?line=30000-30005": {29980, 30479},
		"?line=99999999": {59501, 60000}, "?from=99999999999999999999": {60000, 60000}, "?line=5-": {1, 500},
	} {
		a := f.get(path + query)
		f.want(a, 200, fmt.Sprintf(`id="L%d"`, want[0]), fmt.Sprintf(`id="L%d"`, want[1]))
		if n := strings.Count(a.body, `class="n"`); n != want[1]-want[0]+1 {
			t.Errorf("%s: %d lines, want %d", query, n, want[1]-want[0]+1)
		}
	}
	f.want(f.get(path+"?line=30000"), 200, `<div class="line error marked" id="L30000">`, "it broke")
	f.want(f.get(path+"?line=99999999"), 200, "The log has only 60,000 lines")
	for _, bad := range []string{"?line=0", "?line=x", "?line=9-3", "?from=0", "?from=x"} {
		f.want(f.get(path+bad), 400)
	}
	to := func(query, want string) {
		t.Helper()
		a := f.get(path + "/find?" + query)
		if a.StatusCode != 303 || a.Header.Get("Location") != path+want {
			t.Errorf("%s leads to %d %s, want %s", query, a.StatusCode, a.Header.Get("Location"), want)
		}
	}
	to("", "?line=30000#L30000")
	to("from=30001", "?line=50001#L50001")
	to("from=60000&back=1", "?line=50001#L50001")
	to("from=50001&back=1", "?line=30000#L30000")
	to("from=9223372036854775807&back=1", "?line=50001#L50001")
	f.want(f.get(path+"/find?from=50002"), 200, "No error and no warning from line 50002 on")
	f.want(f.get(path+"/find?from=30000&back=1"), 200, "No error and no warning before line 30000")
	f.want(f.get(path+"/find?q=LINE+5999"), 200, ">5999<", ">59990<", "11 lines", "the end")
	f.want(f.get(path+"/find?q=many"), 200, "200 lines", "Look further", "from=201")
	f.want(f.get(path+"/find?q="+strings.Repeat("x", 1001)), 400)
}

func TestGroupsFold(t *testing.T) {
	f := newFixture(t)
	f.Record(f.Facts(31, "Set up job", "Run make"))
	f.Log(31, stamped("before", "##[group]Run make", "inside", "##[endgroup]", "between", "::group::Gitea's", "##[error]broken", "::endgroup::", "after", "##[endgroup]", "##[group]to the end", "x"),
		store.StepLines{Number: 1, First: 1, Last: 1}, store.StepLines{Number: 2, First: 2, Last: 12})
	body := f.get("/acme/rocket/jobs/31").body
	body = body[strings.Index(body, `class="log`):]
	if got := strings.Count(body, `<details class="group"`); got != 3 {
		t.Errorf("%d groups, want 3", got)
	}
	// Open is the one with the error.
	if !regexp.MustCompile(`(?s)<details class="group" open><summary><div class="line group" id="L6">`).MatchString(body) || strings.Count(body, `class="group" open`) != 1 {
		t.Errorf("the group with the error is not the one that is open:\n%s", body)
	}
	if !regexp.MustCompile(`(?s)Step 2: Run make .*<details class="group"><summary><div class="line group" id="L2">`).MatchString(body) || strings.Contains(body, "<details class=\"group\"><div class=\"step\"") {
		t.Error("the step does not stand before its group")
	}
	if !strings.Contains(f.get("/acme/rocket/jobs/31?line=3").body, `<details class="group" open><summary><div class="line group" id="L2">`) {
		t.Error("the group with the line that was asked for is folded")
	}
}

func TestPagesOfJobsWithoutALogSayWhy(t *testing.T) {
	f := newFixture(t)
	f.Record(f.Facts(31))
	f.Settle(store.Settlement{JobID: 31, State: store.LogExpired, Reason: "GitHub kept it for 90 days"})
	f.want(f.get("/acme/rocket/jobs/31"), 200, "it is expired: GitHub kept it for 90 days")
	f.Record(f.Facts(32))
	f.Log(32, nil)
	f.want(f.get("/acme/rocket/jobs/32"), 200, "The log is empty")
	f.want(f.get("/acme/rocket/jobs/32?line=5"), 200, "The log is empty")
	f.want(f.get("/acme/rocket/jobs/32/find?back=1&from=5"), 200)
	for _, path := range []string{
		"/acme/rocket/jobs/31/raw", "/acme/rocket/jobs/31/find?q=x", "/acme/rocket/jobs/33", "/acme/rocket/jobs/x", "/acme/none/jobs/31",
		"/acme/rocket/runs/3", "/acme/rocket/runs/x", "/nothing", "/assets/style.css", "/assets/..%2fjobs.go", "/acme/..%2f..%2fx/jobs/31", "/a/b/c/d/e/f",
	} {
		f.want(f.get(path), 404, "Not found")
	}
}

func TestARunShowsItsAttempts(t *testing.T) {
	f := newFixture(t)
	for i := range int64(6) {
		facts := f.Facts(100 + i)
		facts.Job.RunAttempt = new(1 + i/4)
		f.Record(facts)
	}
	a := f.get("/acme/rocket/runs/2")
	f.want(a, 200, "Attempt 1", "Attempt 2", "<svg", "1m 00s")
	if first, second := strings.Index(a.body, `id="attempt-2"`), strings.Index(a.body, `id="attempt-1"`); first > second {
		t.Error("the latest attempt does not come first")
	}
}

func TestTheOverviewTellsOfTheDays(t *testing.T) {
	f := newFixture(t)
	for i := range int64(20) {
		facts := f.Facts(100+i, "compile", "test")
		facts.Job.CreatedAt = new(f.At.AddDate(0, 0, -int(i%4)))
		facts.Job.StartedAt, facts.Job.CompletedAt = new(facts.Job.CreatedAt.Add(30*time.Second)), new(facts.Job.CreatedAt.Add(2*time.Minute))
		facts.Job.Name = "build"
		if i%5 == 0 {
			facts.Job.Conclusion, facts.Steps[1].Conclusion = new("failure"), new("failure")
		}
		f.Record(facts)
	}
	a := f.get("/overview?days=30&repository=acme/rocket")
	f.want(a, 200, "data:image/svg&#43;xml;base64,", "Slowest jobs", "Most failing steps", "<th scope=\"row\">2024-07-08</th><td>5</td><td>4</td><td>1</td><td>30s</td>", "1m 30s", "Coverage")
	f.want(f.get("/overview?repository=acme/none"), 200, "No jobs in these days")
	f.want(f.get("/overview?days=x"), 200)
}

// Of two repositories that have had one name, the figures of each are its own, and a
// reader of one sees nothing of the other.
func TestTheOverviewDoesNotAddUpRepositoriesOfOneName(t *testing.T) {
	v := testenv.NewVault(t)
	for i := range int64(5) {
		facts := v.Facts(100 + i)
		if i < 2 { // of the one that is there no more
			facts.Repository.ID, facts.Run.ID, facts.Run.RepositoryID, facts.Job.RunID, facts.Job.RepositoryID = 8, 9, 8, 9, 8
			facts.Repository.NamedAt = v.At.Add(-time.Hour)
		} else {
			facts.Repository.NamedAt = v.At
		}
		v.Record(facts)
	}
	a := serve(t, v, access.Loopback(v.DB)).get("/overview")
	for _, want := range []string{"id 1</span>", "id 8</span>", `title="3 jobs:`, `title="2 jobs:`} {
		if !strings.Contains(a.body, want) {
			t.Errorf("who reads all is not shown %q", want)
		}
	}
	token, digest := access.NewToken()
	v.Check(v.DB.AddReadToken(t.Context(), store.ReadToken{Name: "one", Repositories: []string{"acme/rocket"}, CreatedAt: v.At}, digest))
	a = serve(t, v, access.Tokens(v.DB)).get("/overview", "Authorization", "Bearer "+token)
	if !strings.Contains(a.body, `title="3 jobs:`) || strings.Contains(a.body, `title="2 jobs:`) || strings.Contains(a.body, "id 8") {
		t.Errorf("who reads one is shown\n%s", a.body)
	}
}

func TestEveryLookAtALogIsRecorded(t *testing.T) {
	f := newFixture(t)
	f.Record(f.Facts(31))
	f.Log(31, stamped(lines(1000)...))
	for _, path := range []string{"", "?line=700", "/find?q=x", "/raw"} {
		f.get("/acme/rocket/jobs/31" + path)
	}
	rows, err := f.DB.Pool().Query(t.Context(), `SELECT subject || ' ' || what FROM reads ORDER BY at`)
	f.Check(err)
	var got []string
	for rows.Next() {
		var s string
		f.Check(rows.Scan(&s))
		got = append(got, s)
	}
	if want := "loopback lines 1-500, loopback lines 501-1000, loopback search, loopback whole"; strings.Join(got, ", ") != want {
		t.Errorf("%v, want %s", got, want)
	}
}

// Every real log of the corpus is shown, line for line.
func TestRealLogsAreShown(t *testing.T) {
	f := newFixture(t)
	paths, err := filepath.Glob(filepath.Join(testenv.Corpus(t), "logs", "*"))
	f.Check(err)
	shown := regexp.MustCompile(`id="L(\d+)"`)
	var id int64
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		f.Check(err)
		id++
		f.Record(f.Facts(id))
		log := f.Log(id, raw)
		for first := int64(1); first <= log.Lines; first += 500 {
			a := f.get(fmt.Sprintf("/acme/rocket/jobs/%d?from=%d", id, first))
			f.want(a, 200)
			found := shown.FindAllStringSubmatch(a.body, -1)
			if want := min(500, log.Lines-first+1); int64(len(found)) != want {
				t.Errorf("%s from line %d: %d lines, want %d", filepath.Base(path), first, len(found), want)
			}
			if first > 20_000 {
				break
			}
		}
	}
	t.Logf("%d logs", id)
}

// However a log is made, a page of it stays small, and reads little.
func TestPagesOfHugeLinesAndManyColoursAreBounded(t *testing.T) {
	f := newFixture(t)
	f.Record(f.Facts(31))
	f.Log(31, stamped(slices.Repeat([]string{strings.Repeat("\x1b[1;3;4;9;31;41mX\x1b[0mY", 400)}, 500)...))
	a := f.get("/acme/rocket/jobs/31")
	f.want(a, 200, "Lines ")
	if len(a.body) > 3<<20 {
		t.Errorf("%d bytes of colours", len(a.body))
	}
	f.Record(f.Facts(32))
	f.Log(32, stamped(slices.Repeat([]string{strings.Repeat("z", 600<<10)}, 40)...))
	shown := 0
	next := regexp.MustCompile(`rel="next" href="(\?from=\d+)"`)
	for query := ""; ; {
		a := f.get("/acme/rocket/jobs/32" + query)
		f.want(a, 200)
		n := strings.Count(a.body, `class="n"`)
		if n == 0 || n > 5 || len(a.body) > 1<<20 {
			t.Fatalf("%s: %d lines, %d bytes", query, n, len(a.body))
		}
		shown += n
		m := next.FindStringSubmatch(a.body)
		if m == nil {
			break
		}
		query = m[1]
	}
	if shown != 40 {
		t.Errorf("%d lines on all pages, want 40", shown)
	}
	f.want(f.get("/acme/rocket/jobs/32?line=30"), 200, `id="L30"`, "marked")
	// Recorded is what was shown, not what might have been.
	var what string
	f.Check(f.DB.Pool().QueryRow(t.Context(), `SELECT what FROM reads ORDER BY at DESC LIMIT 1`).Scan(&what))
	if what != "lines 30-31" {
		t.Errorf("recorded: %s", what)
	}
}

// If the bucket has lost a log, the page shows all else of the job.
func TestAJobWhoseLogCannotBeReadIsShown(t *testing.T) {
	f := newFixture(t)
	f.Record(f.Facts(31, "compile"))
	log := f.Log(31, stamped("x"))
	f.Check(f.Archive.Bucket().Remove(t.Context(), log.Key))
	f.want(f.get("/acme/rocket/jobs/31"), 200, "compile", "The log cannot be read")
	raw := f.get("/acme/rocket/jobs/31/raw")
	f.want(raw, 503, "cannot answer now")
	if csp := raw.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "style-src 'self'") || raw.Header.Get("Content-Disposition") != "" {
		t.Errorf("the page of the error has the headers of a log, or none: %v", raw.Header)
	}
}
