package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/lookup/access"
	"github.com/jobvault/jobvault/store"
)

// modelRepository is a repository of the model, with one job. Its names are those that
// GitHub told, the present one last.
type modelRepository struct {
	id      int64
	names   []string
	lost    bool // another repository has the present name since
	public  bool
	deleted bool // GitHub does not know it any more
}

func (r modelRepository) name() string { return r.names[len(r.names)-1] }
func (r modelRepository) job() int64   { return 100 + r.id }
func (r modelRepository) run() int64   { return 200 + r.id }

// mark is in everything that is the repository's: the job's log, the workflow's name.
func (r modelRepository) mark() string { return fmt.Sprintf("mark-of-%d.", r.id) }

var modelRepositories = []modelRepository{
	{id: 1, names: []string{"acme/plain"}},
	{id: 2, names: []string{"acme/before", "acme/renamed"}},
	{id: 3, names: []string{"acme/moved", "labs/moved"}},
	{id: 4, names: []string{"acme/gone"}, deleted: true},
	{id: 5, names: []string{"acme/again"}, deleted: true, lost: true},
	{id: 6, names: []string{"acme/again"}}, // made when 5 was gone
	{id: 7, names: []string{"acme/open"}, public: true},
	{id: 8, names: []string{"labs/hidden"}},
	{id: 9, names: []string{"acme/before"}}, // made when 2 was renamed
}

// modelCaller is somebody who asks. Of scopes and repositories, those of the mode count.
type modelCaller struct {
	name         string
	scopes       []string // a token of jobvault's: OWNER/NAME or OWNER/*
	repositories []int64  // a GitHub token: which its owner belongs to
	withActions  bool     // whether that may read Actions
	stranger     bool     // whose credentials are no good, or who has none
	marked       bool     // whose requests bear a mark of a proxy's, or of another site
	token        string
	headers      []string
}

// modelRequest is one generated request.
type modelRequest struct {
	method, path string
	repository   string // that the path or the filter names; empty: all
	job          int64  // that the path names, by its own id or its run's; 0: all
	partial      bool   // an answer that does not show all that may be read
}

// rightsModel says who may read what, beside the code that decides it.
//
// On this machine everybody reads everything, but for what bears the mark of a stranger.
// A token of jobvault's reads the repositories that have a name of its scopes. A GitHub
// token reads the repositories that GitHub has and shows it the Actions of: public ones,
// and those of its owner's.
type rightsModel struct{ mode string }

func (m rightsModel) mayRead(c modelCaller, r modelRepository) bool {
	switch {
	case c.stranger || c.marked && m.mode == readLoopback:
		return false
	case m.mode == readLoopback:
		return true
	case m.mode == readTokens:
		owner, _, _ := strings.Cut(r.name(), "/")
		return !r.lost && (slices.Contains(c.scopes, r.name()) || slices.Contains(c.scopes, owner+"/*"))
	}
	return !r.deleted && (r.public || c.withActions && slices.Contains(c.repositories, r.id))
}

// listed says whether a list without a name shows a repository: GitHub lists to a token
// what its owner belongs to, and not every public repository there is.
func (m rightsModel) listed(c modelCaller, r modelRepository) bool {
	return m.mayRead(c, r) && (m.mode != readGitHub || slices.Contains(c.repositories, r.id))
}

// marks are those that an answer must have, all of them and no others.
func (m rightsModel) marks(c modelCaller, q modelRequest) map[string]bool {
	marks := make(map[string]bool)
	for _, r := range modelRepositories {
		named := slices.Contains(r.names, q.repository)
		shown := named && m.mayRead(c, r) || q.repository == "" && (m.listed(c, r) || q.job != 0 && m.mayRead(c, r))
		if q.method == http.MethodGet && shown && (q.job == 0 || q.job == r.job()) {
			marks[r.mark()] = true
		}
	}
	return marks
}

