package pages_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/lookup/access"
	"github.com/jobvault/jobvault/store"
)

// People are told what their token lacks, when they sign in and on each page.
func TestPagesSayWhatATokenLacks(t *testing.T) {
	t.Parallel()
	v := testenv.NewVault(t)
	v.Record(v.Facts(31))
	v.Log(31, stamped("hello"))
	sim, err := githubsim.Start(githubsim.Options{})
	v.Check(err)
	defer sim.Close()
	clients, err := ghapi.New(ghapi.Config{BaseURL: sim.URL(), Token: sim.Token(), Concurrency: 10, UserAgent: "jobvault-test"})
	v.Check(err)
	defer clients.Close()
	f := serve(t, v, access.GitHub(v.DB, clients))
	sim.AddRepository(githubsim.Repository{ID: 1, Owner: "acme", Name: "rocket", Private: true})
	var many []int64
	var rs []store.Repository
	for id := int64(100); id < 301; id++ {
		name := fmt.Sprint("r", id)
		many, rs = append(many, id), append(rs, store.Repository{ID: id, Owner: "acme", Name: name})
		sim.AddRepository(githubsim.Repository{ID: id, Owner: "acme", Name: name, Private: true})
	}
	_, err = v.DB.SeeRepositories(t.Context(), rs)
	v.Check(err)
	sim.AddUser("octo", "ghp_octo_octo_octo_octo", append(many, 1)...)
	sim.SetRights("ghp_octo_octo_octo_octo", githubsim.Rights{Permissions: []string{"metadata"}})
	auth := []string{"Authorization", "Bearer ghp_octo_octo_octo_octo"}
	const lacks = "The token does not suffice: it needs the permission actions=read."
	for _, path := range []string{"/acme/rocket/jobs/31", "/acme/rocket/jobs/31/raw", "/acme/rocket/jobs/99", "/acme/rocket/runs/2", "/?repository=acme/rocket", "/overview?repository=acme/rocket", "/search?pattern=hello&repository=acme/rocket", "/uses?action=a/b&repository=acme/rocket"} {
		f.want(f.get(path, auth...), 403, lacks)
	}
	f.want(f.get("/acme/nothing/jobs/31", auth...), 404)
	f.want(f.get("/", auth...), 422, "More than 200 repositories would have to be asked after")
	f.want(f.get("/?repository=acme/nothing", auth...), 200) // without any to choose from
	// With what it needs, one repository can be looked at.
	sim.AddUser("octa", "ghp_octa_octa_octa_octa", append(many, 1)...)
	f.want(f.get("/?repository=acme/rocket", "Authorization", "Bearer ghp_octa_octa_octa_octa"), 200, "/acme/rocket/jobs/31")
}

func TestSigningInSaysWhatATokenLacks(t *testing.T) {
	t.Parallel()
	v := testenv.NewVault(t)
	sim, err := githubsim.Start(githubsim.Options{Gitea: true})
	v.Check(err)
	defer sim.Close()
	clients, err := ghapi.New(ghapi.Config{BaseURL: sim.URL(), Token: sim.Token(), Concurrency: 10, UserAgent: "jobvault-test"})
	v.Check(err)
	defer clients.Close()
	f := serve(t, v, access.GitHub(v.DB, clients))
	sim.AddUser("octo", "gitea_octo_octo_octo_octo")
	sim.SetRights("gitea_octo_octo_octo_octo", githubsim.Rights{Scopes: []string{"read:repository"}})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.url+"/sign-in", strings.NewReader(url.Values{"token": {"gitea_octo_octo_octo_octo"}}.Encode()))
	v.Check(err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a := f.do(req)
	if f.want(a, 403, "The token does not suffice: it needs the scope read:user.", `name="token"`); len(a.Cookies()) > 0 {
		t.Errorf("cookies: %v", a.Cookies())
	}
}
