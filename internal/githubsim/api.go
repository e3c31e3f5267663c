package githubsim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The documentation pages that error answers point to.
const (
	docsREST      = "https://docs.github.com/rest"
	docsJobs      = docsREST + "/actions/workflow-jobs"
	docsRuns      = docsREST + "/actions/workflow-runs"
	docsRepos     = docsREST + "/repos/repos"
	docsUsers     = docsREST + "/users/users"
	docsApps      = docsREST + "/apps/apps"
	docsVersions  = docsREST + "/about-the-rest-api/api-versions"
	docsRateLimit = docsREST + "/overview/rate-limits-for-the-rest-api"
	docsSecondary = docsREST + "/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"
)

// call is one request to the API.
type call struct {
	w        http.ResponseWriter
	r        *http.Request
	endpoint Endpoint
	caller   string   // whom the limits count it for
	who      identity // once authenticated
}

// apiHandler routes the API. What concerns a repository can be asked for under
// its name and, as after a redirect, under its id.
func (s *Server) apiHandler() http.Handler {
	mux := http.NewServeMux()
	route := func(pattern string, e Endpoint, need access, h func(*call)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, e, need, h) })
	}
	repository := func(path string, e Endpoint, need access, h func(*call)) {
		route("GET /repos/{owner}/{repo}"+path, e, need, h)
		if path == "" || !s.o.Gitea {
			route("GET /repositories/{repository_id}"+path, e, need, h)
		}
	}
	repository("", EndpointRepository, byToken, s.getRepository)
	repository("/actions/jobs/{job_id}", EndpointJob, byToken, s.getJob)
	repository("/actions/jobs/{job_id}/logs", EndpointLog, byToken, s.getLog)
	repository("/actions/runs/{run_id}/attempts/{attempt_number}/jobs", EndpointAttemptJobs, byToken, s.listAttemptJobs)
	repository("/actions/runs/{run_id}/jobs", EndpointRunJobs, byToken, s.listRunJobs)
	repository("/actions/runs/{run_id}", EndpointRun, byToken, s.getRun)
	repository("/actions/runs", EndpointRuns, byToken, s.listRuns)
	if !s.o.Gitea {
		s.routeGitHubsOwn(route, repository)
	}
	route("GET /user", EndpointUser, byToken, s.getUser)
	route("GET /user/repos", EndpointUserRepositories, byToken, s.listUserRepositories)
	route("GET /orgs/{org}/repos", EndpointOrgRepositories, byToken, s.listOrgRepositories)
	route("/", EndpointUnknown, byAnyone, func(c *call) { s.notFound(c.w, c.r) })
	if s.o.Gitea {
		return http.StripPrefix("/api/v1", mux)
	}
	return mux
}

// routeGitHubsOwn routes what a Gitea does not have: Apps, the deliveries of webhooks, and
// limits.
func (s *Server) routeGitHubsOwn(route, repository func(pattern string, e Endpoint, need access, h func(*call))) {
	repository("/installation", EndpointInstallation, byApp, s.getRepositoryInstallation)
	route("GET /orgs/{org}/installation", EndpointInstallation, byApp, s.getOrganizationInstallation)
	route("GET /users/{org}/installation", EndpointInstallation, byApp, s.getOrganizationInstallation)
	route("POST /app/installations/{installation_id}/access_tokens", EndpointToken, byApp, s.createToken)
	route("GET /app/installations", EndpointInstallations, byApp, s.listInstallations)
	route("GET /installation/repositories", EndpointRepositories, byToken, s.listRepositories)
	hook := func(path string, need access) {
		route("GET "+path, EndpointDeliveries, need, s.listDeliveries)
		route("GET "+path+"/{delivery_id}", EndpointDelivery, need, s.getDelivery)
		route("POST "+path+"/{delivery_id}/attempts", EndpointRedeliver, need, s.createAttempt)
	}
	hook("/repos/{owner}/{repo}/hooks/{hook_id}/deliveries", byToken)
	hook("/repositories/{repository_id}/hooks/{hook_id}/deliveries", byToken)
	hook("/orgs/{org}/hooks/{hook_id}/deliveries", byToken)
	hook("/app/hook/deliveries", byApp)
	route("GET /rate_limit", EndpointRateLimit, byAnyone, s.getRateLimit)
}

// serve does what all endpoints have in common, in GitHub's order: faults, the version,
// the caller, the limits.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, e Endpoint, need access, h func(*call)) {
	jobID := pathInt(r, "job_id")
	s.counters.add(e, jobID)
	c := &call{r: r, endpoint: e, caller: s.callerOf(r, need)}
	leave, hasPlace := s.paces.enter(c.caller, s.o.MaxConcurrent)
	defer leave()
	if f := s.onRequest.Load(); f != nil {
		(*f)(e, r)
	}

	f, faulty := s.faults.take(e, jobID)
	w = &observed{ResponseWriter: w, begins: func(status int) {
		leave()
		s.noteAnswer(c, status, w.Header(), f)
	}}
	s.setHeaders(w.Header())
	s.tellLimit(w.Header(), s.charge(c.caller, 0))
	if faulty {
		if f.replaces() {
			s.answer(w, r, f)
			return
		}
		w = s.spoil(w, r, f)
	}
	c.w = w
	if s.admit(c, need, hasPlace) {
		h(c)
	}
}

