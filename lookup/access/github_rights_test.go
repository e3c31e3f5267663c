package access_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/bradleyfalzon/ghinstallation/v2"

	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/lookup/access"
	"github.com/jobvault/jobvault/store"
)

// forbidden wants an error that says what a token lacks.
func (f *fixture) forbidden(err error, needs string) {
	f.T.Helper()
	var e *access.ForbiddenError
	if !errors.As(err, &e) || e.Needs != needs || errors.Is(err, access.ErrAway) {
		f.T.Errorf("%v, want that it needs %s", err, needs)
	}
}

// runsAsked counts the questions for the runs of a repository.
func runsAsked(sim *githubsim.Server) int64 { return sim.Requests()[githubsim.EndpointRuns] }

// Seeing a repository is not reading its Actions.
func TestATokenThatMayNotReadActionsReadsNothing(t *testing.T) {
	sim := simulated(t, githubsim.Options{Seed: 1})
	f := newFixture(t, gitHubGate(t, sim))
	for i, rights := range []githubsim.Rights{
		{Permissions: []string{"metadata"}},
		{WithoutActions: []int64{rocket.ID}},
		{Scopes: []string{"gist"}},
		{Scopes: []string{"repo"}, SingleSignOn: "acme"},
	} {
		sim.AddUser("alice", token(i), rocket.ID, public.ID)
		sim.SetRights(token(i), rights)
		alice := f.as(token(i))
		f.reads(alice, public)
		f.lists(alice, public)
	}
	sim.AddUser("alice", token(9), rocket.ID)
	sim.SetRights(token(9), githubsim.Rights{Permissions: []string{"metadata", "actions"}})
	f.reads(f.as(token(9)), rocket, public)
	f.lists(f.as(token(9)), rocket)
}

// What a token lacks is said where it is the same whether the archive has the
// repository or not; and it is remembered.
func TestWhatATokenLacksTellsNothingOfTheArchive(t *testing.T) {
	sim := simulated(t, githubsim.Options{Seed: 1})
	sim.AddUser("alice", token(1), rocket.ID, 8)
	sim.SetRights(token(1), githubsim.Rights{Permissions: []string{"metadata"}})
	sim.AddRepository(githubsim.Repository{ID: 8, Owner: "acme", Name: "elsewhere", Private: true}) // not in the archive
	f := newFixture(t, gitHubGate(t, sim))
	alice := f.as(token(1))
	for range 2 {
		for _, name := range []string{"rocket", "elsewhere"} { // seen, without Actions
			rs, err := alice.Named(t.Context(), "acme", name)
			f.forbidden(err, "the permission actions=read")
			_, listed := alice.Listed(t.Context(), "acme/"+name)
			if len(rs) > 0 || listed == nil || listed.Error() != err.Error() {
				t.Errorf("%s: %v, %v", name, rs, listed)
			}
		}
		for _, name := range []string{"lander", "nothing"} { // not seen
			f.names(alice, "acme", name)
		}
		f.lists(alice)
	}
	if n := runsAsked(sim); n != 4 {
		t.Errorf("GitHub was asked %d times, want once for each name", n)
	}
	// By the id there is nothing to compare with.
	for _, r := range []store.Repository{rocket, lander, {ID: 99}} {
		if may, err := alice.MayRead(t.Context(), r); may || err != nil {
			t.Errorf("repository %d: %t, %v", r.ID, may, err)
		}
	}
}

