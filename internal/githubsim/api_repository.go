package githubsim

import (
	"net/http"
	"strings"
)

// getRepository is GET /repos/{owner}/{repo}.
func (s *Server) getRepository(c *call) {
	if r, ok := s.findRepository(c); ok {
		s.writeJSON(c, http.StatusOK, s.repositoryObject(r))
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
	s.writeJSON(c, http.StatusOK, s.pageOfRepositories(c, seen))
}

// pageOfRepositories is the page of a listing that was asked for, and sets the
// links to its others.
func (s *Server) pageOfRepositories(c *call, rs []Repository) []object {
	pg := s.pageOf(c.r, len(rs))
	list := []object{}
	for _, r := range rs[pg.from:pg.to] {
		list = append(list, s.repositoryObject(r))
	}
	s.setLinks(c, pg, s.urlOf(c.r), len(rs))
	return list
}