// admit finds who the caller is and whether the request is allowed now; otherwise it
// answers the request.
func (s *Server) admit(c *call, need access, hasPlace bool) bool {
	version := c.r.Header.Get("X-GitHub-Api-Version")
	if !s.supports(version) {
		s.apiError(c.w, http.StatusBadRequest, fmt.Sprintf("Unsupported API version: %q", version), docsVersions)
		return false
	}
	who, refused := s.authenticate(c.r, need)
	if refused != nil {
		s.apiError(c.w, refused.status, refused.message, docsREST)
		return false
	}
	c.who = who
	c.who.rights = s.rights.of(bearer(c.r), who)
	s.tellScopes(c)
	if c.endpoint == EndpointRateLimit {
		return true // it costs nothing
	}
	if !hasPlace || !s.paces.spend(c.caller, s.o.SecondaryPoints, s.now()) {
		s.secondaryLimit(c.w, time.Minute)
		return false
	}
	spent := s.charge(c.caller, 1)
	s.tellLimit(c.w.Header(), spent)
	if spent.used > spent.limit {
		s.apiError(c.w, http.StatusForbidden, rateLimitMessage, docsRateLimit)
		return false
	}
	return s.hasScopes(c)
}

// supports accepts a request without the header, which gets the oldest version.
func (s *Server) supports(version string) bool {
	versions := s.o.APIVersions
	if versions == nil {
		versions = []string{"2022-11-28", "2026-03-10"}
	}
	return s.o.Gitea || version == "" || slices.Contains(versions, version)
}

func (s *Server) setHeaders(h http.Header) {
	if s.o.Gitea {
		setGiteaHeaders(h)
		return
	}
	h.Set("Server", "github.com")
	h.Set("X-GitHub-Media-Type", "github.v3; format=json")
	h.Set("X-GitHub-Request-Id", "51A7:0:0:0:0")
	h.Set("Vary", "Accept, Authorization, Cookie, Accept-Encoding, X-Requested-With")
}

// writeJSON answers with a body and its ETag, or with 304 if the caller has it
// already; a 304 costs nothing.
func (s *Server) writeJSON(c *call, status int, v any) {
	var (
		body = encode(v)
		sum  = sha256.Sum256(body)
		etag = `W/"` + hex.EncodeToString(sum[:]) + `"`
		h    = c.w.Header()
	)
	if !s.has().ETag {
		writeBody(c.w, status, body)
		return
	}
	h.Set("ETag", etag)
	h.Set("Cache-Control", "private, max-age=60, s-maxage=60")
	if c.r.Method == http.MethodGet && c.r.Header.Get("If-None-Match") == etag {
		s.tellLimit(h, s.charge(c.caller, -1))
		s.counters.addUnchanged()
		c.w.WriteHeader(http.StatusNotModified)
		return
	}
	writeBody(c.w, status, body)
}

// apiError answers with an error in the server's form. GitHub's has a documentation page,
// which is left out if it is empty.
func (s *Server) apiError(w http.ResponseWriter, status int, message, docs string) {
	if s.o.Gitea {
		writeBody(w, status, encode(giteaError(message)))
		return
	}
	o := object{{"message", message}}
	if docs != "" {
		o = append(o, member{"documentation_url", docs})
	}
	writeBody(w, status, encode(append(o, member{"status", strconv.Itoa(status)})))
}

func writeBody(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}

// notFound answers for what does not exist, and for what the caller may not know to
// exist.
func (s *Server) notFound(w http.ResponseWriter, r *http.Request) {
	if s.o.Gitea {
		s.apiError(w, http.StatusNotFound, "The target couldn't be found.", "")
		return
	}
	docs := docsREST
	switch {
	case strings.HasSuffix(r.URL.Path, "/logs"):
		docs = docsJobs + "#download-job-logs-for-a-workflow-run"
	case r.PathValue("job_id") != "":
		docs = docsJobs + "#get-a-job-for-a-workflow-run"
	case r.PathValue("attempt_number") != "":
		docs = docsJobs + "#list-jobs-for-a-workflow-run-attempt"
	case r.PathValue("run_id") != "" && !strings.HasSuffix(r.URL.Path, "/jobs"):
		docs = docsRuns + "#get-a-workflow-run"
	case r.PathValue("run_id") != "":
		docs = docsJobs + "#list-jobs-for-a-workflow-run"
	case r.PathValue("org") != "" && strings.HasSuffix(r.URL.Path, "/repos"):
		docs = docsRepos + "#list-organization-repositories"
	case r.Pattern == "GET /repos/{owner}/{repo}" || r.Pattern == "GET /repositories/{repository_id}":
		docs = docsRepos + "#get-a-repository"
	}
	s.apiError(w, http.StatusNotFound, "Not Found", docs)
}

// urlOf returns the URL of a request without its query.
func (s *Server) urlOf(r *http.Request) string { return s.URL() + strings.TrimPrefix(r.URL.Path, "/") }

// pathInt returns a number in the path; 0 if it is no number.
func pathInt(r *http.Request, name string) int64 {
	n, err := strconv.ParseInt(r.PathValue(name), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
