package rest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/lookup/access"
	"github.com/jobvault/jobvault/store"
)

// secretJob is one of a repository that the readers of these tests may not read.
func secretJob(v *testenv.Vault) {
	facts := v.Facts(32)
	facts.Repository = store.Repository{ID: 9, Owner: "acme", Name: "secret", Private: new(true), SeenAt: v.At}
	facts.Job.RepositoryID, facts.Run.RepositoryID, facts.Run.ID, facts.Job.RunID = 9, 9, 3, 3
	facts.Run.WorkflowName = new("hidden")
	v.Record(facts)
	v.Settle(store.Settlement{JobID: 32, State: store.LogNone, Usage: &joblog.Usage{Actions: []joblog.Action{{Line: 1, Name: "acme/hidden", Ref: "v1"}}}})
}

// Whoever may not read a repository gets, for all that is in it, exactly what is
// answered for what does not exist.
func TestWhatMayNotBeReadIsAsIfItWereNot(t *testing.T) {
	v := testenv.NewVault(t)
	github, err := githubsim.Start(githubsim.Options{})
	v.Check(err)
	defer github.Close()
	for id, name := range map[int64]string{1: "rocket", 9: "secret"} {
		github.AddRepository(githubsim.Repository{ID: id, Owner: "acme", Name: name, Private: true})
	}
	github.AddUser("octo", "ghp_octo_octo_octo_octo", 1)
	clients, err := ghapi.New(ghapi.Config{BaseURL: github.URL(), Token: github.Token(), Concurrency: 50, UserAgent: "jobvault-test"})
	v.Check(err)
	defer clients.Close()
	token, digest := access.NewToken()
	v.Check(v.DB.AddReadToken(t.Context(), store.ReadToken{Name: "reader", Repositories: []string{"acme/rocket"}, CreatedAt: v.At}, digest))
	v.Record(v.Facts(31))
	v.Log(31, []byte("hello\n"))
	secretJob(v)
	for rule, c := range map[string]struct {
		gate  *access.Gate
		token string
	}{
		"tokens": {access.Tokens(v.DB), token},
		"github": {access.GitHub(v.DB, clients), "ghp_octo_octo_octo_octo"},
	} {
		f := serve(t, v, c.gate)
		auth := []string{"Authorization", "Bearer " + c.token}
		f.want(f.get("/repos/acme/rocket/actions/jobs/31", auth...), 200)
		f.want(f.get("/jobs/31/logs", auth...), 302)
		for there, nowhere := range map[string]string{
			"/repos/acme/secret/actions/jobs/32":                "/repos/acme/nothing/actions/jobs/32",
			"/repos/acme/secret/actions/jobs/32/logs":           "/repos/acme/nothing/actions/jobs/32/logs",
			"/repos/acme/secret/actions/runs/3/jobs":            "/repos/acme/nothing/actions/runs/3/jobs",
			"/repos/acme/secret/actions/runs/3/attempts/1/jobs": "/repos/acme/nothing/actions/runs/3/attempts/1/jobs",
			"/repos/acme/rocket/actions/jobs/32":                "/repos/acme/rocket/actions/jobs/99",
			"/repos/acme/rocket/actions/runs/3/jobs":            "/repos/acme/rocket/actions/runs/99/jobs",
			"/jobs/32/logs":                                     "/jobs/99/logs",
		} {
			a, b := f.get(there, auth...), f.get(nowhere, auth...)
			f.want(a, 404)
			a.Header.Del("Date")
			b.Header.Del("Date")
			if a.StatusCode != b.StatusCode || a.body != b.body || fmt.Sprint(a.Header) != fmt.Sprint(b.Header) {
				t.Errorf("%s: %s is told from %s", rule, there, nowhere)
			}
		}
		for there, nowhere := range map[string]string{
			"/jobs?repository=acme/secret": "/jobs?repository=acme/nothing",
			"/jobs?workflow=hidden":        "/jobs?workflow=nothing",
			"/uses?action=acme/hidden":     "/uses?action=acme/nothing",
		} {
			a, b := f.get(there, auth...), f.get(nowhere, auth...)
			f.want(a, 200)
			if a.body != b.body {
				t.Errorf("%s: %s is told from %s: %s", rule, there, nowhere, a.body)
			}
		}
		if a := f.get("/jobs", auth...); a.StatusCode != 200 || len(a.body) < 10 || !strings.Contains(a.body, `"id":31`) || strings.Contains(a.body, `"id":32`) {
			t.Errorf("%s: the list: %s", rule, a.body)
		}
		for what, header := range map[string]string{"none": "", "a wrong one": "Bearer ghp_wrong_wrong_wrong_wrong", "no token": "Bearer x", "another scheme": "Digest abc"} {
			a := f.get("/repos/acme/rocket/actions/jobs/31", "Authorization", header)
			f.want(a, 401)
			if a.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s, %s: no WWW-Authenticate", rule, what)
			}
		}
	}
	// GitHub is away: nobody can be let in, and nobody is told that he may not.
	f := serve(t, v, access.GitHub(v.DB, clients))
	github.Close()
	f.want(f.get("/repos/acme/rocket/actions/jobs/31", "Authorization", "Bearer ghp_other_other_other_other"), 503)
}

// By default, what comes from elsewhere reads nothing.
func TestNothingIsReadableFromElsewhere(t *testing.T) {
	f := newFixture(t)
	f.Record(f.Facts(31))
	f.want(f.get("/repos/acme/rocket/actions/jobs/31"), 200)
	f.want(f.get("/repos/acme/rocket/actions/jobs/31", "X-Forwarded-For", "192.0.2.1"), 403, "JOBVAULT_READ_AUTH")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url+"/api/v3/jobs", nil)
	f.Check(err)
	req.Host = "jobvault.example.com"
	resp, err := http.DefaultTransport.RoundTrip(req)
	f.Check(err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("by another name: %d", resp.StatusCode)
	}
}

// The API is not for pages of other sites, whichever way their browsers ask.
func TestOtherSitesReadNothing(t *testing.T) {
	f := newFixture(t)
	f.Record(f.Facts(31))
	f.Log(31, []byte("hello\n"))
	for _, path := range []string{
		"/jobs", "/jobs/31/logs", "/uses?action=a/b", "/search?pattern=hello", "/repos/acme/rocket/actions/jobs/31", "/repos/acme/rocket/actions/jobs/31/logs",
		"/repos/acme/rocket/actions/runs/2/jobs", "/repos/acme/rocket/actions/runs/2/attempts/1/jobs",
	} {
		for _, headers := range [][]string{
			{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"},
			{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"},
			{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Origin", "http://localhost:3000"},
			{"Origin", "https://evil.example"},
			{"Referer", "https://evil.example/"},
		} {
			f.want(f.get(path, headers...), 403, "Another site has a browser send this request")
		}
	}
	var reads int
	f.Check(f.DB.Pool().QueryRow(t.Context(), `SELECT count(*) FROM reads`).Scan(&reads))
	if reads != 0 {
		t.Errorf("%d readings are recorded", reads)
	}
	f.want(f.get("/jobs", "Sec-Fetch-Site", "same-origin"), 200)
}