// A token that may not even say whose it is does not make GitHub be away.
func TestATokenWithoutTheScopeToIdentify(t *testing.T) {
	sim := simulated(t, githubsim.Options{Seed: 1, Gitea: true})
	f := newFixture(t, gitHubGate(t, sim))
	for i, c := range []struct {
		scopes []string
		needs  string
	}{{[]string{"read:repository"}, "the scope read:user"}, {[]string{"read:misc"}, "the scope read:user"}} {
		sim.AddUser("alice", token(i), rocket.ID)
		sim.SetRights(token(i), githubsim.Rights{Scopes: c.scopes})
		before := asked(sim)
		for range 3 {
			_, err := f.ask("Authorization", "Bearer "+token(i))
			f.forbidden(err, c.needs)
			_, err = f.signIn(f.client, f.server.URL, token(i))
			f.forbidden(err, c.needs)
		}
		if n := asked(sim) - before; n != 1 {
			t.Errorf("it was asked %d times", n)
		}
	}
	sim.AddUser("alice", token(5), rocket.ID)
	sim.SetRights(token(5), githubsim.Rights{Scopes: []string{"read:user"}})
	alice := f.as(token(5))
	_, err := alice.Repositories(t.Context())
	f.forbidden(err, "the scope read:repository")
	for _, name := range []string{"rocket", "lander", "nothing"} {
		_, err := alice.Named(t.Context(), "acme", name)
		f.forbidden(err, "the scope read:repository")
	}
}

func TestGiteaAsksForWhatALogNeeds(t *testing.T) {
	sim := simulated(t, githubsim.Options{Seed: 1, Gitea: true})
	f := newFixture(t, gitHubGate(t, sim))
	sim.AddUser("alice", token(1), rocket.ID, lander.ID)
	sim.SetRights(token(1), githubsim.Rights{Scopes: []string{"read:user", "read:repository"}, WithoutActions: []int64{lander.ID}})
	alice := f.as(token(1))
	f.reads(alice, rocket, public)
	f.lists(alice, rocket)
	f.names(alice, "acme", "lander") // seen, but not the unit: that is a plain no
	f.names(alice, "acme", "nothing")
	sim.RenameRepository(rocket.ID, "acme", "starship")
	f.later(access.AnswerLife)
	f.reads(f.as(token(1)), rocket, public)
}

