package ghapi_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// What a 403 lacks is told in words, and is no limit, even with the last request of
// one; and a limit is never taken for it.
func TestWhatATokenLacksIsSaid(t *testing.T) {
	for name, c := range map[string]struct {
		headers map[string]string
		body    string
		class   ghapi.Class
		needs   string
	}{
		"fine-grained": {
			map[string]string{"X-Accepted-GitHub-Permissions": "actions=read"},
			`{"message":"Resource not accessible by personal access token"}`, ghapi.Denied, "the permission actions=read",
		},
		"several sets": {
			map[string]string{"X-Accepted-GitHub-Permissions": "actions=read,contents=read; administration=write"},
			`{"message":"Resource not accessible by integration"}`, ghapi.Denied, "the permission actions=read,contents=read or administration=write",
		},
		"the header is hostile": {
			map[string]string{"X-Accepted-GitHub-Permissions": "<b>=read"},
			`{"message":"Resource not accessible by integration"}`, ghapi.Denied, "a permission that it lacks, for logs Actions: read",
		},
		"the last request of the limit": {
			map[string]string{"X-RateLimit-Remaining": "0", "X-Accepted-GitHub-Permissions": "actions=read"},
			`{"message":"Resource not accessible by integration"}`, ghapi.Denied, "the permission actions=read",
		},
		"classic":           {map[string]string{"X-OAuth-Scopes": "gist, read:org", "X-Accepted-OAuth-Scopes": "repo"}, `{"message":"no"}`, ghapi.Denied, "the scope repo"},
		"classic, none":     {map[string]string{"X-OAuth-Scopes": "", "X-Accepted-OAuth-Scopes": "repo, user"}, `{"message":"no"}`, ghapi.Denied, "the scope repo or user"},
		"classic, has it":   {map[string]string{"X-OAuth-Scopes": "repo", "X-Accepted-OAuth-Scopes": "repo"}, `{"message":"no"}`, ghapi.Denied, ""},
		"classic, a part":   {map[string]string{"X-OAuth-Scopes": "admin:org", "X-Accepted-OAuth-Scopes": "read:org"}, `{"message":"no"}`, ghapi.Denied, ""},
		"classic, no need":  {map[string]string{"X-OAuth-Scopes": "gist", "X-Accepted-OAuth-Scopes": ""}, `{"message":"no"}`, ghapi.Denied, ""},
		"no classic one":    {map[string]string{"X-Accepted-OAuth-Scopes": "repo"}, `{"message":"no"}`, ghapi.Denied, ""},
		"single sign-on":    {map[string]string{"X-GitHub-SSO": "required; url=https://github.com/orgs/x/sso?authorization_request=SECRET"}, `{"message":"SAML"}`, ghapi.Denied, "single sign-on for the organization (Configure SSO, in the settings of the token)"},
		"Gitea":             {nil, `{"message":"token does not have at least one of required scope(s): [read:repository]"}`, ghapi.Denied, "the scope read:repository"},
		"a newer Gitea":     {nil, `{"message":"token does not have at least one of required scope(s), required=[read:user read:misc], token scope=read:issue"}`, ghapi.Denied, "the scope read:user or read:misc"},
		"Gitea, not said":   {nil, `{"message":"token does not have at least one of required scope(s)"}`, ghapi.Denied, "the scope read:repository, or read:user"},
		"Gitea, no unit":    {nil, `{"message":"user should have specific read permission or be a repo admin or a site admin"}`, ghapi.Denied, ""},
		"an allow list":     {map[string]string{"X-Accepted-GitHub-Permissions": "actions=read"}, `{"message":"the organization has an IP allow list enabled"}`, ghapi.Denied, ""},
		"the limit":         {map[string]string{"X-RateLimit-Remaining": "0", "X-OAuth-Scopes": "gist", "X-Accepted-OAuth-Scopes": "repo"}, `{"message":"API rate limit exceeded"}`, ghapi.RateLimited, ""},
		"a secondary limit": {map[string]string{"Retry-After": "60", "X-OAuth-Scopes": "", "X-Accepted-OAuth-Scopes": "repo"}, `{"message":"secondary"}`, ghapi.RateLimited, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for name, value := range c.headers {
					w.Header().Set(name, value)
				}
				http.Error(w, c.body, http.StatusForbidden)
			}))
			defer s.Close()
			_, err := clientsOf(t, ghapi.Config{BaseURL: s.URL}).Caller("ghp_of_somebody_or_other").MayReadActions(t.Context(), 3, owner, repo)
			var e *ghapi.Error
			if c.needs == "" && c.class == ghapi.Denied {
				if err != nil {
					t.Errorf("%v, want a plain no", err)
				}
				return
			}
			if !errors.As(err, &e) || e.Class != c.class || e.Needs != c.needs {
				t.Errorf("%+v", err)
			}
			if err != nil && strings.Contains(err.Error()+e.Needs, "SECRET") {
				t.Error("a link that signs in is repeated")
			}
		})
	}
}

