package rest_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/lookup/access"
	"github.com/jobvault/jobvault/store"
)

// withGitHub is an API whose readers bring tokens of a simulated GitHub.
func withGitHub(t *testing.T, v *testenv.Vault, repositories ...githubsim.Repository) (*fixture, *githubsim.Server) {
	t.Helper()
	sim, err := githubsim.Start(githubsim.Options{})
	v.Check(err)
	t.Cleanup(func() { v.Check(sim.Close()) })
	for _, r := range repositories {
		sim.AddRepository(r)
	}
	clients, err := ghapi.New(ghapi.Config{BaseURL: sim.URL(), Token: sim.Token(), Concurrency: 50, UserAgent: "jobvault-test"})
	v.Check(err)
	t.Cleanup(clients.Close)
	return serve(t, v, access.GitHub(v.DB, clients)), sim
}

// same wants two answers to be one and the same.
func (f *fixture) same(a, b answer, status int) {
	f.T.Helper()
	a.Header.Del("Date")
	b.Header.Del("Date")
	if a.StatusCode != status || b.StatusCode != status || a.body != b.body || fmt.Sprint(a.Header) != fmt.Sprint(b.Header) {
		f.T.Errorf("%s is told from %s:\n%d %v %s\n%d %v %s", a.Request.URL, b.Request.URL, a.StatusCode, a.Header, a.body, b.StatusCode, b.Header, b.body)
	}
}

// A token that sees a repository, but may not read its Actions, is told what it lacks;
// and is told nothing of whether the archive has that repository, or the job.
func TestATokenWithoutActionsLearnsNothing(t *testing.T) {
	v := testenv.NewVault(t)
	v.Record(v.Facts(31))
	v.Log(31, []byte("hello\n"))
	secretJob(v)
	f, sim := withGitHub(
		t, v,
		githubsim.Repository{ID: 1, Owner: "acme", Name: "rocket", Private: true},
		githubsim.Repository{ID: 9, Owner: "acme", Name: "secret", Private: true},
		githubsim.Repository{ID: 77, Owner: "acme", Name: "elsewhere", Private: true}, // not in the archive
	)
	sim.AddUser("octo", "ghp_octo_octo_octo_octo", 9, 77)
	sim.SetRights("ghp_octo_octo_octo_octo", githubsim.Rights{Permissions: []string{"metadata"}})
	auth := []string{"Authorization", "Bearer ghp_octo_octo_octo_octo"}
	for range 2 {
		for _, rest := range []string{"jobs/32", "jobs/32/logs", "runs/3/jobs", "runs/3/attempts/1/jobs"} {
			seen := f.get("/repos/acme/secret/actions/"+rest, auth...)
			f.want(seen, 403, "the token does not suffice: it needs the permission actions=read")
			f.same(seen, f.get("/repos/acme/elsewhere/actions/"+rest, auth...), 403)
			f.same(f.get("/repos/acme/rocket/actions/"+rest, auth...), f.get("/repos/acme/nothing/actions/"+rest, auth...), 404)
		}
		f.same(f.get("/jobs/32/logs", auth...), f.get("/jobs/99/logs", auth...), 404)
		f.same(f.get("/jobs/31/logs", auth...), f.get("/jobs/99/logs", auth...), 404)
		for _, list := range []string{"/jobs?", "/uses?action=acme/hidden&", "/search?pattern=hello&"} {
			f.same(f.get(list+"repository=acme/secret", auth...), f.get(list+"repository=acme/elsewhere", auth...), 403)
			f.same(f.get(list+"repository=acme/rocket", auth...), f.get(list+"repository=acme/nothing", auth...), 200)
			f.same(f.get(list+"repository=acme/", auth...), f.get(list+"repository=nobody/", auth...), 200)
		}
		f.want(f.get("/jobs", auth...), 200, `{"jobs":[],"next":""}`)
	}
}

// asker is what GitHub was asked for, and with which token.
type asker struct{ token, path string }

// However many read however much at once, GitHub is asked at most once in three minutes
// for a token and a repository.
func TestReadingCostsOneRequestForATokenAndARepository(t *testing.T) {
	v := testenv.NewVault(t)
	const callers, repositories, readings = 8, 6, 10
	var rs []githubsim.Repository
	for i := range int64(repositories) {
		r := githubsim.Repository{ID: i + 1, Owner: "acme", Name: fmt.Sprint("r", i+1), Private: true}
		rs = append(rs, r)
		facts := v.Facts(100 + i)
		facts.Repository = store.Repository{ID: r.ID, Owner: r.Owner, Name: r.Name, Private: new(true), SeenAt: v.At}
		facts.Job.RepositoryID, facts.Run.RepositoryID, facts.Run.ID, facts.Job.RunID = r.ID, r.ID, r.ID, r.ID
		v.Record(facts)
		v.Log(100+i, []byte("hello\n"))
	}
	f, sim := withGitHub(t, v, rs...)
	token := func(n int) string { return fmt.Sprintf("ghp_caller_%020d", n) }
	for n := range callers {
		sim.AddUser(fmt.Sprint("caller", n), token(n), 1, 2, 3, 4) // not the others
		rights := githubsim.Rights{Permissions: []string{"metadata", "actions"}}
		if n%2 == 1 {
			rights = githubsim.Rights{Scopes: []string{"repo"}}
		}
		sim.SetRights(token(n), rights)
	}
	var mu sync.Mutex
	asked := make(map[asker]int)
	sim.OnRequest(func(_ githubsim.Endpoint, req *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked[asker{req.Header.Get("Authorization"), req.URL.Path}]++
	})
	read := func(n int) {
		auth := []string{"Authorization", "Bearer " + token(n)}
		for i := range repositories {
			status := 404
			if i < 4 {
				status = 302
			}
			for _, path := range []string{"/jobs/%[1]d/logs", "/repos/acme/r%[2]d/actions/jobs/%[1]d/logs", "/repos/ACME/R%[2]d/actions/jobs/%[1]d/logs?lines=1-1"} {
				f.want(f.get(fmt.Sprintf(path, 100+i, i+1), auth...), status)
			}
		}
		f.want(f.get("/jobs", auth...), 200, `"id":103`)
		f.want(f.get("/uses?action=acme/none", auth...), 200)
	}
	var running sync.WaitGroup
	for n := range callers {
		for range readings / 5 { // side by side, with the same token
			running.Go(func() {
				for range 5 {
					read(n)
				}
			})
		}
	}
	running.Wait()
	most, total := 0, 0
	for what, n := range asked {
		if most, total = max(most, n), total+n; n > 1 {
			t.Errorf("asked %d times for %s", n, what.path)
		}
	}
	// Whose token it is, what it sees, and each repository.
	if want := callers * (2 + repositories); total > want {
		t.Errorf("%d requests, want at most %d", total, want)
	}
	t.Logf("%d readings of logs cost %d requests, at most %d for a token and a repository", callers*readings*repositories*3, total, most)
}
