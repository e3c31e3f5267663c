package ghapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// SearchCap is how many results a filtered listing of runs has at most; what is
// beyond them is not told, and not an error.
const SearchCap = 1000

// Run is a workflow run, as far as it matters to who looks for its jobs.
type Run struct {
	ID         int64      `json:"id"`
	Attempt    int64      `json:"run_attempt"` // the latest; earlier ones exist
	Status     string     `json:"status"`      // of that attempt
	CreatedAt  time.Time  `json:"created_at"`  // of the first attempt; zero: not told (Gitea)
	StartedAt  time.Time  `json:"run_started_at"`
	Repository Repository `json:"repository"`
	Raw        []byte     `json:"-"` // the run as GitHub sent it
	// CreatedBy is when the run had been created at the latest: CreatedAt, or else the
	// earliest time that is told of any attempt; zero: no time is told.
	CreatedBy time.Time `json:"-"`
}

// UnmarshalJSON keeps the text beside what is read of it.
func (r *Run) UnmarshalJSON(text []byte) error {
	type plain Run // without this method
	var run plain
	if err := json.Unmarshal(text, &run); err != nil {
		return err
	}
	*r = Run(run)
	r.Raw = bytes.Clone(text)
	for _, at := range []*time.Time{&r.CreatedAt, &r.StartedAt} {
		if at.Unix() <= 0 { // of a Gitea's, which has not been
			*at = time.Time{}
		}
	}
	if r.CreatedBy = r.CreatedAt; r.CreatedBy.IsZero() {
		r.CreatedBy = earliest(text, "run_started_at", "started_at", "completed_at")
	}
	return nil
}

// earliest is the first of the times that an object tells under these names; zero: none is
// told. What cannot be read, and what has not been, is not told.
func earliest(text []byte, members ...string) (first time.Time) {
	var told map[string]json.RawMessage
	if json.Unmarshal(text, &told) != nil {
		return first
	}
	for _, m := range members {
		var at time.Time
		if json.Unmarshal(told[m], &at) == nil && at.Unix() > 0 && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// RunPage is one page of a listing of runs.
type RunPage struct {
	Runs      []Run
	Total     int       // of all pages, as GitHub counts; it is not always right
	ETag      string    // for asking again
	At        time.Time // when GitHub answered, by its clock
	Unchanged bool      // the listing with that ETag is still so; there are no runs here
	More      bool      // there is another page
}

// Runs lists the runs created from one second to another, both included, the
// newest first. A zero to leaves the end open. GitHub gives no more than SearchCap;
// other servers may give all runs, whenever they were created. With the etag of an
// earlier answer, an unchanged first page is one page that says so, and costs nothing of
// the limit.
func (c *Client) Runs(ctx context.Context, owner, repo string, from, to time.Time, etag string) iter.Seq2[RunPage, error] {
	op := fmt.Sprintf("list runs of %s/%s", owner, repo)
	first := request{path: repoPath(owner, repo) + "/actions/runs?" + c.pageSize.ask(url.Values{"created": {span(from, to)}}), etag: etag}
	return func(yield func(RunPage, error) bool) {
		for p, err := range pages[runList](ctx, c, op, first) {
			if err != nil {
				yield(RunPage{}, err)
				return
			}
			for i := range p.body.Runs {
				p.body.Runs[i].Attempt = max(p.body.Runs[i].Attempt, 1)
			}
			if !yield(RunPage{
				Runs: p.body.Runs, Total: orZero(p.body.Total), ETag: etagOf(p.header), At: serverTime(p.header, c.now()),
				Unchanged: p.unchanged, More: p.next != "",
			}, nil) {
				return
			}
		}
	}
}

// runList is a page of a listing of runs.
type runList struct {
	Total *int  `json:"total_count"`
	Runs  []Run `json:"workflow_runs"`
}

func (l runList) count() (here, total int) { return len(l.Runs), orZero(l.Total) }
func (l runList) isList() bool             { return l.Runs != nil || l.Total != nil }

// etagOf is an answer's ETag, if it is one that can be kept and sent again: GitHub's
// have 68 characters of ASCII.
func etagOf(h http.Header) string {
	const maxETag = 256
	tag := h.Get("ETag")
	if len(tag) > maxETag || strings.ContainsFunc(tag, func(r rune) bool { return r < ' ' || r >= 0x7f }) {
		return ""
	}
	return tag
}

// span is GitHub's search syntax for a time.
func span(from, to time.Time) string {
	if to.IsZero() {
		return ">=" + from.UTC().Format(time.RFC3339)
	}
	return from.UTC().Format(time.RFC3339) + ".." + to.UTC().Format(time.RFC3339)
}

// Run asks for one run.
func (c *Client) Run(ctx context.Context, owner, repo string, id int64) (Run, error) {
	op := fmt.Sprintf("get run %d", id)
	var r Run
	if _, err := c.get(ctx, op, fmt.Sprintf("%s/actions/runs/%d", repoPath(owner, repo), id), &r); err != nil {
		return Run{}, err
	}
	if r.ID != id {
		return Run{}, &Error{Class: Transient, Op: op, Status: http.StatusOK, Message: fmt.Sprintf("the answer is about run %d", r.ID)}
	}
	r.Attempt = cmp.Or(r.Attempt, 1)
	return r, nil
}
