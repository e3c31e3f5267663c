package ghapi_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// names reads a listing of repositories: each as OWNER/NAME and installation, an
// error as its class.
func names(t testing.TB, seq iter.Seq2[ghapi.Repository, error]) (list []string) {
	t.Helper()
	for r, err := range seq {
		if err != nil {
			list = append(list, classOf(t, err).String())
			continue
		}
		list = append(list, described(r))
	}
	return list
}

func described(r ghapi.Repository) string {
	owner, name := r.Names()
	if r.InstallationID == nil {
		return fmt.Sprintf("%d %s/%s", r.ID, owner, name)
	}
	return fmt.Sprintf("%d %s/%s of %d", r.ID, owner, name, *r.InstallationID)
}

// A repository is named by owner and name, or by both in one where a server does
// not tell them apart.
func TestRepositoryNames(t *testing.T) {
	of := func(login, name, full string) ghapi.Repository {
		r := ghapi.Repository{Name: name, FullName: full}
		r.Owner.Login = login
		return r
	}
	for _, c := range []struct {
		r           ghapi.Repository
		owner, name string
	}{
		{of("acme", "rocket", "acme/rocket"), "acme", "rocket"},
		{of("acme", "rocket", ""), "acme", "rocket"},
		{of("", "rocket", "acme/rocket"), "acme", "rocket"},
		{of("acme", "", "acme/rocket"), "acme", "rocket"},
		{of("", "", "acme/rocket"), "acme", "rocket"},
		{of("", "", ""), "", ""},
		{of("", "rocket", ""), "", ""},
		{of("", "", "rocket"), "rocket", ""},
	} {
		if owner, name := c.r.Names(); owner != c.owner || name != c.name {
			t.Errorf("%+v: %q, %q", c.r, owner, name)
		}
	}
}

// A repository is found under its name, a former one, and its id; it says who may
// see it.
func TestRepositoryIsFound(t *testing.T) {
	gh, cs := app(t, githubsim.Options{}, ghapi.Config{})
	token := clientsOf(t, ghapi.Config{BaseURL: gh.URL(), Token: gh.Token()})
	gh.RenameRepository(repository.ID, owner, "starship")
	for _, c := range []struct {
		name string
		ask  func(context.Context) (ghapi.Repository, error)
		want string
	}{
		{"by its name", func(ctx context.Context) (ghapi.Repository, error) { return cs.Repository(ctx, owner, "starship") }, "3 acme/starship of 5"},
		{"by id", func(ctx context.Context) (ghapi.Repository, error) {
			return cs.RepositoryByID(ctx, &repository.InstallationID, 3)
		}, "3 acme/starship of 5"},
		{"by a former name, with the token", func(ctx context.Context) (ghapi.Repository, error) { return token.Repository(ctx, owner, repo) }, "3 acme/starship"},
		{"by id, with the token", func(ctx context.Context) (ghapi.Repository, error) { return token.RepositoryByID(ctx, nil, 3) }, "3 acme/starship"},
		{"by id, with the token, as an installation", func(ctx context.Context) (ghapi.Repository, error) {
			return token.RepositoryByID(ctx, &repository.InstallationID, 3)
		}, "3 acme/starship"},
	} {
		r, err := c.ask(t.Context())
		if err != nil || described(r) != c.want || r.Private == nil || !*r.Private {
			t.Errorf("%s: %s, %v; want %s", c.name, described(r), err, c.want)
		}
	}
	gh.RemoveRepository(3)
	_, err := cs.RepositoryByID(t.Context(), &repository.InstallationID, 3)
	refusal(t, err, ghapi.NotFound, 404, "get repository")
	_, err = token.Repository(t.Context(), owner, "starship")
	refusal(t, err, ghapi.NotFound, 404, "get repository")
}

