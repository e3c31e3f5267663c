package githubsim

import (
	"net/http"
	"strings"
)

// getRepository is GET /repos/{owner}/{repo}.
func (s *Server) getRepository(c *call) {
	if r, ok := s.findRepository(c); ok {
		s.writeJSON(c, http.StatusOK, repositoryObject(r))
	}
}

// listOrgRepositories is GET /orgs/{org}/repos: those that the caller sees, which
// may be none. An organisation is whoever owns a repository.
func (s *Server) listOrgRepositories(c *call) {
	var (
		seen  []Repository
		known bool
	)
	for _, r := range s.world.allRepositories() {
		if !strings.EqualFold(r.Owner, c.r.PathValue("org")) {
			continue
		}
		known = true
		if c.who.sees(r) {
			seen = append(seen, r)
		}
	}
	if !known {
		s.notFound(c.w, c.r)
		return
	}
	pg := pageOf(c.r, len(seen))
	list := []object(nil)
	for _, r := range seen[pg.from:pg.to] {
		list = append(list, repositoryObject(r))
	}
	pg.setLink(c.w.Header(), s.urlOf(c.r), c.r)
	s.writeJSON(c, http.StatusOK, list)
}
