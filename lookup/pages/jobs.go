package pages

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/lookup/access"
	"github.com/jobvault/jobvault/store"
)

// pageJobs is how many jobs a page lists.
const pageJobs = 50

// maxOffered bounds how many repositories the filter offers.
const maxOffered = 200

// jobsPage is the list of jobs.
type jobsPage struct {
	Filter       map[string]string
	Filtered     bool
	Repositories []string // to choose from
	Jobs         []store.JobSummary
	Older        string     // the query of the list's next page; empty: it has ended
	Newest       string     // the query of its first page; empty: it is this one
	LookedTo     *time.Time // how far the page has looked, where it is not full
	LeftOut      string     // how many jobs are since it is not known what started them; empty: none
}

// jobs is GET /.
func (c *call) jobs() error {
	if err := c.enter(); err != nil {
		return err
	}
	q := c.req.URL.Query()
	f, err := lookup.ParseFilter(q, c.Now())
	if err != nil {
		return fmt.Errorf("%w: %w", errWrongUse, err)
	}
	if f.Repositories, err = c.reader.Listed(c.ctx(), f.Repository); err != nil {
		return err
	}
	f.Limit = pageJobs
	page, err := c.DB.JobPage(c.ctx(), f)
	if err != nil {
		return err
	}
	unknown, err := c.DB.UnknownStarts(c.ctx(), f)
	if err != nil {
		return err
	}
	p := jobsPage{Filter: make(map[string]string), Jobs: page.Jobs, LeftOut: lookup.SayUnknownStarts(unknown)}
	for _, name := range lookup.FilterNames {
		p.Filter[name] = q.Get(name)
		p.Filtered = p.Filtered || q.Get(name) != ""
	}
	if page.Next != nil {
		p.Older = "/?" + withParameter(q, "after", lookup.EncodeCursor(*page.Next))
		if len(page.Jobs) < pageJobs && !page.Next.CreatedAt.IsZero() {
			p.LookedTo = &page.Next.CreatedAt
		}
	}
	if f.After != nil {
		p.Newest = "/?" + withParameter(q, "after", "")
	}
	if p.Repositories, err = c.repositoryChoices(); err != nil {
		return err
	}
	return c.show(http.StatusOK, "jobs", "Jobs", p)
}

// repositoryChoices are names of repositories to choose from: none, if there are too many to ask
// which of them the reader may read.
func (c *call) repositoryChoices() ([]string, error) {
	ids, err := c.reader.Repositories(c.ctx())
	if errors.Is(err, access.ErrTooMany) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return c.DB.RepositoryNames(c.ctx(), ids, maxOffered)
}

// withParameter is a query with another value for a parameter; empty: without it.
func withParameter(q url.Values, name, value string) string {
	changed := url.Values{}
	for n, v := range q {
		if n != name && len(v) > 0 && v[0] != "" {
			changed.Set(n, v[0])
		}
	}
	if value != "" {
		changed.Set(name, value)
	}
	return changed.Encode()
}
