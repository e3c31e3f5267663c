package githubsim

import (
	"cmp"
	"net/http"
)

// permissions are what an App that archives jobs asks for.
var permissions = object{{"actions", "read"}, {"metadata", "read"}}

// createToken is POST /app/installations/{installation_id}/access_tokens.
func (s *Server) createToken(c *call) {
	in, ok := s.world.installation(pathInt(c.r, "installation_id"))
	switch {
	case !ok:
		s.notFound(c.w, c.r)
	case in.suspendedAt != nil:
		s.apiError(c.w, http.StatusForbidden, "This installation has been suspended", docsApps)
	default:
		token, expires := s.issue(in.id)
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
	ids := s.world.allInstallations()
	pg := s.pageOf(c.r, len(ids))
	all := []object(nil)
	for _, id := range ids[pg.from:pg.to] {
		in, _ := s.world.installation(id)
		all = append(all, s.installationObject(in))
	}
	s.setLinks(c, pg, s.urlOf(c.r), len(ids))
	s.writeJSON(c, http.StatusOK, all)
}

// getRepositoryInstallation is GET /repos/{owner}/{repo}/installation.
func (s *Server) getRepositoryInstallation(c *call) {
	if r, ok := s.findRepository(c); ok {
		s.writeInstallation(c, r.InstallationID)
	}
}

// getOrganizationInstallation is GET /orgs/{org}/installation.
func (s *Server) getOrganizationInstallation(c *call) {
	s.writeInstallation(c, s.world.accountInstallation(c.r.PathValue("org")))
}

func (s *Server) writeInstallation(c *call, id int64) {
	in, ok := s.world.installation(id)
	if !ok {
		s.notFound(c.w, c.r)
		return
	}
	s.writeJSON(c, http.StatusOK, s.installationObject(in))
}

// listRepositories is GET /installation/repositories, for an installation's
// token.
func (s *Server) listRepositories(c *call) {
	if c.who.installation == 0 {
		s.apiError(c.w, http.StatusForbidden, "You must authenticate with an installation access token in order to list repositories for an installation.", docsApps)
		return
	}
	var rs []Repository
	for _, r := range s.world.allRepositories() {
		if r.InstallationID == c.who.installation {
			rs = append(rs, r)
		}
	}
	s.writeJSON(c, http.StatusOK, object{
		{"total_count", len(rs)},
		{"repository_selection", "all"},
		{"repositories", s.pageOfRepositories(c, rs)},
	})
}

func (s *Server) installationObject(in installation) object {
	return object{
		{"id", in.id},
		{"account", ownerObject(in.account)},
		{"repository_selection", "all"},
		{"app_id", cmp.Or(s.o.AppID, 1)},
		{"app_slug", "jobs-archive"},
		{"target_id", accountID(in.account)},
		{"target_type", "Organization"},
		{"permissions", permissions},
		{"events", []string{"workflow_job"}},
		{"created_at", founded},
		{"updated_at", founded},
		{"suspended_by", nil},
		{"suspended_at", in.suspendedAt},
	}
}
