package ghapi

import (
	"context"
	"encoding/json"
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

// AttemptJobs lists the jobs of one attempt of a run. The list of a re-run
// holds the whole graph, also what did not run again.
func (c *Client) AttemptJobs(ctx context.Context, owner, repo string, run, attempt int64) iter.Seq2[Job, error] {
	return c.list(ctx, fmt.Sprintf("list jobs of run %d attempt %d", run, attempt),
		fmt.Sprintf("%s/actions/runs/%d/attempts/%d/jobs?per_page=100", repoPath(owner, repo), run, attempt))
}

// Filters of RunJobs.
const (
	FilterLatest = "latest"
	FilterAll    = "all"
)

// RunJobs lists the jobs of a run: of its latest attempt, or of all.
func (c *Client) RunJobs(ctx context.Context, owner, repo string, run int64, filter string) iter.Seq2[Job, error] {
	return c.list(ctx, fmt.Sprintf("list jobs of run %d", run),
		fmt.Sprintf("%s/actions/runs/%d/jobs?filter=%s&per_page=100", repoPath(owner, repo), run, filter))
}

// maxPages bounds a listing whose Link header never ends.
const maxPages = 10_000

// list follows the Link header from page to page. It never infers the last page
// from its size: some servers ignore per_page.
func (c *Client) list(ctx context.Context, op, path string) iter.Seq2[Job, error] {
	return func(yield func(Job, error) bool) {
		for range maxPages {
			jobs, next, err := c.page(ctx, op, path)
			if err != nil {
				yield(Job{}, err)
				return
			}
			for _, j := range jobs {
				if !yield(j, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			path = next
		}
		yield(Job{}, &Error{Class: Transient, Op: op, Message: "the listing does not end"})
	}
}

// page reads one page of a listing, each job with its own bytes.
func (c *Client) page(ctx context.Context, op, path string) (jobs []Job, next string, err error) {
	var list struct {
		Jobs []json.RawMessage `json:"jobs"`
	}
	ctx = withSecrets(ctx)
	a, err := c.get(ctx, op, path, &list)
	if err != nil {
		return nil, "", err
	}
	for _, raw := range list.Jobs {
		j := Job{WorkflowJob: &github.WorkflowJob{}, Raw: raw}
		if err := json.Unmarshal(raw, j.WorkflowJob); err != nil {
			return nil, "", secretsOf(ctx).hide(&Error{Class: Transient, Op: op, Message: "a job in the listing is not the JSON expected", Err: err})
		}
		jobs = append(jobs, j)
	}
	return jobs, nextPage(a.header, c.rest.BaseURL), nil
}

func repoPath(owner, repo string) string {
	return "repos/" + url.PathEscape(owner) + "/" + url.PathEscape(repo)
}

func jobPath(owner, repo string, id int64) string {
	return fmt.Sprintf("%s/actions/jobs/%d", repoPath(owner, repo), id)
}

// nextPage is the path of rel="next", relative to the API's base, or empty.
func nextPage(h http.Header, base *url.URL) string {
	for rest := h.Get("Link"); rest != ""; {
		var target, params string
		_, rest, _ = strings.Cut(rest, "<")
		target, rest, _ = strings.Cut(rest, ">")
		// The next address begins with "<"; what is before it is of this one.
		params, _, _ = strings.Cut(rest, "<")
		if !strings.Contains(params, `rel="next"`) {
			continue
		}
		u, err := base.Parse(target)
		if err != nil {
			return ""
		}
		return strings.TrimPrefix(u.RequestURI(), base.Path)
	}
	return ""
}