// installationToken is one of installation 5 of the App 7.
func installationToken(t *testing.T, sim *githubsim.Server, key *rsa.PrivateKey) string {
	t.Helper()
	installation, err := ghinstallation.New(http.DefaultTransport, 7, 5, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	if err != nil {
		t.Fatal(err)
	}
	installation.BaseURL = strings.TrimSuffix(sim.URL(), "/")
	token, err := installation.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// many are repositories beside those of all tests, at GitHub and in the archive.
func (f *fixture) many(sim *githubsim.Server, n int, installation int64) []int64 {
	f.T.Helper()
	ids := make([]int64, n)
	rs := make([]store.Repository, n)
	for i := range n {
		ids[i] = int64(1000 + i)
		rs[i] = store.Repository{ID: ids[i], Owner: "acme", Name: fmt.Sprint("r", i), Private: new(false)} // as it was
		sim.AddRepository(githubsim.Repository{ID: ids[i], Owner: "acme", Name: fmt.Sprint("r", i), Private: true, InstallationID: installation})
	}
	f.see(rs...)
	return ids
}

// An installation's token has the same permissions everywhere: one answer is for all.
func TestAnInstallationIsAskedAfterOnce(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	sim := simulated(t, githubsim.Options{Seed: 1, AppID: 7, AppKey: &key.PublicKey})
	f := newFixture(t, gitHubGate(t, sim))
	ids := f.many(sim, 300, 5)
	token := installationToken(t, sim, key)
	shown := func(want, requests int64) {
		t.Helper()
		before := runsAsked(sim)
		got, err := f.as(token).Repositories(t.Context())
		f.Check(err)
		if n := runsAsked(sim) - before; int64(len(got)) != want || n != requests {
			t.Errorf("%d repositories after %d questions, want %d after %d", len(got), n, want, requests)
		}
	}
	shown(300, 1)
	shown(300, 0)
	f.later(access.AnswerLife)
	sim.SetInstallationPermissions(5, "metadata")
	shown(0, 1)
	f.later(access.AnswerLife)
	sim.SetInstallationPermissions(5, "metadata", "actions")
	remove := sim.Inject(githubsim.Fault{Endpoint: githubsim.EndpointRuns, Kind: githubsim.Gone, Times: 1}) // the first one is no more
	shown(299, 2)
	remove()
	may, err := f.as(token).MayRead(t.Context(), store.Repository{ID: ids[7]})
	if !may || err != nil {
		t.Error(may, err)
	}
}

// A classic token tells by its scopes; of another, each repository is asked about that
// the archive has, and not more than a bound.
func TestListsAskAfterWhatTheyMust(t *testing.T) {
	sim := simulated(t, githubsim.Options{Seed: 1})
	f := newFixture(t, gitHubGate(t, sim))
	ids := f.many(sim, 201, 0)
	for id := int64(5000); id < 5010; id++ { // which the archive has not
		sim.AddRepository(githubsim.Repository{ID: id, Owner: "acme", Name: fmt.Sprint("x", id), Private: true})
		ids = append(ids, id)
	}
	list := func(i int, rights githubsim.Rights, belongs []int64) ([]int64, error) {
		t.Helper()
		sim.AddUser("alice", token(i), belongs...)
		sim.SetRights(token(i), rights)
		return f.as(token(i)).Repositories(t.Context())
	}
	got, err := list(1, githubsim.Rights{Scopes: []string{"repo"}}, ids)
	if len(got) != 201 || err != nil || runsAsked(sim) != 0 {
		t.Errorf("classic: %d, %v after %d questions", len(got), err, runsAsked(sim))
	}
	got, err = list(2, githubsim.Rights{Scopes: []string{"read:org"}}, append(ids, public.ID))
	if len(got) != 1 || got[0] != public.ID || err != nil || runsAsked(sim) != 0 {
		t.Errorf("classic, without repo: %v, %v after %d questions", got, err, runsAsked(sim))
	}
	fine := githubsim.Rights{Permissions: []string{"metadata", "actions"}, WithoutActions: ids[1:3]}
	got, err = list(3, fine, ids)
	if got != nil || !errors.Is(err, access.ErrTooMany) || runsAsked(sim) != 0 {
		t.Errorf("fine-grained, too many: %v, %v after %d questions", got, err, runsAsked(sim))
	}
	// One can be named all the same.
	if got, err = f.as(token(3)).Listed(t.Context(), "acme/r7"); len(got) != 1 || err != nil || runsAsked(sim) != 1 {
		t.Errorf("fine-grained, named: %v, %v after %d questions", got, err, runsAsked(sim))
	}
	// Or fewer, by another name that all filters take.
	if got, err = f.as(token(3)).Listed(t.Context(), "r8"); len(got) != 1 || err != nil || runsAsked(sim) != 2 {
		t.Errorf("fine-grained, by a part of the name: %v, %v after %d questions", got, err, runsAsked(sim))
	}
	if got, err = f.as(token(3)).Listed(t.Context(), "acme/"); !errors.Is(err, access.ErrTooMany) {
		t.Errorf("fine-grained, an owner's: %v, %v", got, err)
	}
	if got, err = f.as(token(3)).Listed(t.Context(), "other/"); len(got) != 0 || err != nil || runsAsked(sim) != 2 {
		t.Errorf("fine-grained, another's: %v, %v after %d questions", got, err, runsAsked(sim))
	}
	got, err = list(4, fine, ids[1:])
	if len(got) != 198 || err != nil || runsAsked(sim) != 2+200 {
		t.Errorf("fine-grained: %d, %v after %d questions", len(got), err, runsAsked(sim))
	}
	// GitHub being away for one is no shorter list.
	f.later(access.AnswerLife)
	remove := sim.Inject(githubsim.Fault{Endpoint: githubsim.EndpointRuns, Kind: githubsim.ServerError, Times: 1})
	_, err = f.as(token(4)).Repositories(t.Context())
	f.wants(err, access.ErrAway)
	remove()
	got, err = f.as(token(4)).Repositories(t.Context())
	if len(got) != 198 || err != nil {
		t.Errorf("again: %d, %v", len(got), err)
	}
}