// newRightsWorld writes the model's repositories, as GitHub tells of them and late
// deliveries confuse them.
func newRightsWorld(t *testing.T) *world {
	w := newWorld(t)
	v := &testenv.Vault{T: t, DB: w.db, Archive: w.archive, At: time.Now().Add(-24 * time.Hour).Truncate(time.Second)}
	for _, r := range modelRepositories {
		owner, name, _ := strings.Cut(r.name(), "/")
		if !r.deleted {
			w.github.AddRepository(githubsim.Repository{ID: r.id, Owner: owner, Name: name, Private: !r.public})
		}
		for i, told := range r.names {
			owner, name, _ := strings.Cut(told, "/")
			word := store.Repository{ID: r.id, Owner: owner, Name: name, Private: new(!r.public), NamedAt: v.At.Add(time.Duration(i) * time.Hour)}
			if !r.lost && r.id > 5 {
				word.NamedAt = word.NamedAt.Add(2 * time.Hour)
			}
			_, err := w.db.SeeRepositories(t.Context(), []store.Repository{word})
			w.check(err)
		}
		f := v.Facts(r.job(), "Set up job")
		owner, name, _ = strings.Cut(r.names[0], "/") // a job of before, told of late
		f.Repository = store.Repository{ID: r.id, Owner: owner, Name: name, Private: new(!r.public), SeenAt: v.At, NamedAt: v.At.Add(-time.Hour)}
		f.Job.RepositoryID, f.Run.RepositoryID, f.Run.ID, f.Job.RunID = r.id, r.id, r.run(), r.run()
		f.Run.WorkflowName = new(r.mark())
		v.Record(f)
		w.putMark(v, r)
	}
	return w
}

// putMark archives the log of a repository's job.
func (w *world) putMark(v *testenv.Vault, r modelRepository) {
	key := archive.JobKey{RepositoryID: r.id, RunID: r.run(), RunAttempt: 1, JobID: r.job()}
	log, err := w.archive.PutLog(w.t.Context(), key, strings.NewReader("2024-07-08T16:48:09.3750041Z a line with the "+r.mark()+"\n"))
	w.check(err)
	v.Settle(store.Settlement{
		JobID: r.job(), State: store.LogArchived, HTTPStatus: http.StatusOK, Asked: true,
		Object: &store.Object{
			Key: log.Key, RawBytes: log.RawBytes, StoredBytes: log.StoredBytes, Lines: log.Lines, SHA256: log.SHA256, StoredSHA256: log.StoredSHA256,
			FrameLines: log.FrameLines, FrameOffsets: log.FrameOffsets, ArchivedAt: v.At,
		},
		Usage: &joblog.Usage{Actions: []joblog.Action{{Line: 1, Name: "acme/action", Ref: "v1"}}},
	})
}

