package pages

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/jobvault/jobvault/lookup/access"
	"github.com/jobvault/jobvault/store"
)

// spans are the times that an overview can be of, in days.
var spans = []int{7, 30, 90}

// overviewPage is figures of some days.
type overviewPage struct {
	Days          int
	Spans         []int
	Repository    string
	FromElsewhere string // where to open it, if a link on another site led here: nothing is asked then
	Repositories  []string
	Figures       []store.DayFigures
	Charts        []chartImage
	Coverage      []coverageRow
	CoverageDays  []time.Time
	CoverageCut   bool // there are more repositories
	SlowJobs      []store.Heavy
	FailingJobs   []store.Heavy
	SlowSteps     []store.Heavy
	FailingSteps  []store.Heavy
}

// chartImage is a chart; the table of figures says the same in words.
type chartImage struct {
	Title  string
	Series []string
	Image  template.URL
}

// coverageRow is a repository's days.
type coverageRow struct {
	Repository string
	ID         int64
	Shared     bool              // another row has the name, too
	Days       []*store.Coverage // nil: no jobs that day
}

// maxCoverageDays bounds how many days the table has.
const maxCoverageDays = 14

// overview is GET /overview.
func (c *call) overview() error {
	if err := c.enter(); err != nil {
		return err
	}
	q := c.req.URL.Query()
	p := overviewPage{Days: spans[0], Spans: spans, Repository: q.Get("repository")}
	for _, n := range spans {
		if q.Get("days") == fmt.Sprint(n) {
			p.Days = n
		}
	}
	if access.FromOtherSite(c.req) { // an overview costs too much to be another site's to begin
		p.FromElsewhere = localPath(c.req.URL.RequestURI())
		return c.show(http.StatusOK, "overview", "Overview", p)
	}
	ids, err := c.reader.Listed(c.ctx(), p.Repository)
	if err != nil {
		return err
	}
	if p.Repositories, err = c.repositoryChoices(); err != nil {
		return err
	}
	if p.Repository != "" {
		if ids, err = c.DB.RepositoryIDs(c.ctx(), p.Repository, ids); err != nil {
			return err
		}
	}
	if err := c.overviews.Acquire(c.ctx(), 1); err != nil {
		return err
	}
	defer c.overviews.Release(1)
	if err := c.figures(&p, ids); err != nil {
		return err
	}
	return c.show(http.StatusOK, "overview", "Overview", p)
}

// figures fills in what Postgres has to add up, of these repositories; nil: of all.
func (c *call) figures(p *overviewPage, ids []int64) (err error) {
	ctx, cancel := context.WithTimeout(c.ctx(), overviewTime)
	defer cancel()
	midnight := c.Now().UTC().Truncate(24 * time.Hour)
	o := store.Overview{Repositories: ids, Since: midnight.AddDate(0, 0, 1-p.Days)}
	if p.Figures, err = c.DB.DailyFigures(ctx, o); err != nil {
		return err
	}
	if p.SlowJobs, p.FailingJobs, err = c.DB.HeavyJobs(ctx, o); err != nil {
		return err
	}
	if p.SlowSteps, p.FailingSteps, err = c.DB.HeavySteps(ctx, o); err != nil {
		return err
	}
	if p.Charts, err = charts(p.Figures); err != nil {
		return err
	}
	return c.coverage(ctx, p, ids, midnight)
}

// coverage fills in the table of repositories and days. Repositories that have had one
// name are told apart by their ids: a reader of one must not see figures of another.
func (c *call) coverage(ctx context.Context, p *overviewPage, ids []int64, midnight time.Time) error {
	n := min(p.Days, maxCoverageDays)
	for i := range n {
		p.CoverageDays = append(p.CoverageDays, midnight.AddDate(0, 0, i+1-n))
	}
	all, err := c.DB.Coverage(ctx, "", p.CoverageDays[0])
	if err != nil {
		return err
	}
	rows := make(map[int64]*coverageRow)
	named := make(map[string]int)
	for _, day := range all { // which come by names
		if day.Day == nil || ids != nil && !slices.Contains(ids, day.RepositoryID) {
			continue
		}
		i := slices.IndexFunc(p.CoverageDays, day.Day.Equal)
		if i < 0 {
			continue
		}
		row := rows[day.RepositoryID]
		if row == nil {
			if p.CoverageCut = len(rows) == maxOffered; p.CoverageCut {
				break
			}
			row = &coverageRow{Repository: day.Repository, ID: day.RepositoryID, Days: make([]*store.Coverage, n)}
			rows[day.RepositoryID] = row
			named[strings.ToLower(day.Repository)]++
		}
		row.Days[i] = &day
	}
	for _, row := range rows {
		row.Shared = named[strings.ToLower(row.Repository)] > 1
		p.Coverage = append(p.Coverage, *row)
	}
	slices.SortFunc(p.Coverage, func(a, b coverageRow) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Repository), strings.ToLower(b.Repository)), cmp.Compare(a.ID, b.ID))
	})
	return nil
}
