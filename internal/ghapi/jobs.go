package ghapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-github/v60/github"
)

// Job is a job as go-github understands it, and the bytes as GitHub sent them:
// go-github loses unknown fields, nulls and empty lists.
type Job struct {
	*github.WorkflowJob
	Raw []byte
}

// Job asks for one job.
func (c *Client) Job(ctx context.Context, owner, repo string, id int64) (Job, error) {
	op := fmt.Sprintf("get job %d", id)
	job := &github.WorkflowJob{}
	a, err := c.get(ctx, op, jobPath(owner, repo, id), job)
	if err != nil {
		return Job{}, err
	}
	if job.GetID() != id {
		return Job{}, &Error{Class: Transient, Op: op, Status: http.StatusOK, Message: fmt.Sprintf("the answer is about job %d", job.GetID())}
	}
	return Job{WorkflowJob: job, Raw: a.raw}, nil
}

// JobPage is one page of a listing of jobs.
type JobPage struct {
	Jobs      []Job
	Total     int    // of all pages, as GitHub counts; it is not always right
	ETag      string // for asking again
	Unchanged bool   // the listing with that ETag is still so; there are no jobs here
	More      bool   // there is another page
}

// AttemptJobs lists the jobs of one attempt of a run. The list of a re-run
// holds the whole graph, also what did not run again. With the etag of an earlier answer
// that had one page, an unchanged list is one page that says so, and costs nothing of the
// limit.
func (c *Client) AttemptJobs(ctx context.Context, owner, repo string, run, attempt int64, etag string) iter.Seq2[JobPage, error] {
	return c.jobPages(ctx, fmt.Sprintf("list jobs of run %d attempt %d", run, attempt),
		request{path: fmt.Sprintf("%s/actions/runs/%d/attempts/%d/jobs?%s", repoPath(owner, repo), run, attempt, c.pageSize.ask(nil)), etag: etag})
}

// FilterAll has RunJobs list all attempts' jobs; without, it is the latest's, and so it is
// with a server that does not know the filter (Gitea).
const FilterAll = "all"

// RunJobs lists the jobs of a run: of its latest attempt, or of all.
func (c *Client) RunJobs(ctx context.Context, owner, repo string, run int64, filter string) iter.Seq2[JobPage, error] {
	return c.jobPages(ctx, fmt.Sprintf("list jobs of run %d", run),
		request{path: fmt.Sprintf("%s/actions/runs/%d/jobs?%s", repoPath(owner, repo), run, c.pageSize.ask(url.Values{"filter": {filter}}))})
}

// jobList is a page of a listing of jobs.
type jobList struct {
	Total *int              `json:"total_count"`
	Jobs  []json.RawMessage `json:"jobs"`
}

func (l jobList) count() (here, total int) { return len(l.Jobs), orZero(l.Total) }
func (l jobList) isList() bool             { return l.Jobs != nil || l.Total != nil }

// jobPages lists jobs, each with its own bytes.
func (c *Client) jobPages(ctx context.Context, op string, first request) iter.Seq2[JobPage, error] {
	ctx = withSecrets(ctx)
	return func(yield func(JobPage, error) bool) {
		for p, err := range pages[jobList](ctx, c, op, first) {
			if err != nil {
				yield(JobPage{}, err)
				return
			}
			jobs, err := decodeJobs(ctx, op, p.body.Jobs)
			if !yield(JobPage{Jobs: jobs, Total: orZero(p.body.Total), ETag: etagOf(p.header), Unchanged: p.unchanged, More: p.next != ""}, err) || err != nil {
				return
			}
		}
	}
}

func decodeJobs(ctx context.Context, op string, raws []json.RawMessage) ([]Job, error) {
	var jobs []Job
	for _, raw := range raws {
		j := Job{WorkflowJob: &github.WorkflowJob{}, Raw: raw}
		if err := json.Unmarshal(raw, j.WorkflowJob); err != nil {
			return nil, secretsOf(ctx).hide(&Error{Class: Transient, Op: op, Status: http.StatusOK, Message: "a job in the listing is not the JSON expected", Err: brief(err)})
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}

func repoPath(owner, repo string) string {
	return "repos/" + url.PathEscape(owner) + "/" + url.PathEscape(repo)
}

func jobPath(owner, repo string, id int64) string {
	return fmt.Sprintf("%s/actions/jobs/%d", repoPath(owner, repo), id)
}

// errNextPage says that a listing goes on, and not where.
var errNextPage = errors.New("the address of the next page is none")

// nextPage is the path of rel="next", relative to the API's base; empty: there is none.
func nextPage(h http.Header, base *url.URL) (string, error) {
	for rest := strings.Join(h.Values("Link"), ", "); rest != ""; {
		var target, params string
		_, rest, _ = strings.Cut(rest, "<")
		target, rest, _ = strings.Cut(rest, ">")
		// The next address begins with "<"; what is before it is of this one.
		params, _, _ = strings.Cut(rest, "<")
		if !strings.Contains(params, `rel="next"`) && !strings.Contains(params, `rel=next`) {
			continue
		}
		u, err := base.Parse(target)
		if err != nil {
			return "", errNextPage
		}
		return strings.TrimPrefix(u.RequestURI(), base.Path), nil
	}
	return "", nil
}