// callers are those of a mode.
func (w *world) callers(mode string) []modelCaller {
	stranger := func(name string, headers ...string) modelCaller {
		return modelCaller{name: name, stranger: true, headers: headers}
	}
	switch mode {
	case readLoopback:
		callers := []modelCaller{{name: "this machine"}, {name: "this machine, with a token", headers: []string{"Authorization", "Bearer something"}}}
		for _, h := range [][]string{
			{"X-Forwarded-For", "192.0.2.1"}, {"Forwarded", "for=192.0.2.1"}, {"Fly-Client-Ip", "192.0.2.1"}, {"Cdn-Loop", "cloudflare"},
			{"Tailscale-User-Login", "octo"}, {"X-Amzn-Trace-Id", "Root=1"}, {"Sec-Fetch-Site", "cross-site"}, {"Host", "jobvault.example.com"},
		} {
			callers = append(callers, modelCaller{name: h[0], marked: true, headers: h})
		}
		return callers
	case readTokens:
		callers := []modelCaller{stranger("nobody"), stranger("garbage", "Authorization", "Bearer jobvault_nonsense"), stranger("a session that is none", "Cookie", "jobvault_session=nonsense")}
		for name, scopes := range map[string][]string{
			"plain": {"acme/plain"}, "owner": {"acme/*"}, "again": {"acme/again"}, "before": {"acme/before"}, "moved": {"acme/moved"},
			"labs": {"labs/*", "acme/open"}, "none": {"elsewhere/*"},
		} {
			callers = append(callers, modelCaller{name: name, scopes: scopes, token: w.addToken(name, scopes, nil)})
		}
		expired := modelCaller{name: "expired", scopes: []string{"acme/*"}, stranger: true, token: w.addToken("expired", []string{"acme/*"}, new(time.Now().Add(-time.Hour)))}
		revoked := modelCaller{name: "revoked", scopes: []string{"acme/*"}, stranger: true, token: w.addToken("revoked", []string{"acme/*"}, nil)}
		w.want(0, "token", "revoke", "revoked")
		return append(callers, expired, revoked)
	}
	callers := []modelCaller{
		stranger("nobody"), stranger("garbage", "Authorization", "Bearer ghp_garbage_garbage_garbage"),
		{name: "octo", repositories: []int64{1, 2, 6, 7}, withActions: true}, {name: "all", repositories: []int64{1, 2, 3, 6, 7, 8, 9}, withActions: true},
		{name: "outsider", withActions: true}, {name: "metadata", repositories: []int64{1, 2, 3, 6, 7, 8, 9}},
	}
	for i := range callers {
		c := &callers[i]
		if c.stranger {
			continue
		}
		c.token = "ghp_" + strings.Repeat(c.name, 8)
		w.github.AddUser(c.name, c.token, c.repositories...)
		if !c.withActions {
			w.github.SetRights(c.token, githubsim.Rights{Permissions: []string{"metadata"}})
		}
	}
	return callers
}

func (w *world) addToken(name string, scopes []string, expires *time.Time) string {
	token, digest := access.NewToken()
	w.check(w.db.AddReadToken(w.t.Context(), store.ReadToken{Name: name, Repositories: scopes, CreatedAt: time.Now(), ExpiresAt: expires}, digest))
	return token
}

// generate makes a request.
func generate(r *rand.Rand) modelRequest {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	repository := modelRepositories[r.IntN(len(modelRepositories))]
	q := modelRequest{method: http.MethodGet, repository: pick(repository.names...), job: repository.job()}
	run := repository.run()
	switch r.IntN(12) { // a name that has nothing to do with the job, or is nobody's
	case 0:
		q.repository = modelRepositories[r.IntN(len(modelRepositories))].name()
	case 1:
		q.repository = "acme/nothing"
	}
	if r.IntN(8) == 0 {
		q.method = pick(http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions)
	}
	switch r.IntN(16) {
	case 0:
		q.path = fmt.Sprintf("/api/v3/repos/%s/actions/jobs/%d", q.repository, q.job)
	case 1:
		q.path = fmt.Sprintf("/api/v3/repos/%s/actions/jobs/%d/logs", q.repository, q.job)
	case 2:
		q.path = fmt.Sprintf("/api/v3/repos/%s/actions/runs/%d/jobs", q.repository, run)
	case 3:
		q.path = fmt.Sprintf("/api/v3/repos/%s/actions/runs/%d/attempts/1/jobs", q.repository, run)
	case 4:
		q.path, q.repository = fmt.Sprintf("/api/v3/jobs/%d/logs", q.job), ""
	case 5:
		q.path, q.job = "/api/v3/jobs?repository="+q.repository, 0
	case 6:
		q.path, q.job, q.repository = "/api/v3/jobs", 0, ""
	case 7:
		q.path, q.job = "/api/v3/search?pattern=mark-of&repository="+q.repository, 0
	case 8:
		q.path, q.job, q.repository = pick("/api/v3/search?pattern=line+with", "/search?pattern=line+with"), 0, ""
	case 9:
		q.path, q.job, q.repository = pick("/api/v3/uses?action=acme/action", "/uses?action=acme/action"), 0, ""
	case 10:
		q.path, q.job, q.repository = pick("/", "/?repository=acme/"), 0, ""
		q.partial = q.path != "/"
	case 11:
		q.path = fmt.Sprintf("/%s/runs/%d", q.repository, run)
	case 12:
		q.path = fmt.Sprintf("/%s/jobs/%d", q.repository, q.job)
	case 13:
		q.path = fmt.Sprintf("/%s/jobs/%d/%s", q.repository, q.job, pick("raw", "find?q=line"))
	case 14:
		q.path, q.repository, q.partial = "/overview", "", true
		q.job = 0
	case 15:
		q.path, q.partial = fmt.Sprintf("/api/v3/logs/%d?expires=99999999999&subject=loopback&signature=%064x", q.job, 1), true
		q.repository = "acme/nothing" // it is for nobody who was not given it
	}
	return q
}

