package pages

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/store"
)

// pageJobs is how many jobs a page lists.
const pageJobs = 50

// mostOffered bounds how many repositories the filter offers.
const mostOffered = 200

// filterNames are the parameters of the list, as the fields of its form.
var filterNames = []string{"repository", "workflow", "branch", "commit", "conclusion", "status", "label", "runner", "log", "since", "until"}

// jobsPage is the list of jobs.
type jobsPage struct {
	Filter       map[string]string
	Filtered     bool
	Repositories []string // to choose from
	Jobs         []store.JobSummary
	Older        string     // the query of the list's next page; empty: it has ended
	Newest       string     // the query of its first page; empty: it is this one
	LookedTo     *time.Time // how far the page has looked, where it is not full
}

// jobs is GET /.
func (c *call) jobs() error {
	if err := c.enter(); err != nil {
		return err
	}
	q := c.req.URL.Query()
	f, err := parseFilter(q, c.Now())
	if err != nil {
		return err
	}
	if f.Repositories, err = c.listed(f.Repository); err != nil {
		return err
	}
	f.Limit = pageJobs
	page, err := c.DB.JobPage(c.ctx(), f)
	if err != nil {
		return err
	}
	p := jobsPage{Filter: make(map[string]string), Jobs: page.Jobs}
	for _, name := range filterNames {
		p.Filter[name] = q.Get(name)
		p.Filtered = p.Filtered || q.Get(name) != ""
	}
	if page.Next != nil {
		p.Older = "/?" + with(q, "after", encodePlace(*page.Next))
		if len(page.Jobs) < pageJobs {
			p.LookedTo = &page.Next.CreatedAt
		}
	}
	if f.After != nil {
		p.Newest = "/?" + with(q, "after", "")
	}
	if p.Repositories, err = c.offered(f.Repositories); err != nil {
		return err
	}
	return c.show(http.StatusOK, "jobs", "Jobs", p)
}

// listed is what a list may show: of the repositories that the reader belongs to,
// and, if it names one that the reader may read, of that.
func (c *call) listed(name string) ([]int64, error) {
	ids, err := c.reader.Repositories(c.ctx())
	owner, repository, both := strings.Cut(name, "/")
	if err != nil || ids == nil || !both || repository == "" {
		return ids, err
	}
	named, err := c.reader.Named(c.ctx(), owner, repository)
	if err != nil {
		return nil, err
	}
	ids = slices.Clone(ids)
	for _, r := range named {
		ids = append(ids, r.ID)
	}
	return ids, nil
}

// offered are names of repositories to choose from.
func (c *call) offered(ids []int64) ([]string, error) {
	return c.DB.RepositoryNames(c.ctx(), ids, mostOffered)
}

// parseFilter reads the list's parameters.
func parseFilter(q url.Values, now time.Time) (store.JobFilter, error) {
	f := store.JobFilter{
		Repository: q.Get("repository"), Workflow: q.Get("workflow"), Branch: q.Get("branch"), SHA: q.Get("commit"), Status: q.Get("status"),
		Conclusion: q.Get("conclusion"), Label: q.Get("label"), Runner: q.Get("runner"), LogState: q.Get("log"),
	}
	var err error
	if f.Since, err = lookup.ParseTime(q.Get("since"), now); err != nil {
		return f, fmt.Errorf("%w: since=%w", errWrongUse, err)
	}
	if f.Until, err = lookup.ParseTime(q.Get("until"), now); err != nil {
		return f, fmt.Errorf("%w: until=%w", errWrongUse, err)
	}
	if after := q.Get("after"); after != "" {
		place, err := decodePlace(after)
		if err != nil {
			return f, err
		}
		f.After = &place
	}
	return f, nil
}

// encodePlace writes a place as MICROSECONDS.ID, or .ID where the time is not known.
func encodePlace(p store.Place) string {
	at := ""
	if !p.CreatedAt.IsZero() {
		at = strconv.FormatInt(p.CreatedAt.UnixMicro(), 10)
	}
	return at + "." + strconv.FormatInt(p.ID, 10)
}

func decodePlace(s string) (store.Place, error) {
	at, id, ok := strings.Cut(s, ".")
	var p store.Place
	var micro int64
	var err error
	if at != "" {
		micro, err = strconv.ParseInt(at, 10, 64)
		p.CreatedAt = time.UnixMicro(micro)
	}
	if err == nil {
		p.ID, err = strconv.ParseInt(id, 10, 64)
	}
	const tooFar = 1 << 57 // microseconds; Postgres has no such times
	if err != nil || !ok || micro > tooFar || micro < -tooFar {
		return p, fmt.Errorf("%w: after=%q is no place in a list", errWrongUse, s)
	}
	return p, nil
}

// with is a query with another value for a parameter; empty: without it.
func with(q url.Values, name, value string) string {
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