// mayRead wants an answer about a repository's Actions, and how many requests it takes.
func mayRead(t *testing.T, gh *githubsim.Server, cs *ghapi.Clients, token string, id int64, want bool, requests int64) {
	t.Helper()
	before := total(gh)
	may, err := cs.Caller(token).MayReadActions(t.Context(), id, owner, repo)
	if err != nil || may != want {
		t.Errorf("repository %d with %s: %t, %v; want %t", id, token, may, err, want)
	}
	if n := total(gh) - before; n != requests {
		t.Errorf("repository %d with %s took %d requests, want %d", id, token, n, requests)
	}
}

func total(gh *githubsim.Server) (n int64) {
	for _, of := range gh.Requests() {
		n += of
	}
	return n
}

// What is asked is what a log needs; of GitHub in one request by the id.
func TestActionsAreAskedAfter(t *testing.T) {
	for _, gitea := range []bool{false, true} {
		gh := simulate(t, githubsim.Options{Gitea: gitea}, completed(7, githubsim.Log{}))
		cs := clientsOf(t, ghapi.Config{BaseURL: gh.URL()})
		n := int64(1)
		if gitea {
			n = 2
		}
		gh.AddUser("octo", "octo", repository.ID)
		mayRead(t, gh, cs, "octo", repository.ID, true, n)
		mayRead(t, gh, cs, "octo", 0, true, n)
		mayRead(t, gh, cs, "octo", 99, false, 1)
		gh.AddUser("nobody", "nobody")
		mayRead(t, gh, cs, "nobody", repository.ID, false, 1)
		mayRead(t, gh, cs, "nobody", 0, false, 1)
		gh.SetRights("octo", githubsim.Rights{WithoutActions: []int64{repository.ID}})
		mayRead(t, gh, cs, "octo", repository.ID, false, n)
		gh.SetRights("octo", githubsim.Rights{})
		gh.RenameRepository(repository.ID, "acme", "starship")
		mayRead(t, gh, cs, "octo", repository.ID, true, n)
	}
}

// A server that is taken for the wrong kind says no, and never yes.
func TestAServerOfAnUnknownKindSaysNo(t *testing.T) {
	gh := simulate(t, githubsim.Options{Gitea: true}, completed(7, githubsim.Log{}))
	gh.AddUser("octo", "octo", repository.ID)
	to, err := url.Parse(gh.URL())
	check(t, err)
	// At an address that does not tell that it is a Gitea.
	forward := httputil.NewSingleHostReverseProxy(to)
	transport := &http.Transport{}
	forward.Transport = transport
	defer transport.CloseIdleConnections()
	proxy := httptest.NewServer(http.StripPrefix("/git/", forward))
	defer proxy.Close()
	mayRead(t, gh, clientsOf(t, ghapi.Config{BaseURL: proxy.URL + "/git/"}), "octo", repository.ID, false, 1)
}