var modelMark = regexp.MustCompile(`mark-of-\d+\.`)

// ask makes a request as a caller, and follows the link to a log.
func (w *world) ask(client *http.Client, url string, c modelCaller, q modelRequest) (int, map[string]bool) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), q.method, url+q.path, nil)
	w.check(err)
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	for i := 0; i < len(c.headers); i += 2 {
		if req.Header.Set(c.headers[i], c.headers[i+1]); c.headers[i] == "Host" {
			req.Host = c.headers[i+1]
		}
	}
	resp, err := client.Do(req)
	w.check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	w.check(err)
	link := resp.Header.Get("Location")
	if resp.StatusCode == http.StatusFound && strings.Contains(link, "/api/v3/logs/") {
		// The link says who may follow it, and needs no credentials.
		_, path, _ := strings.Cut(link, "/api/v3/")
		c.token = ""
		return w.ask(client, url, c, modelRequest{method: q.method, path: "/api/v3/" + path})
	}
	marks := make(map[string]bool)
	for _, m := range modelMark.FindAll(body, -1) {
		marks[string(m)] = true
	}
	if bytes.Contains(body, []byte("panic")) {
		w.t.Errorf("%s %s: %s", q.method, q.path, body)
	}
	return resp.StatusCode, marks
}

// No request is answered otherwise than the model says: what may be read is all there,
// and nothing else is. Reading with a GitHub token asks GitHub at most once for each
// token and repository, however much is read.
func TestNobodyReadsWhatTheModelDoesNotAllow(t *testing.T) {
	t.Parallel()
	const requests = 3_400 // for each of the three modes
	for _, mode := range []string{readLoopback, readTokens, readGitHub} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w, model := newRightsWorld(t), rightsModel{mode}
			callers := w.callers(mode)
			p := startProcess(t, append(w.settings, "JOBVAULT_ROLES=lookup", "JOBVAULT_READ_AUTH="+mode)...)
			client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			defer client.CloseIdleConnections()
			random := rand.New(rand.NewPCG(11, uint64(sha256.Sum256([]byte(mode))[0])))
			before := w.github.Requests()[githubsim.EndpointRuns]
			read := 0
			for i := range requests {
				q, c := generate(random), callers[random.IntN(len(callers))]
				status, got := w.ask(client, p.url, c, q)
				want := model.marks(c, q)
				read += len(got)
				same := maps.Equal(got, want)
				if q.partial {
					maps.DeleteFunc(got, func(m string, _ bool) bool { return want[m] })
					same = len(got) == 0
				}
				if all := len(want) > 0 && !q.partial; !same || all && status != http.StatusOK || status >= 500 {
					t.Fatalf("request %d: %s %s by %s: %d with %v, want %v", i, q.method, q.path, c.name, status, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
				}
			}
			if read < requests/4 {
				t.Errorf("only %d times something was read: the requests are no test", read)
			}
			if n := w.github.Requests()[githubsim.EndpointRuns] - before; mode == readGitHub {
				most := int64(len(callers) * (len(modelRepositories) + 1)) // and the name that is nobody's
				t.Logf("%d requests of %d callers had GitHub asked %d times for what they may read of %d repositories", requests, len(callers), n, len(modelRepositories))
				if n > most {
					t.Errorf("GitHub was asked %d times, want at most %d", n, most)
				}
			}
		})
	}
}
