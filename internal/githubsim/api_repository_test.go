package githubsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v60/github"
)

func TestGetRepository(t *testing.T) {
	s := start(t, Options{})
	c := hub(t, s, nil).WithAuthToken(s.Token())
	for _, ask := range []func() (*github.Repository, *github.Response, error){
		func() (*github.Repository, *github.Response, error) {
			return c.Repositories.Get(t.Context(), "aCME", "ROCKET")
		},
		func() (*github.Repository, *github.Response, error) {
			return c.Repositories.GetByID(t.Context(), rocket.ID)
		},
	} {
		r, _, err := ask()
		if err != nil || r.GetID() != rocket.ID || r.GetFullName() != "Acme/rocket" || !r.GetPrivate() || r.GetOwner().GetLogin() != "Acme" {
			t.Error(r, err)
		}
	}
	s.RenameRepository(rocket.ID, "Acme", "starship")
	resp, body := get(t, s, "repos/acme/rocket")
	wantStatus(t, resp, body, http.StatusMovedPermanently)
	if got, want := resp.Header.Get("Location"), s.URL()+"repositories/510001"; got != want {
		t.Errorf("Location %s, want %s", got, want)
	}
	if r, _, err := c.Repositories.Get(t.Context(), "acme", "rocket"); err != nil || r.GetName() != "starship" {
		t.Error(r, err)
	}
}

// TestNewNotFounds has the endpoints that do not exist, and why.
func TestNewNotFounds(t *testing.T) {
	s := start(t, Options{})
	for path, docs := range map[string]string{
		"repos/acme/nothing":                "repos/repos#get-a-repository",
		"repositories/7":                    "repos/repos#get-a-repository",
		"repos/acme/rocket/actions/runs/5":  "actions/workflow-runs#get-a-workflow-run",
		"repositories/510001/actions/runs/": "",
		"orgs/nobody/repos":                 "repos/repos#list-organization-repositories",
	} {
		resp, body := get(t, s, path)
		wantStatus(t, resp, body, http.StatusNotFound)
		if !strings.Contains(body, docsREST+"/"+docs) && docs != "" {
			t.Errorf("%s: %s", path, body)
		}
	}
}

func TestListOrgRepositories(t *testing.T) {
	s := start(t, Options{AppID: appID, AppKey: &appKey().PublicKey})
	for id := range int64(5) {
		s.AddRepository(Repository{ID: id + 1, Owner: "acme", Name: fmt.Sprint("r", id), Private: id > 2, InstallationID: 60002})
	}
	s.AddRepository(Repository{ID: 9, Owner: "other", Name: "secret", Private: true, InstallationID: 60003})
	installation := ghinstallation.NewFromAppsTransport(appTransport(t, s, appID, appKey()), 60001)
	for name, c := range map[string]struct {
		hub  *github.Client
		org  string
		want string
	}{
		"a user sees all":               {hub(t, s, nil).WithAuthToken(s.Token()), "ACME", "r0 r1 r2 r3 r4 rocket"},
		"an installation's and public":  {hub(t, s, installation), "acme", "r0 r1 r2 rocket"},
		"an organisation with no sight": {hub(t, s, installation), "other", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var (
				names []string
				opts  = &github.RepositoryListByOrgOptions{ListOptions: github.ListOptions{PerPage: 2}}
			)
			for {
				rs, resp, err := c.hub.Repositories.ListByOrg(t.Context(), c.org, opts)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range rs {
					names = append(names, r.GetName())
				}
				if opts.Page = resp.NextPage; opts.Page == 0 {
					break
				}
			}
			if got := strings.Join(names, " "); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestOrganizationInstallation(t *testing.T) {
	s := start(t, Options{AppID: appID, AppKey: &appKey().PublicKey})
	s.AddRepository(Repository{ID: 2, Owner: "other", Name: "open"})
	apps := hub(t, s, appTransport(t, s, appID, appKey())).Apps
	found, _, err := apps.FindOrganizationInstallation(t.Context(), "acme")
	if err != nil || found.GetID() != 60001 || found.GetAccount().GetLogin() != "Acme" {
		t.Error(found, err)
	}
	for _, org := range []string{"other", "nobody"} {
		if _, resp, err := apps.FindOrganizationInstallation(t.Context(), org); err == nil || resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %v", org, err)
		}
	}
	resp, body := get(t, s, "orgs/acme/installation") // not an App's JWT
	wantStatus(t, resp, body, http.StatusUnauthorized)
}

// TestFaultsOfNewEndpoints is true of all: faults know nothing of handlers.
func TestFaultsOfNewEndpoints(t *testing.T) {
	s := start(t, Options{})
	s.AddJob(aJob(1))
	for path, e := range map[string]Endpoint{
		"repos/acme/rocket":                   EndpointRepository,
		"repositories/510001":                 EndpointRepository,
		"repos/acme/rocket/actions/runs/9001": EndpointRun,
		"orgs/acme/repos":                     EndpointOrgRepositories,
		"orgs/acme/installation":              EndpointInstallation,
		"user":                                EndpointUser,
		"user/repos":                          EndpointUserRepositories,
	} {
		remove := s.Inject(Fault{Endpoint: e, Kind: Gone})
		resp, body := get(t, s, path)
		wantStatus(t, resp, body, http.StatusGone)
		remove()
		s.Inject(Fault{Endpoint: e, Kind: CutBody, Times: 1})
		if _, body, err := tryURL(t, s.URL()+path, "Authorization", "Bearer "+s.Token()); err == nil || json.Valid([]byte(body)) {
			t.Errorf("%s: the body is whole", path)
		}
	}
}

// A user sees what is public, and of the rest what he belongs to.
func TestUsersSeeWhatTheyBelongTo(t *testing.T) {
	s := start(t, Options{})
	for id, private := range map[int64]bool{1: true, 2: true, 3: false} {
		s.AddRepository(Repository{ID: id, Owner: "acme", Name: fmt.Sprint("r", id), Private: private})
	}
	s.AddUser("octo", "octo-token", 1)
	client := github.NewClient(nil).WithAuthToken("octo-token")
	client.BaseURL, _ = url.Parse(s.URL())
	user, _, err := client.Users.Get(t.Context(), "")
	if err != nil || user.GetLogin() != "octo" {
		t.Error(user, err)
	}
	list, _, err := client.Repositories.ListByAuthenticatedUser(t.Context(), nil)
	if err != nil || len(list) != 1 || list[0].GetID() != 1 {
		t.Error(list, err)
	}
	for id, want := range map[int64]int{1: 200, 2: 404, 3: 200} {
		if _, resp, _ := client.Repositories.GetByID(t.Context(), id); resp.StatusCode != want {
			t.Errorf("repository %d: %d, want %d", id, resp.StatusCode, want)
		}
	}
}
