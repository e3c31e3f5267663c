package githubsim

import (
	"net/http"
	"strings"
	"testing"
)

// asking is a request for a path with a token, and what it is answered.
type asking struct {
	path   string
	status int
	header string // NAME: VALUE; empty: whatever
	says   string
}

// asks makes requests with a token and compares their answers.
func asks(t *testing.T, s *Server, token string, as ...asking) {
	t.Helper()
	for _, a := range as {
		resp, body := get(t, s, a.path, "Authorization", "Bearer "+token)
		name, value, _ := strings.Cut(a.header, ": ")
		if resp.StatusCode != a.status || resp.Header.Get(name) != value || !strings.Contains(body, a.says) {
			t.Errorf("%s of %s: %d %v %.200s", a.path, token, resp.StatusCode, resp.Header, body)
		}
	}
}

func TestRightsOfTokens(t *testing.T) {
	s := start(t, Options{})
	s.AddJob(aJob(1))
	s.AddRepository(Repository{ID: 2, Owner: "other", Name: "open"})
	for token, rights := range map[string]Rights{
		"metadata": {Permissions: []string{"metadata"}},
		"actions":  {Permissions: []string{"metadata", "actions"}},
		"repo":     {Scopes: []string{"read:org", "repo"}},
		"none":     {Scopes: []string{}},
		"sso":      {Scopes: []string{"repo"}, SingleSignOn: "ACME"},
	} {
		s.AddUser("octo", token, rocket.ID)
		s.SetRights(token, rights)
	}
	const runs = "repositories/510001/actions/runs"
	refused := asking{runs, http.StatusForbidden, "X-Accepted-Github-Permissions: actions=read", "Resource not accessible by personal access token"}
	asks(t, s, "metadata", refused, asking{path: "repos/acme/rocket", status: 200}, asking{path: "user/repos", status: 200, says: "rocket"},
		asking{path: "repos/acme/rocket/actions/jobs/1/logs", status: 403}, asking{path: "repositories/2/actions/runs", status: 200})
	asks(t, s, "actions", asking{path: runs, status: 200}, asking{path: "repos/acme/rocket/actions/jobs/1", status: 200})
	asks(t, s, "repo", asking{path: runs, status: 200, header: "X-Oauth-Scopes: read:org, repo"}, asking{path: "user/repos", status: 200, says: "rocket"})
	asks(t, s, "none", asking{path: runs, status: 404, header: "X-Accepted-Oauth-Scopes: repo"}, asking{path: "user/repos", status: 200, says: "[]"},
		asking{path: "user", status: 200}, asking{path: "repositories/2/actions/runs", status: 200})
	asks(t, s, "sso", asking{path: "repos/acme/rocket", status: 403, says: "SAML"}, asking{path: "user/repos", status: 200, says: "[]"}, asking{path: "repositories/2/actions/runs", status: 200})
}

func TestRightsOfAnInstallation(t *testing.T) {
	s := start(t, Options{AppID: appID, AppKey: &appKey().PublicKey})
	token, _ := s.issue(rocket.InstallationID)
	const runs = "repositories/510001/actions/runs"
	asks(t, s, token, asking{path: runs, status: 200})
	s.SetInstallationPermissions(rocket.InstallationID, "metadata")
	asks(t, s, token, asking{runs, http.StatusForbidden, "X-Accepted-Github-Permissions: actions=read", "Resource not accessible by integration"},
		asking{path: "installation/repositories", status: 200, says: "rocket"})
}

func TestGitea(t *testing.T) {
	s := start(t, Options{Gitea: true})
	s.AddJob(aJob(1))
	for token, rights := range map[string]Rights{
		"good":    {Scopes: []string{"read:user", "read:repository"}},
		"no user": {Scopes: []string{"read:repository"}},
		"no repo": {Scopes: []string{"read:user"}},
		"no unit": {WithoutActions: []int64{rocket.ID}},
	} {
		s.AddUser("octo", token, rocket.ID)
		s.SetRights(token, rights)
	}
	const runs = "repos/acme/rocket/actions/runs?limit=1"
	asks(t, s, "good", asking{path: runs, status: 200}, asking{path: "repositories/510001", status: 200}, asking{path: "user", status: 200},
		asking{path: "user/repos", status: 200}, asking{path: "repos/acme/rocket/actions/jobs/1/logs", status: 200, says: "hello"},
		asking{path: "repositories/510001/actions/runs", status: 404}) // it has no such path
	asks(t, s, "no user", asking{path: "user", status: 403, says: "[read:user]"}, asking{path: runs, status: 200})
	asks(t, s, "no repo", asking{path: runs, status: 403, says: "[read:repository]"}, asking{path: "repos/acme/nothing", status: 403, says: "[read:repository]"},
		asking{path: "user", status: 200}, asking{path: "user/repos", status: 403})
	asks(t, s, "no unit", asking{path: runs, status: 403, says: "specific read permission"}, asking{path: "repositories/510001", status: 200})
	s.RenameRepository(rocket.ID, "acme", "starship")
	asks(t, s, "good", asking{path: runs, status: 301, header: "Location: " + s.URL() + "repos/acme/starship/actions/runs?limit=1"})
	for id := int64(1); id <= 3; id++ {
		s.AddRepository(Repository{ID: id, Owner: "acme", Name: "r" + string(rune('0'+id)), Private: true})
	}
	asks(t, s, s.Token(), asking{path: "user/repos?per_page=1&limit=2", status: 200, header: "Link: <" + s.URL() + "user/repos?limit=2&page=2&per_page=1>; rel=\"next\",<" + s.URL() + "user/repos?limit=2&page=2&per_page=1>; rel=\"last\""})
}