// A name that Gitea gives may be another repository's when its runs are asked for.
func TestRunsOfAnotherRepositoryAreNoYes(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body := `{"id":3,"name":"rocket","owner":{"login":"acme"}}`
		if strings.HasSuffix(req.URL.Path, "/actions/runs") {
			body = `{"total_count":1,"workflow_runs":[{"id":1,"repository":{"id":4}}]}`
		}
		w.Write([]byte(body))
	}))
	defer s.Close()
	for _, base := range []string{s.URL, s.URL + "/api/v1/"} {
		if may, err := clientsOf(t, ghapi.Config{BaseURL: base}).Caller("octo").MayReadActions(t.Context(), 3, owner, repo); may || err != nil {
			t.Errorf("%s: %t, %v", base, may, err)
		}
	}
}

// What is not a list of runs says nothing; an empty one, in whichever spelling, says yes.
func TestWhatIsNoListOfRunsIsNoYes(t *testing.T) {
	for body, want := range map[string]bool{
		`{"total_count":0,"workflow_runs":[]}`: true, `{"workflow_runs":null}`: true, `{"workflow_runs":[{"id":1}]}`: true,
		`{}`: false, `{"message":"hello"}`: false, `{"workflow_runs":{}}`: false, `[]`: false, `<html>`: false, ``: false,
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(body)) }))
		may, err := clientsOf(t, ghapi.Config{BaseURL: s.URL}).Caller("octo").MayReadActions(t.Context(), 3, owner, repo)
		if may != want || (err == nil) != want {
			t.Errorf("%s: %t, %v", body, may, err)
		}
		s.Close()
	}
}

// seen wants a listing of a token.
func seen(t *testing.T, cs *ghapi.Clients, token string, extent ghapi.Extent, n int) {
	t.Helper()
	got, err := cs.Caller(token).Repositories(t.Context())
	if err != nil || got.Extent != extent || len(got.Repositories) != n {
		t.Errorf("%s: %+v, %v; want %d with extent %d", token, got, err, n, extent)
	}
}

func TestWhatATokenSees(t *testing.T) {
	gh := simulate(t, githubsim.Options{})
	gh.AddRepository(githubsim.Repository{ID: 4, Owner: owner, Name: "open"})
	cs := clientsOf(t, ghapi.Config{BaseURL: gh.URL()})
	for token, rights := range map[string]githubsim.Rights{
		"fine": {Permissions: []string{"metadata"}}, "repo": {Scopes: []string{"gist", "repo"}}, "none": {Scopes: []string{}}, "public": {Scopes: []string{"public_repo"}},
	} {
		gh.AddUser("octo", token, repository.ID, 4)
		gh.SetRights(token, rights)
	}
	seen(t, cs, "fine", ghapi.ExtentUnknown, 2)
	seen(t, cs, "repo", ghapi.ExtentAll, 2)
	seen(t, cs, "none", ghapi.ExtentPublic, 1)
	seen(t, cs, "public", ghapi.ExtentPublic, 1)
}

// Whose token it is may be what a Gitea's token may not ask.
func TestScopesOfGitea(t *testing.T) {
	gh := simulate(t, githubsim.Options{Gitea: true})
	cs := clientsOf(t, ghapi.Config{BaseURL: gh.URL()})
	gh.AddUser("octo", "octo", repository.ID)
	gh.SetRights("octo", githubsim.Rights{Scopes: []string{"read:issue"}})
	lacks := func(err error, want string) {
		t.Helper()
		var e *ghapi.Error
		if !errors.As(err, &e) || e.Needs != want {
			t.Errorf("%v, want it to lack %s", err, want)
		}
	}
	_, err := cs.Caller("octo").Login(t.Context())
	lacks(err, "the scope read:user")
	_, err = cs.Caller("octo").Repositories(t.Context())
	lacks(err, "the scope read:user")
	for _, id := range []int64{repository.ID, 99, 0} { // whether there is one or not
		_, err = cs.Caller("octo").MayReadActions(t.Context(), id, owner, "nothing")
		lacks(err, "the scope read:repository")
	}
	gh.SetRights("octo", githubsim.Rights{Scopes: []string{"read:user", "read:repository"}})
	seen(t, cs, "octo", ghapi.ExtentUnknown, 1)
}
