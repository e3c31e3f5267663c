package githubsim

import (
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Rights are what a token may do, beside which repositories its owner belongs to. The
// zero value, and a token without any, may do all.
type Rights struct {
	// Scopes are those of a classic token, or of a Gitea's; nil: it has none of these
	// kinds. Without "repo", a classic one sees public repositories only.
	Scopes []string
	// Permissions are those of a fine-grained token, such as "metadata" and "actions";
	// nil: it is none. A repository of its owner's is seen whatever they are.
	Permissions []string
	// WithoutActions are repositories that the owner sees, but not their Actions: a
	// team of Gitea's may lack the unit.
	WithoutActions []int64
	// SingleSignOn is an organisation that has not been shown this token: what is
	// private of it is refused.
	SingleSignOn string
}

// rightsList has the rights of tokens, and the permissions of installations.
type rightsList struct {
	mu            sync.Mutex
	byToken       map[string]Rights
	installations map[int64][]string
}

// SetRights says what a token may do.
func (s *Server) SetRights(token string, r Rights) {
	s.rights.mu.Lock()
	defer s.rights.mu.Unlock()
	if s.rights.byToken == nil {
		s.rights.byToken = map[string]Rights{}
	}
	s.rights.byToken[token] = r
}

// SetInstallationPermissions says what tokens of an App's installation may do, from now
// on also those that were issued before; none set: all.
func (s *Server) SetInstallationPermissions(id int64, permissions ...string) {
	s.rights.mu.Lock()
	defer s.rights.mu.Unlock()
	if s.rights.installations == nil {
		s.rights.installations = map[int64][]string{}
	}
	s.rights.installations[id] = append([]string{}, permissions...)
}

// of finds the rights of a token.
func (l *rightsList) of(token string, who identity) Rights {
	l.mu.Lock()
	defer l.mu.Unlock()
	if who.installation != 0 {
		return Rights{Permissions: l.installations[who.installation]}
	}
	return l.byToken[token]
}

// aboutActions tells endpoints that need the permission Actions.
func aboutActions(e Endpoint) bool {
	switch e {
	case EndpointJob, EndpointLog, EndpointAttemptJobs, EndpointRunJobs, EndpointRuns, EndpointRun:
		return true
	}
	return false
}

// seesPrivate tells whether a token's kind lets it see what is private.
func (r Rights) seesPrivate(gitea bool) bool {
	return gitea || r.Scopes == nil || slices.Contains(r.Scopes, "repo")
}

// hides reports whether a repository needs single sign-on, which the token lacks: it is
// refused, and left out of lists.
func (r Rights) hides(repository Repository) bool {
	return repository.Private && r.SingleSignOn != "" && strings.EqualFold(r.SingleSignOn, repository.Owner)
}

// tellScopes sets the headers with a classic token's scopes.
func (s *Server) tellScopes(c *call) {
	if s.o.Gitea || c.who.rights.Scopes == nil {
		return
	}
	accepted := ""
	if c.endpoint != EndpointUser && c.endpoint != EndpointRateLimit {
		accepted = "repo"
	}
	c.w.Header().Set("X-Oauth-Scopes", strings.Join(c.who.rights.Scopes, ", "))
	c.w.Header().Set("X-Accepted-Oauth-Scopes", accepted)
}

// hasScopes reports whether a Gitea lets the token ask at all; otherwise it answers the
// request. A Gitea checks that before it looks whether the thing exists.
func (s *Server) hasScopes(c *call) bool {
	if !s.o.Gitea || c.who.rights.Scopes == nil {
		return true
	}
	var needs []string
	switch {
	case c.endpoint == EndpointUser:
		needs = []string{"read:user"}
	case c.endpoint == EndpointUserRepositories:
		needs = []string{"read:user", "read:repository"}
	case c.endpoint == EndpointRepository, aboutActions(c.endpoint):
		needs = []string{"read:repository"}
	}
	for _, scope := range needs {
		if !slices.Contains(c.who.rights.Scopes, scope) {
			s.apiError(c.w, http.StatusForbidden, "token does not have at least one of required scope(s): ["+scope+"]", "")
			return false
		}
	}
	return true
}

// mayAsk reports whether the token may ask this of a repository that it sees; otherwise
// it answers the request.
func (s *Server) mayAsk(c *call, r Repository) bool {
	rights := c.who.rights
	switch {
	case rights.hides(r):
		c.w.Header().Set("X-Github-Sso", "required; url=https://github.example/orgs/"+r.Owner+"/sso?authorization_request=AZSCKL")
		s.apiError(c.w, http.StatusForbidden, "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this organization.", docsREST)
	case aboutActions(c.endpoint) && slices.Contains(rights.WithoutActions, r.ID):
		s.apiError(c.w, http.StatusForbidden, "user should have specific read permission or be a repo admin or a site admin", "")
	case aboutActions(c.endpoint) && r.Private && rights.Permissions != nil && !slices.Contains(rights.Permissions, "actions"):
		kind := "personal access token"
		if c.who.installation != 0 {
			kind = "integration"
		}
		c.w.Header().Set("X-Accepted-Github-Permissions", "actions=read")
		s.apiError(c.w, http.StatusForbidden, "Resource not accessible by "+kind, docsRuns)
	default:
		return true
	}
	return false
}
