package githubsim

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v60/github"
)

const appID = 4242

var appKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// appTransport signs with the App's key.
func appTransport(t *testing.T, s *Server, id int64, key *rsa.PrivateKey) *ghinstallation.AppsTransport {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	app := ghinstallation.NewAppsTransportFromPrivateKey(transport, id, key)
	app.BaseURL = strings.TrimSuffix(s.URL(), "/")
	return app
}

func TestAppInstallation(t *testing.T) {
	s := start(t, Options{AppID: appID, AppKey: &appKey().PublicKey})
	s.AddJob(aJob(77))
	foreign := Repository{ID: 2, Owner: "other", Name: "secret", Private: true, InstallationID: 60002}
	s.AddRepository(foreign)
	app := appTransport(t, s, appID, appKey())

	found, _, err := hub(t, s, app).Apps.FindRepositoryInstallation(t.Context(), "acme", "rocket")
	if err != nil || found.GetID() != 60001 {
		t.Fatal(found, err)
	}
	c := hub(t, s, ghinstallation.NewFromAppsTransport(app, found.GetID()))
	if j, _, err := c.Actions.GetWorkflowJobByID(t.Context(), "acme", "rocket", 77); err != nil || j.GetID() != 77 {
		t.Error(j, err)
	}
	repos, _, err := c.Apps.ListRepos(t.Context(), nil)
	if err != nil || repos.GetTotalCount() != 1 || repos.Repositories[0].GetFullName() != "Acme/rocket" {
		t.Error(repos, err)
	}
	// Another installation's private repository does not exist.
	foreignJob := aJob(88)
	foreignJob.RepositoryID = foreign.ID
	s.AddJob(foreignJob)
	_, resp, err := c.Actions.GetWorkflowJobByID(t.Context(), "other", "secret", 88)
	if err == nil || resp.StatusCode != http.StatusNotFound {
		t.Error(resp, err)
	}
	if s.Requests()[EndpointToken] != 1 {
		t.Errorf("requests %v", s.Requests())
	}
}

func TestListAndSuspendInstallations(t *testing.T) {
	c := &clock{now: time.Now()}
	s := start(t, Options{AppID: appID, AppKey: &appKey().PublicKey, Now: c.Now})
	s.AddRepository(Repository{ID: 2, Owner: "other", Name: "secret", InstallationID: 60002})
	s.SuspendInstallation(60002, c.Now())
	app := appTransport(t, s, appID, appKey())
	list, _, err := hub(t, s, app).Apps.ListInstallations(t.Context(), nil)
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	if list[0].SuspendedAt != nil || list[1].GetSuspendedAt().IsZero() || list[1].GetAccount().GetLogin() != "other" {
		t.Error(list)
	}
	for id, want := range map[int64]int{60001: 201, 60002: 403, 60003: 404} {
		_, err := ghinstallation.NewFromAppsTransport(app, id).Token(t.Context())
		var failed *ghinstallation.HTTPError
		if want == 201 && err != nil || want != 201 && (!errors.As(err, &failed) || failed.Response.StatusCode != want) {
			t.Errorf("%d: %v, want %d", id, err, want)
		}
		if failed != nil {
			failed.Response.Body.Close()
		}
	}
	// A token dies after an hour.
	token, err := ghinstallation.NewFromAppsTransport(app, 60001).Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{404, 401} {
		resp, body := get(t, s, "repos/acme/rocket/actions/jobs/1", "Authorization", "token "+token)
		wantStatus(t, resp, body, want)
		c.forward(time.Hour)
	}
}

func TestBadJWT(t *testing.T) {
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		id     int64
		key    *rsa.PrivateKey
		ahead  time.Duration // of the server's clock
		noApp  bool
		status int
		says   string
	}{
		"right":           {id: appID, key: appKey(), status: 200},
		"another key":     {id: appID, key: other, status: 401, says: "could not be decoded"},
		"another App":     {id: 1, key: appKey(), status: 404, says: "Integration not found"},
		"expired":         {id: appID, key: appKey(), ahead: time.Hour, status: 401, says: "must be a numeric value"},
		"too far ahead":   {id: appID, key: appKey(), ahead: -time.Hour, status: 401, says: "too far in the future"},
		"no App at all":   {id: appID, key: appKey(), noApp: true, status: 401, says: "could not be decoded"},
		"from the future": {id: appID, key: appKey(), ahead: -3 * time.Minute, status: 401, says: "'Issued at'"},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{AppID: appID, AppKey: &appKey().PublicKey, Now: func() time.Time { return time.Now().Add(c.ahead) }}
			if c.noApp {
				o.AppKey = nil
			}
			s := start(t, o)
			_, resp, err := hub(t, s, appTransport(t, s, c.id, c.key)).Apps.ListInstallations(t.Context(), nil)
			if resp == nil || resp.StatusCode != c.status || c.says != "" && !strings.Contains(err.Error(), c.says) {
				t.Error(resp, err)
			}
		})
	}
}

func TestJWTThatIsNone(t *testing.T) {
	s := start(t, Options{AppID: appID, AppKey: &appKey().PublicKey})
	for _, token := range []string{"", "sim-token", "a.b.c", "e30.e30.e30", "eyJhbGciOiJub25lIn0.e30.", "!.!.!"} {
		resp, body := get(t, s, "app/installations", "Authorization", "Bearer "+token)
		wantStatus(t, resp, body, 401)
	}
	// And the App's own token opens nothing else.
	resp, body := get(t, s, "installation/repositories")
	wantStatus(t, resp, body, 403)
	var said github.ErrorResponse
	if err := json.Unmarshal([]byte(body), &said); err != nil || said.Message == "" {
		t.Error(body, err)
	}
}
