package rest

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/store"
)

// Sizes of a page, as GitHub's.
const (
	defaultPageSize = 30
	maxPageSize     = 100
	// maxPageNumber bounds the number of a page: no list is that long.
	maxPageNumber = 1_000_000_000
)

// jobs is a page of a listing.
type jobs struct {
	TotalCount int   `json:"total_count"`
	Jobs       []job `json:"jobs"`
}

// listRunJobs is GET …/actions/runs/{run_id}/jobs: those of the latest attempt, or
// with filter=all those of every one.
func (c *call) listRunJobs() {
	c.list(store.JobsOfRun{RunID: c.number("run_id"), Latest: c.req.URL.Query().Get("filter") != "all"})
}

// listAttemptJobs is GET …/actions/runs/{run_id}/attempts/{attempt_number}/jobs.
func (c *call) listAttemptJobs() {
	attempt := c.number("attempt_number")
	if attempt == 0 {
		attempt = -1 // which none has
	}
	c.list(store.JobsOfRun{RunID: c.number("run_id"), Attempt: attempt})
}

func (c *call) list(q store.JobsOfRun) {
	_, ids, ok := c.readable()
	if !ok {
		return
	}
	page, perPage := c.page()
	q.Repositories, q.Limit, q.Offset = ids, perPage, (page-1)*perPage
	details, total, err := c.DB.RunJobs(c.req.Context(), q)
	if err == nil && total == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		c.answerError(err)
		return
	}
	list := jobs{TotalCount: total, Jobs: make([]job, len(details))}
	for i, d := range details {
		list.Jobs[i] = c.jobOf(d)
	}
	c.link(page, (total+perPage-1)/perPage)
	c.answer(list)
}

// page reads page and per_page. A value that is no number counts as not given; one that
// is too large counts as the maximum.
func (c *call) page() (page, perPage int) {
	read := func(name string, fallback, limit int) int {
		n, err := strconv.ParseInt(c.req.URL.Query().Get(name), 10, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) || n < 1 { // out of range, n is the greatest there is
			return fallback
		}
		return int(min(n, int64(limit)))
	}
	return read("page", 1, maxPageNumber), read("per_page", defaultPageSize, maxPageSize)
}

// link sets the links to other pages.
func (c *call) link(page, last int) {
	var links []string
	add := func(rel string, n int) {
		q := c.req.URL.Query()
		q.Set("page", strconv.Itoa(n))
		links = append(links, fmt.Sprintf(`<%s%s?%s>; rel="%s"`, c.Base(c.req), c.req.URL.EscapedPath(), q.Encode(), rel))
	}
	if page > 1 {
		add("prev", min(page-1, last))
	}
	if page < last {
		add("next", page+1)
		add("last", last)
	}
	if page > 1 {
		add("first", 1)
	}
	if len(links) > 0 {
		c.w.Header().Set("Link", strings.Join(links, ", "))
	}
}

// JobList is a page of the list of all jobs.
type JobList struct {
	Jobs []store.JobSummary `json:"jobs"` // the newest first
	Next string             `json:"next"` // for the parameter after; empty: the list has ended

	// Unknown is on the first page of a list that is filtered by event, actor or fork: how
	// many jobs it leaves out as it is not known what started them.
	Unknown *store.UnknownStarts `json:"unknown,omitempty"`
}

// listJobs is GET /api/v3/jobs. A page may hold fewer jobs than per_page, or none,
// and still have a next one.
func (c *call) listJobs() {
	reader, err := c.Gate.Reader(c.req)
	if err != nil {
		c.answerError(err)
		return
	}
	f, err := lookup.ParseFilter(c.req.URL.Query(), c.Now())
	if err != nil {
		c.fail(http.StatusUnprocessableEntity, err.Error())
		return
	}
	if f.Repositories, err = reader.Listed(c.req.Context(), f.Repository); err != nil {
		c.answerError(err)
		return
	}
	_, f.Limit = c.page()
	page, err := c.DB.JobPage(c.req.Context(), f)
	if err != nil {
		c.answerError(err)
		return
	}
	list := JobList{Jobs: page.Jobs}
	if f.After == nil {
		if list.Unknown, err = c.DB.UnknownStarts(c.req.Context(), f); err != nil {
			c.answerError(err)
			return
		}
	}
	if page.Next != nil {
		list.Next = lookup.EncodeCursor(*page.Next)
	}
	c.answer(list)
}
