package githubsim

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
)

// getJob is GET …/actions/jobs/{job_id}.
func (s *Server) getJob(c *call) {
	if r, j, ok := s.findJob(c); ok {
		s.writeJSON(c, http.StatusOK, s.jobObject(r, j))
	}
}

// listRunJobs is GET …/actions/runs/{run_id}/jobs: those of the latest attempt,
// or with filter=all those of every one.
func (s *Server) listRunJobs(c *call) {
	r, js, ok := s.findRun(c)
	if !ok {
		return
	}
	if c.r.URL.Query().Get("filter") != "all" || !s.has().FilterAll {
		js = attemptOf(js, latestAttempt(js))
	}
	s.writeJobs(c, r, js)
}

// listAttemptJobs is GET …/actions/runs/{run_id}/attempts/{attempt_number}/jobs.
func (s *Server) listAttemptJobs(c *call) {
	r, ok := s.findRepository(c)
	if !ok {
		return
	}
	js := attemptOf(s.world.jobsOf(r.ID, pathInt(c.r, "run_id")), pathInt(c.r, "attempt_number"))
	if len(js) == 0 {
		s.notFound(c.w, c.r)
		return
	}
	s.writeJobs(c, r, js)
}

func (s *Server) writeJobs(c *call, r Repository, js []Job) {
	pg := s.pageOf(c.r, len(js))
	var list []object
	for _, j := range js[pg.from:pg.to] {
		j.RunAttempt = cmp.Or(j.ListsRunAttempt, j.RunAttempt)
		list = append(list, s.jobObject(r, j))
	}
	s.setLinks(c, pg, s.byID(c.r, r), len(js))
	s.writeJSON(c, http.StatusOK, object{{"total_count", s.lies.total(c.endpoint, len(js))}, {"jobs", list}})
}

func latestAttempt(js []Job) int64 {
	var latest int64
	for _, j := range js {
		latest = max(latest, j.listedAttempt())
	}
	return latest
}

func attemptOf(js []Job, attempt int64) []Job {
	var out []Job
	for _, j := range js {
		if j.listedAttempt() == attempt {
			out = append(out, j)
		}
	}
	return out
}

// findJob finds the job of the path in the repository of the path, or answers.
func (s *Server) findJob(c *call) (Repository, Job, bool) {
	r, ok := s.findRepository(c)
	if !ok {
		return r, Job{}, false
	}
	j, ok := s.world.job(pathInt(c.r, "job_id"))
	if !ok || j.RepositoryID != r.ID {
		s.notFound(c.w, c.r)
		return r, j, false
	}
	return r, j, true
}

// findRepository finds the repository of the path, or answers: 404, or 301 if
// it has another name now.
func (s *Server) findRepository(c *call) (r Repository, ok bool) {
	var renamed bool
	if id := pathInt(c.r, "repository_id"); id != 0 {
		r, ok = s.world.repository(id)
	} else {
		r, renamed, ok = s.world.named(c.r.PathValue("owner"), c.r.PathValue("repo"))
	}
	switch {
	case !ok || !c.who.sees(r) || r.Private && !c.who.rights.seesPrivate(s.o.Gitea):
		s.notFound(c.w, c.r)
		return r, false
	case renamed:
		to := s.byID(c.r, r)
		if c.r.URL.RawQuery != "" {
			to += "?" + c.r.URL.RawQuery
		}
		c.w.Header().Set("Location", to)
		writeBody(c.w, http.StatusMovedPermanently, encode(object{
			{"message", "Moved Permanently"},
			{"url", to},
			{"documentation_url", docsREST + "/guides/best-practices-for-using-the-rest-api#follow-redirects"},
		}))
		return r, false
	}
	return r, s.mayAsk(c, r)
}

// byID returns the request's URL, without its query, with the repository named by its id.
// GitHub uses it for redirects and for links to other pages; Gitea, the present name.
func (s *Server) byID(r *http.Request, repository Repository) string {
	parts := strings.SplitN(strings.TrimPrefix(r.URL.Path, "/"), "/", 4) // repos, owner, name, perhaps more
	if r.PathValue("repository_id") != "" {
		return s.urlOf(r)
	}
	url := fmt.Sprintf("%srepositories/%d", s.URL(), repository.ID)
	if s.o.Gitea {
		url = fmt.Sprintf("%srepos/%s/%s", s.URL(), repository.Owner, repository.Name)
	}
	if len(parts) == 4 {
		url += "/" + parts[3]
	}
	return url
}
