// Package rest answers programs as GitHub's REST API does, from what is archived:
// the four endpoints of workflow jobs, under /api/v3, where clients of GitHub
// Enterprise Server look for them. See docs/design.md#rooms.
//
// What differs from GitHub: url and run_url of a job lead here, a log can be asked
// for by lines or by step, and the message of a log that is not there says why. Beyond
// GitHub there are:
//
//	GET /api/v3/jobs                 all jobs, filtered by the parameters of lookup.FilterNames
//	GET /api/v3/jobs/{job_id}/logs   a log by its job's id alone
//	GET /api/v3/uses?action=         who used an action
//	GET /api/v3/search?pattern=      a search of all logs, see search.ParseQuery
package rest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/lookup/access"
	"github.com/jobvault/jobvault/lookup/search"
	"github.com/jobvault/jobvault/store"
)

// Config is what the API is made of. All but Now is required.
type Config struct {
	DB       *store.DB
	Gate     *access.Gate            // decides who may read what
	Sender   *lookup.Sender          // which the pages may share, so that its limits hold for both
	Searcher *search.LimitedSearcher // likewise
	// Base is the scheme and host by which the caller reaches jobvault, for links.
	Base   func(*http.Request) string
	Logger *slog.Logger     // of errors that are not the caller's
	Now    func() time.Time // nil: time.Now
}

type api struct {
	Config
	key []byte // signs links to logs
}

// New makes the handler of everything under /api/v3. All replicas sign links with
// one key, which is in the database.
func New(ctx context.Context, c Config) (http.Handler, error) {
	key, err := c.DB.SharedKey(ctx, "links to logs")
	if err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	a := &api{Config: c, key: key}
	mux := http.NewServeMux()
	route := func(pattern, docs string, h func(*call)) {
		mux.HandleFunc("GET "+pattern, func(w http.ResponseWriter, req *http.Request) {
			h(&call{api: a, w: w, req: req, docs: docs})
		})
	}
	const repository = "/api/v3/repos/{owner}/{repo}/actions"
	route(repository+"/jobs/{job_id}", docsJobs+"#get-a-job-for-a-workflow-run", (*call).getJob)
	route(repository+"/jobs/{job_id}/logs", docsJobs+"#download-job-logs-for-a-workflow-run", (*call).getLog)
	route(repository+"/runs/{run_id}/attempts/{attempt_number}/jobs", docsJobs+"#list-jobs-for-a-workflow-run-attempt", (*call).listAttemptJobs)
	route(repository+"/runs/{run_id}/jobs", docsJobs+"#list-jobs-for-a-workflow-run", (*call).listRunJobs)
	// Beyond GitHub.
	route("/api/v3/jobs", docsJobs, (*call).listJobs)
	route("/api/v3/jobs/{job_id}/logs", docsJobs, (*call).getLogByID)
	route("/api/v3/uses", docsJobs, (*call).listUses)
	route("/api/v3/search", docsJobs, (*call).search)
	route("/api/v3/logs/{job_id}", docsJobs, (*call).sendLog)
	mux.HandleFunc("/api/v3/", func(w http.ResponseWriter, req *http.Request) {
		c := &call{api: a, w: w, req: req, docs: docsREST}
		if req.Method != http.MethodGet && req.Method != http.MethodHead {
			c.fail(http.StatusMethodNotAllowed, "the archive is only read")
			return
		}
		c.fail(http.StatusNotFound, notFound)
	})
	return mux, nil
}

// call is one request.
type call struct {
	*api
	w    http.ResponseWriter
	req  *http.Request
	docs string // the documentation page of the endpoint
}

// number returns a number in the path; 0, which no job or run has, if it is not a number.
func (c *call) number(name string) int64 {
	n, err := strconv.ParseInt(c.req.PathValue(name), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// readable finds the repositories of the path's name that the caller may read, and who
// the caller is. If ok is false, it has answered the request.
func (c *call) readable() (access.Reader, []int64, bool) {
	reader, err := c.Gate.Reader(c.req)
	if err != nil {
		c.answerError(err)
		return reader, nil, false
	}
	rs, err := reader.Named(c.req.Context(), c.req.PathValue("owner"), c.req.PathValue("repo"))
	if err != nil {
		c.answerError(err)
		return reader, nil, false
	}
	if len(rs) == 0 {
		c.fail(http.StatusNotFound, notFound)
		return reader, nil, false
	}
	ids := make([]int64, len(rs))
	for i, r := range rs {
		ids[i] = r.ID
	}
	return reader, ids, true
}

// job finds the job of the path, if the caller may read it. If ok is false, it has answered
// the request.
func (c *call) job() (access.Reader, store.JobDetails, bool) {
	reader, ids, ok := c.readable()
	if !ok {
		return reader, store.JobDetails{}, false
	}
	d, err := c.DB.JobDetails(c.req.Context(), c.number("job_id"))
	if err == nil && !slices.Contains(ids, d.Job.RepositoryID) {
		err = store.ErrNotFound
	}
	if err != nil {
		c.answerError(err)
		return reader, d, false
	}
	return reader, d, true
}

// getJob is GET …/actions/jobs/{job_id}.
func (c *call) getJob() {
	if _, d, ok := c.job(); ok {
		c.answer(c.jobOf(d))
	}
}

// answerError answers a request that failed with an error.
func (c *call) answerError(err error) {
	var forbidden *access.ForbiddenError
	switch {
	case errors.Is(err, store.ErrNotFound):
		c.fail(http.StatusNotFound, notFound)
	case errors.Is(err, access.ErrNoCredentials):
		c.fail(http.StatusUnauthorized, "Requires authentication")
	case errors.Is(err, access.ErrBadCredentials):
		c.fail(http.StatusUnauthorized, "Bad credentials")
	case errors.Is(err, access.ErrNotLocal):
		c.fail(http.StatusForbidden, "Nothing is readable from elsewhere: the operator has to set JOBVAULT_READ_AUTH")
	case errors.Is(err, access.ErrOtherSite):
		c.fail(http.StatusForbidden, "Another site has a browser send this request: the API is for programs, and for jobvault's own pages")
	case errors.As(err, &forbidden):
		c.fail(http.StatusForbidden, forbidden.Error())
	case errors.Is(err, access.ErrTooMany):
		c.fail(http.StatusUnprocessableEntity, err.Error())
	case store.IsBadData(err): // such as a zero byte in a name
		c.fail(http.StatusNotFound, notFound)
	case errors.Is(err, context.Canceled):
		panic(http.ErrAbortHandler)
	default:
		c.Logger.WarnContext(c.req.Context(), "a request could not be answered", "path", c.req.URL.EscapedPath(), "error", err)
		c.w.Header().Set("Retry-After", "5")
		c.fail(http.StatusServiceUnavailable, "jobvault cannot answer now; try again")
	}
}
