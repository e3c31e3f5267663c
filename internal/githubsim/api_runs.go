package githubsim

import (
	"net/http"
	"strings"
	"time"
)

// listRuns is GET …/actions/runs with the filters created and status. A search
// with a filter sees 1,000 runs at most, as GitHub's; a Gitea's has no such bound.
func (s *Server) listRuns(c *call) {
	r, ok := s.findRepository(c)
	if !ok {
		return
	}
	q := c.r.URL.Query()
	if !s.has().Created || s.strays.forgets() {
		q.Del("created")
	}
	created, ok := parseSpan(q.Get("created"))
	if !ok {
		s.apiError(c.w, http.StatusUnprocessableEntity, "Validation Failed", docsRuns)
		return
	}
	all := s.world.runsOf(r.ID)
	if s.o.Gitea {
		all = inGiteasOrder(all)
	}
	var runs []*run
	for _, u := range all {
		if created.has(u.created) && (q.Get("status") == "" || u.status == q.Get("status")) {
			runs = append(runs, u)
		}
	}
	if q.Has("created") {
		runs = s.strays.among(runs, all)
	}
	total, reachable := len(runs), len(runs)
	if (q.Has("created") || q.Has("status")) && !s.o.Gitea {
		reachable = min(reachable, 1000)
	}
	pg := s.pageOf(c.r, reachable)
	var list []object
	for _, u := range runs[pg.from:pg.to] {
		list = append(list, s.runObject(r, u))
	}
	s.setLinks(c, pg, s.byID(c.r, r), total)
	s.writeJSON(c, http.StatusOK, object{{"total_count", s.lies.total(c.endpoint, total)}, {"workflow_runs", list}})
}

// findRun finds the run that the path names, as its jobs; if there is none, the
// answer is 404.
func (s *Server) findRun(c *call) (Repository, []Job, bool) {
	r, ok := s.findRepository(c)
	if !ok {
		return Repository{}, nil, false
	}
	js := s.world.jobsOf(r.ID, pathInt(c.r, "run_id"))
	if len(js) == 0 {
		s.notFound(c.w, c.r)
	}
	return r, js, len(js) > 0
}

// getRun is GET …/actions/runs/{run_id}.
func (s *Server) getRun(c *call) {
	r, js, ok := s.findRun(c)
	if !ok {
		return
	}
	s.writeJSON(c, http.StatusOK, s.runObject(r, runOf(js)))
}

// run is a workflow run, as far as its jobs tell.
type run struct {
	first            Job
	attempt          int64 // the latest
	status           string
	created, updated time.Time
	started          time.Time // when the latest attempt was created
	began            time.Time // when its first job started; zero: none has
}

// runOf needs at least one job.
func runOf(js []Job) *run {
	u := &run{first: js[0], attempt: latestAttempt(js), status: "completed", created: js[0].CreatedAt}
	for _, j := range js {
		if j.CreatedAt.Before(u.created) {
			u.created = j.CreatedAt
		}
		if j.listedAttempt() == u.attempt && (u.started.IsZero() || j.CreatedAt.Before(u.started)) {
			u.started = j.CreatedAt
		}
		if j.listedAttempt() == u.attempt && !j.StartedAt.IsZero() && (u.began.IsZero() || j.StartedAt.Before(u.began)) {
			u.began = j.StartedAt
		}
		if j.CompletedAt != nil && j.CompletedAt.After(u.updated) {
			u.updated = *j.CompletedAt
		}
		if j.Status != "completed" {
			u.status = "in_progress"
		}
	}
	if u.updated.IsZero() {
		u.updated = u.created
	}
	return u
}

// span is a time with both ends in it; an end that is zero is open.
type span struct{ from, to time.Time }

func (s span) has(t time.Time) bool {
	return !t.Before(s.from) && (s.to.IsZero() || !t.After(s.to))
}

// parseSpan reads GitHub's search syntax for a time: A..B, >=A, >A, <=B, <B or A,
// where A and B are days or times and may be * in a range. Times are whole
// seconds. Nothing is everything.
func parseSpan(expr string) (s span, ok bool) {
	if expr == "" {
		return span{}, true
	}
	if from, to, isRange := strings.Cut(expr, ".."); isRange {
		var okTo bool
		s.from, _, ok = searchTime(from)
		_, s.to, okTo = searchTime(to)
		return s, ok && okTo
	}
	operand := strings.TrimLeft(expr, "<>=")
	first, last, ok := searchTime(operand)
	switch strings.TrimSuffix(expr, operand) {
	case "":
		s = span{first, last}
	case ">=":
		s.from = first
	case ">":
		s.from = last.Add(time.Second)
	case "<=":
		s.to = last
	case "<":
		s.to = first.Add(-time.Second)
	default:
		ok = false
	}
	return s, ok
}

// searchTime is the first and the last instant that a day or a time means.
func searchTime(expr string) (first, last time.Time, ok bool) {
	if expr == "*" {
		return first, last, true
	}
	if day, err := time.Parse(time.DateOnly, expr); err == nil {
		return day, day.Add(24*time.Hour - time.Second), true
	}
	t, err := time.Parse(time.RFC3339, expr)
	return t, t, err == nil
}
