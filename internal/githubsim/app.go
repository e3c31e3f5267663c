package githubsim

import (
	"cmp"
	"net/http"
	"slices"
)

// permissions are what an App that archives jobs asks for.
var permissions = object{{"actions", "read"}, {"metadata", "read"}}

// createToken is POST /app/installations/{installation_id}/access_tokens.
func (s *Server) createToken(c *call) {
	id := pathInt(c.r, "installation_id")
	rs, suspended := s.installation(id)
	switch {
	case len(rs) == 0:
		s.notFound(c.w, c.r)
	case suspended:
		s.apiError(c.w, http.StatusForbidden, "This installation has been suspended", docsApps)
	default:
		token, expires := s.issue(id)
		s.writeJSON(c, http.StatusCreated, object{
			{"token", token},
			{"expires_at", expires},
			{"permissions", permissions},
			{"repository_selection", "all"},
		})
	}
}

// listInstallations is GET /app/installations.
func (s *Server) listInstallations(c *call) {
	var ids []int64
	for _, r := range s.world.allRepositories() {
		if r.InstallationID != 0 {
			ids = append(ids, r.InstallationID)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	pg := pageOf(c.r, len(ids))
	all := []object(nil)
	for _, id := range ids[pg.from:pg.to] {
		all = append(all, s.installationObject(id))
	}
	pg.setLink(c.w.Header(), s.urlOf(c.r), c.r)
	s.writeJSON(c, http.StatusOK, all)
}

// getRepositoryInstallation is GET /repos/{owner}/{repo}/installation.
func (s *Server) getRepositoryInstallation(c *call) {
	r, ok := s.findRepository(c)
	switch {
	case !ok:
	case r.InstallationID == 0:
		s.notFound(c.w, c.r)
	default:
		s.writeJSON(c, http.StatusOK, s.installationObject(r.InstallationID))
	}
}

// listRepositories is GET /installation/repositories, for an installation's
// token.
func (s *Server) listRepositories(c *call) {
	if c.who.installation == 0 {
		s.apiError(c.w, http.StatusForbidden, "You must authenticate with an installation access token in order to list repositories for an installation.", docsApps)
		return
	}
	rs, _ := s.installation(c.who.installation)
	pg := pageOf(c.r, len(rs))
	list := []object(nil)
	for _, r := range rs[pg.from:pg.to] {
		list = append(list, repositoryObject(r))
	}
	pg.setLink(c.w.Header(), s.urlOf(c.r), c.r)
	s.writeJSON(c, http.StatusOK, object{
		{"total_count", len(rs)},
		{"repository_selection", "all"},
		{"repositories", list},
	})
}

// installation has the repositories of an installation; none: it does not exist.
func (s *Server) installation(id int64) (rs []Repository, suspended bool) {
	for _, r := range s.world.allRepositories() {
		if id != 0 && r.InstallationID == id {
			rs = append(rs, r)
		}
	}
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	_, suspended = s.world.suspended[id]
	return rs, suspended
}

func (s *Server) installationObject(id int64) object {
	rs, _ := s.installation(id)
	account := ownerObject(rs[0].Owner)
	var suspendedAt any
	s.world.mu.Lock()
	if at, ok := s.world.suspended[id]; ok {
		suspendedAt = at
	}
	s.world.mu.Unlock()
	return object{
		{"id", id},
		{"account", account},
		{"repository_selection", "all"},
		{"app_id", cmp.Or(s.o.AppID, 1)},
		{"app_slug", "jobs-archive"},
		{"target_id", accountID(rs[0].Owner)},
		{"target_type", "Organization"},
		{"permissions", permissions},
		{"events", []string{"workflow_job"}},
		{"created_at", founded},
		{"updated_at", founded},
		{"suspended_by", nil},
		{"suspended_at", suspendedAt},
	}
}
