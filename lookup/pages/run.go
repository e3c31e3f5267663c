package pages

import (
	"net/http"
	"slices"
	"time"

	"github.com/jobvault/jobvault/store"
)

// maxRunJobs bounds how many jobs of a run a page shows.
const maxRunJobs = 2000

// runPage is a run: its attempts side by side.
type runPage struct {
	store.JobDetails // of any job: what is the run's is the same in all
	Attempts         []attempt
	Total            int
	Shown            int
}

// attempt is one of a run's, with its jobs as a waterfall.
type attempt struct {
	Number int64
	Jobs   []bar
	Begin  *time.Time
	End    *time.Time
	Height int // of the waterfall, in its units
}

// bar is a job in a waterfall, whose width is 1000.
type bar struct {
	store.JobDetails
	Y                int
	Wait, Start, End float64 // where it was created, started and completed
	Placed           bool    // whether its times say where
}

// rowHeight is that of a job in a waterfall.
const rowHeight = 28

// run is GET /{owner}/{repo}/runs/{run_id}.
func (c *call) run() error {
	if err := c.enter(); err != nil {
		return err
	}
	ids, err := c.named()
	if err != nil {
		return err
	}
	jobs, total, err := c.DB.RunJobs(c.ctx(), store.JobsOfRun{RunID: c.number("run_id"), Repositories: ids, LatestFirst: true, Limit: maxRunJobs})
	if err != nil {
		return err
	}
	if total == 0 {
		return store.ErrNotFound
	}
	p := runPage{JobDetails: jobs[0], Total: total, Shown: len(jobs)}
	for _, d := range jobs {
		n := int64(1)
		if d.Job.RunAttempt != nil {
			n = *d.Job.RunAttempt
		}
		i := slices.IndexFunc(p.Attempts, func(a attempt) bool { return a.Number == n })
		if i < 0 {
			p.Attempts = append(p.Attempts, attempt{Number: n})
			i = len(p.Attempts) - 1
		}
		p.Attempts[i].Jobs = append(p.Attempts[i].Jobs, bar{JobDetails: d})
	}
	// The latest first: it is what counts.
	slices.SortFunc(p.Attempts, func(a, b attempt) int { return int(b.Number - a.Number) })
	for i := range p.Attempts {
		p.Attempts[i].place()
	}
	title := "Run"
	if p.Run.WorkflowName != nil {
		title = *p.Run.WorkflowName
	}
	return c.show(http.StatusOK, "run", title, p)
}

// place finds where each job is drawn.
func (a *attempt) place() {
	for _, b := range a.Jobs {
		if b.CarriedOver != nil { // it ran before the attempt began
			continue
		}
		for _, t := range []*time.Time{b.Job.CreatedAt, b.Job.StartedAt} {
			if t != nil && (a.Begin == nil || t.Before(*a.Begin)) {
				a.Begin = t
			}
		}
		for _, t := range []*time.Time{b.Job.CompletedAt, b.Job.StartedAt} {
			if t != nil && (a.End == nil || t.After(*a.End)) {
				a.End = t
			}
		}
	}
	a.Height = rowHeight * len(a.Jobs)
	for i := range a.Jobs {
		b := &a.Jobs[i]
		b.Y = i * rowHeight
		if b.CarriedOver != nil || b.Job.StartedAt == nil || a.End == nil || !a.End.After(*a.Begin) {
			continue
		}
		at := func(t *time.Time) float64 { return 1000 * float64(t.Sub(*a.Begin)) / float64(a.End.Sub(*a.Begin)) }
		b.Placed = true
		b.Start = at(b.Job.StartedAt)
		b.Wait, b.End = b.Start, b.Start
		if b.Job.CreatedAt != nil {
			b.Wait = min(at(b.Job.CreatedAt), b.Start)
		}
		if b.Job.CompletedAt != nil {
			b.End = max(at(b.Job.CompletedAt), b.Start)
		}
	}
}

// Waited and Ran are widths; what took no time is still to be seen.
func (b bar) Waited() float64 { return b.Start - b.Wait }

// Ran is the width of the time that the job ran.
func (b bar) Ran() float64 { return max(b.End-b.Start, 3) }