// An answer must name a repository, and the one that was asked for.
func TestAnswersThatAreNoRepository(t *testing.T) {
	for body, message := range map[string]string{
		`{}`:                                "names no repository",
		`{"id":3}`:                          "names no repository",
		`{"id":3,"full_name":"rocket"}`:     "names no repository",
		`{"id":0,"full_name":"a/b"}`:        "names no repository",
		`{"id":-3,"full_name":"a/b"}`:       "names no repository",
		`{"id":"3"}`:                        "not the JSON expected",
		`<html>`:                            "not the JSON expected",
		`{"id":4,"full_name":"acme/other"}`: "asked for repository 3, got 4",
	} {
		gh := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
		_, err := clientsOf(t, ghapi.Config{BaseURL: gh.URL}).RepositoryByID(t.Context(), nil, 3)
		refusal(t, err, ghapi.Transient, -1, message)
	}
	gh := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"id":3,"full_name":"acme/rocket","private":null}`)
	})
	r, err := clientsOf(t, ghapi.Config{BaseURL: gh.URL}).Repository(t.Context(), owner, repo)
	if err != nil || described(r) != "3 acme/rocket" || r.Private != nil {
		t.Errorf("%+v, %v", r, err)
	}
}

// acmes adds three installations: 5 with 150 repositories, 6 with one, 7 with two.
func acmes(gh *githubsim.Server) (want []string) {
	for i := range int64(150) {
		gh.AddRepository(githubsim.Repository{ID: 100 + i, Owner: owner, Name: fmt.Sprint("rocket-", i), Private: true, InstallationID: 5})
	}
	gh.AddRepository(githubsim.Repository{ID: 600, Owner: "sixth", Name: "one", InstallationID: 6})
	gh.AddRepository(githubsim.Repository{ID: 700, Owner: "seventh", Name: "one", InstallationID: 7})
	gh.AddRepository(githubsim.Repository{ID: 701, Owner: "seventh", Name: "two", InstallationID: 7})
	want = append(want, "3 acme/rocket of 5")
	for i := range 150 {
		want = append(want, fmt.Sprintf("%d acme/rocket-%d of 5", 100+i, i))
	}
	return append(want, "600 sixth/one of 6", "700 seventh/one of 7", "701 seventh/two of 7")
}

// What the App sees is listed for all of its installations, page by page.
func TestVisibleRepositories(t *testing.T) {
	gh, cs := app(t, githubsim.Options{}, ghapi.Config{})
	want := acmes(gh)
	if diff := cmp.Diff(want, names(t, cs.Visible(t.Context()))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	gh.SuspendInstallation(6, time.Now())
	want = append(want[:151:151], want[152:]...)
	if diff := cmp.Diff(want, names(t, cs.Visible(t.Context()))); diff != "" {
		t.Errorf("with one suspended (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[:1], func() (first []string) {
		for r, err := range cs.Visible(t.Context()) {
			check(t, err)
			return []string{described(r)}
		}
		return nil
	}()); diff != "" {
		t.Errorf("the first (-want +got):\n%s", diff)
	}
}

// An installation that fails, at first or in the middle, says so, and those after
// it are listed all the same.
func TestVisibleGoesOnAfterAFailure(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault githubsim.Fault
		from  int // of what is wanted, after the error
		class string
	}{
		{"its first page", githubsim.Fault{Endpoint: githubsim.EndpointRepositories, Kind: githubsim.ServerError, Times: 1}, 151, "transient"},
		{"its token", githubsim.Fault{Endpoint: githubsim.EndpointToken, Kind: githubsim.NotFoundJSON, Times: 1}, 151, "denied"},
		{"its limit", githubsim.Fault{Endpoint: githubsim.EndpointRepositories, Kind: githubsim.TooMany, Times: 1}, 151, "rate limited"},
	} {
		gh, cs := app(t, githubsim.Options{}, ghapi.Config{})
		want := acmes(gh)
		gh.Inject(c.fault)
		if diff := cmp.Diff(append([]string{c.class}, want[c.from:]...), names(t, cs.Visible(t.Context()))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	gh, cs := app(t, githubsim.Options{}, ghapi.Config{})
	want := acmes(gh)
	gh.OnRequest(func(e githubsim.Endpoint, r *http.Request) {
		if e == githubsim.EndpointRepositories && r.URL.Query().Get("page") == "2" {
			gh.OnRequest(nil)
			gh.SuspendInstallation(6, time.Now()) // too late for the list
			gh.Inject(githubsim.Fault{Endpoint: githubsim.EndpointRepositories, Kind: githubsim.ServerError, Times: 1})
		}
	})
	want = append(append(want[:100:100], "transient", "denied"), want[152:]...)
	if diff := cmp.Diff(want, names(t, cs.Visible(t.Context()))); diff != "" {
		t.Errorf("its second page (-want +got):\n%s", diff)
	}
	gh.Inject(githubsim.Fault{Endpoint: githubsim.EndpointInstallations, Kind: githubsim.ServerError, Times: 1})
	if diff := cmp.Diff([]string{"transient"}, names(t, cs.Visible(t.Context()))); diff != "" {
		t.Errorf("the list of installations (-want +got):\n%s", diff)
	}
}

// A token does not say what it is for; nobody is asked.
func TestVisibleNeedsAnApp(t *testing.T) {
	gh := simulate(t, githubsim.Options{})
	cs := clientsOf(t, ghapi.Config{BaseURL: gh.URL(), Token: gh.Token()})
	if got := names(t, cs.Visible(t.Context())); len(got) != 0 || len(gh.Requests()) != 0 {
		t.Errorf("%v after %v", got, gh.Requests())
	}
}

// An owner's repositories are listed as far as they may be seen.
func TestOwnedRepositories(t *testing.T) {
	gh, cs := app(t, githubsim.Options{}, ghapi.Config{})
	want := acmes(gh)
	for name, cs := range map[string]*ghapi.Clients{"app": cs, "token": clientsOf(t, ghapi.Config{BaseURL: gh.URL(), Token: gh.Token()})} {
		t.Run(name, func(t *testing.T) {
			of := ""
			if name == "app" {
				of = " of 7"
			}
			if diff := cmp.Diff([]string{"700 seventh/one" + of, "701 seventh/two" + of}, names(t, cs.Owned(t.Context(), "Seventh"))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := names(t, cs.Owned(t.Context(), owner)); len(got) != 151 {
				t.Errorf("%d repositories, want %d", len(got), 151)
			}
			for range cs.Owned(t.Context(), owner) {
				break
			}
		})
	}
	if diff := cmp.Diff(want[:151], names(t, cs.Owned(t.Context(), owner))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"denied"}, names(t, cs.Owned(t.Context(), "nobody"))); diff != "" {
		t.Errorf("of whom the App is not installed (-want +got):\n%s", diff)
	}
}

// Who is no organisation may be a user; an error that says nothing of that is one.
func TestOwnedByAUser(t *testing.T) {
	const one = `[{"id":3,"full_name":"jane/rocket"},{"id":0,"full_name":"jane/none"},{"id":4},{"id":5,"name":"lander","owner":{"login":"jane"}}]`
	type answer struct {
		status int
		body   string
	}
	gone := answer{404, `{"message":"Not Found"}`}
	for _, c := range []struct {
		name        string
		orgs, users answer
		want        []string
		asked       int
	}{
		{"an organisation", answer{200, one}, answer{500, ""}, []string{"3 jane/rocket", "5 jane/lander"}, 1},
		{"an organisation without any", answer{200, `[]`}, answer{500, ""}, nil, 1},
		{"a user", gone, answer{200, one}, []string{"3 jane/rocket", "5 jane/lander"}, 2},
		{"a user without any", gone, answer{200, `[]`}, nil, 2},
		{"nobody", gone, gone, []string{"not found"}, 2},
		{"a refusal", answer{403, `{}`}, answer{200, one}, []string{"denied"}, 1},
		{"an error", answer{500, ``}, answer{200, one}, []string{"transient"}, 1},
		{"an error of the second", gone, answer{500, ``}, []string{"transient"}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			var paths []string
			gh := serve(t, func(w http.ResponseWriter, r *http.Request) {
				paths = append(paths, r.URL.RequestURI())
				a := c.orgs
				if r.URL.Path == "/users/jane/repos" {
					a = c.users
				}
				w.WriteHeader(a.status)
				fmt.Fprint(w, a.body)
			})
			if diff := cmp.Diff(c.want, names(t, clientsOf(t, ghapi.Config{BaseURL: gh.URL}).Owned(t.Context(), "jane"))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"/orgs/jane/repos?per_page=100", "/users/jane/repos?per_page=100"}[:c.asked], paths); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

// Who sees a repository is asked again once it is forgotten, however its name was
// written.
func TestForgottenInstallationIsLookedUpAgain(t *testing.T) {
	gh, cs := app(t, githubsim.Options{}, ghapi.Config{}, completed(7, githubsim.Log{}))
	lookups := func() int64 { return gh.Requests()[githubsim.EndpointInstallation] }
	before, err := cs.For(t.Context(), nil, owner, repo)
	check(t, err)
	moved := repository
	moved.InstallationID = 6
	gh.AddRepository(moved)
	cs.Forget(owner, "another")
	if c, err := cs.For(t.Context(), nil, owner, repo); c != before || err != nil || lookups() != 1 {
		t.Errorf("another client (%v) after %d lookups", err, lookups())
	}
	cs.Forget("Acme", "ROCKET")
	after, err := cs.For(t.Context(), nil, owner, repo)
	if err != nil || after == before || lookups() != 2 {
		t.Errorf("the same client (%v) after %d lookups", err, lookups())
	}
}

// classOf is the class of an error of this package.
func classOf(t testing.TB, err error) ghapi.Class {
	t.Helper()
	var e *ghapi.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is none of this package's", err)
	}
	return e.Class
}

// A repository that is asked for again is sent only if something changed: the same
// answer costs nothing of the limit.
func TestUnchangedRepositoryIsNotSentAgain(t *testing.T) {
	name, sent, spared := "rocket", 0, 0
	gh := serve(t, func(w http.ResponseWriter, r *http.Request) {
		etag := `"` + name + `"`
		w.Header().Set("ETag", etag)
		if r.Header.Get("If-None-Match") == etag {
			spared++
			w.WriteHeader(http.StatusNotModified)
			return
		}
		sent++
		fmt.Fprintf(w, `{"id": 3, "name": %q, "owner": {"login": "acme"}}`, name)
	})
	cs, err := ghapi.New(ghapi.Config{BaseURL: gh.URL, Token: "t", Concurrency: 1, UserAgent: "test"})
	check(t, err)
	t.Cleanup(cs.Close)
	for _, now := range []string{"rocket", "rocket", "rakete", "rakete", "rocket"} {
		name = now
		r, err := cs.Repository(t.Context(), "acme", "rocket")
		check(t, err)
		if r.ID != 3 || r.Name != now {
			t.Errorf("%+v, want %s", r, now)
		}
	}
	if sent != 3 || spared != 2 {
		t.Errorf("sent %d times, spared %d times", sent, spared)
	}
}
