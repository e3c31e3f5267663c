package access_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/bradleyfalzon/ghinstallation/v2"

	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/lookup/access"
	"github.com/jobvault/jobvault/store"
)

// asked counts all requests to GitHub so far.
func asked(sim *githubsim.Server) (n int64) {
	for _, of := range sim.Requests() {
		n += of
	}
	return n
}

func TestGitHubUser(t *testing.T) {
	sim := simulated(t, githubsim.Options{Seed: 1})
	sim.AddUser("alice", token(1), rocket.ID)
	sim.AddUser("bob", token(2))
	f := newFixture(t, gitHubGate(t, sim))
	alice, bob := f.as(token(1)), f.as(token(2))
	if alice.Subject != "github alice" || bob.Subject != "github bob" {
		t.Errorf("they are %q and %q", alice.Subject, bob.Subject)
	}
	f.reads(alice, rocket, public)
	f.lists(alice, rocket) // public ones are found by their names only
	f.reads(bob, public)
	f.lists(bob)
	f.names(alice, "Acme", "ROCKET", rocket)
	f.names(alice, "acme", "lander")
	f.names(alice, "other", "public", public)
	f.names(bob, "acme", "rocket")
	if !f.gate.SignsIn() {
		t.Error("nobody has to say who it is")
	}
}

// What was renamed at GitHub, or deleted and made anew, is known by its id.
func TestGitHubKnowsByID(t *testing.T) {
	sim := simulated(t, githubsim.Options{Seed: 1})
	sim.AddUser("alice", token(1), rocket.ID)
	sim.AddUser("bob", token(2), 9)
	sim.RenameRepository(rocket.ID, "acme", "starship")
	sim.AddRepository(githubsim.Repository{ID: 9, Owner: "acme", Name: "rocket", Private: true})
	f := newFixture(t, gitHubGate(t, sim))
	f.reads(f.as(token(1)), rocket, public)
	f.reads(f.as(token(2)), public) // may read the name, not what the archive has under it
	f.names(f.as(token(2)), "acme", "rocket")
	sim.RemoveRepository(rocket.ID)
	f.later(access.AnswerLife)
	f.reads(f.as(token(1)), public)
}

func TestGitHubBadToken(t *testing.T) {
	sim := simulated(t, githubsim.Options{Seed: 1})
	f := newFixture(t, gitHubGate(t, sim))
	f.refused(access.ErrBadCredentials, "Authorization", "Bearer "+token(1))
	_, err := f.signIn(f.client, f.server.URL, token(1))
	f.wants(err, access.ErrBadCredentials)
	if n := asked(sim); n != 1 {
		t.Errorf("GitHub was asked %d times, want once", n)
	}
	// One that is good at first, and revoked.
	sim.AddUser("alice", token(2), rocket.ID)
	reader := f.as(token(2))
	sim.Inject(githubsim.Fault{Kind: githubsim.Unauthorized})
	_, err = reader.MayRead(t.Context(), rocket)
	f.wants(err, access.ErrBadCredentials)
	_, err = reader.Repositories(t.Context())
	f.wants(err, access.ErrBadCredentials)
	_, err = reader.Named(t.Context(), "acme", "unknown")
	f.wants(err, access.ErrBadCredentials)
	f.later(access.AnswerLife)
	f.refused(access.ErrBadCredentials, "Authorization", "Bearer "+token(2))
}

// A yes and a no are believed for a while, and not longer.
func TestGitHubAnswersAreKept(t *testing.T) {
	sim := simulated(t, githubsim.Options{Seed: 1})
	sim.AddUser("alice", token(1), rocket.ID)
	f := newFixture(t, gitHubGate(t, sim))
	f.refused(access.ErrBadCredentials, "Authorization", "Bearer "+token(2))
	before := func() {
		t.Helper()
		alice := f.as(token(1))
		f.reads(alice, rocket, public)
		f.lists(alice, rocket)
		f.names(alice, "acme", "unknown")
		f.refused(access.ErrBadCredentials, "Authorization", "Bearer "+token(2))
	}
	before()
	n := asked(sim)
	// Now it is the other way round, of which nothing is known yet.
	sim.AddUser("alicia", token(1), lander.ID)
	sim.AddUser("bob", token(2))
	before()
	f.later(access.AnswerLife - 1)
	before()
	if now := asked(sim); now != n {
		t.Errorf("GitHub was asked %d times more", now-n)
	}
	f.later(1)
	alice := f.as(token(1))
	if alice.Subject != "github alicia" {
		t.Errorf("the subject is %q", alice.Subject)
	}
	f.reads(alice, lander, public)
	f.lists(alice, lander)
	f.reads(f.as(token(2)), public)
}

// An answer is for the token that it was given to.
func TestGitHubAnswersAreTheTokensOwn(t *testing.T) {
	sim := simulated(t, githubsim.Options{Seed: 1})
	sim.AddUser("alice", token(1), rocket.ID, lander.ID)
	sim.AddUser("alice", token(2), rocket.ID)
	f := newFixture(t, gitHubGate(t, sim))
	wide, narrow := f.as(token(1)), f.as(token(2))
	for range 2 {
		f.reads(wide, rocket, lander, public)
		f.lists(wide, rocket, lander)
		f.reads(narrow, rocket, public)
		f.lists(narrow, rocket)
	}
}

// Nobody may change what is remembered.
func TestGitHubListIsACopy(t *testing.T) {
	sim := simulated(t, githubsim.Options{Seed: 1})
	sim.AddUser("alice", token(1), rocket.ID)
	f := newFixture(t, gitHubGate(t, sim))
	alice := f.as(token(1))
	ids, err := alice.Repositories(t.Context())
	f.Check(err)
	ids[0] = lander.ID
	f.lists(alice, rocket)
}

// A GitHub that does not answer, or not as it should, has not said no; and is asked
// again the next time.
func TestGitHubIsAway(t *testing.T) {
	sim := simulated(t, githubsim.Options{Seed: 1})
	sim.AddUser("alice", token(1), rocket.ID)
	sim.AddRepository(githubsim.Repository{ID: 8, Owner: "bob", Name: "own"})
	f := newFixture(t, gitHubGate(t, sim))
	for name, fault := range map[string]githubsim.Fault{
		"500":              {Kind: githubsim.ServerError},
		"502":              {Kind: githubsim.Status, Status: http.StatusBadGateway},
		"rate limit":       {Kind: githubsim.PrimaryLimit},
		"secondary limit":  {Kind: githubsim.SecondaryLimit},
		"too many":         {Kind: githubsim.TooMany},
		"cut":              {Kind: githubsim.CutBody},
		"a page of errors": {Kind: githubsim.HTML200},
	} {
		remove := sim.Inject(fault)
		f.refused(access.ErrAway, "Authorization", "Bearer "+token(1))
		_, err := f.signIn(f.client, f.server.URL, token(1))
		f.wants(err, access.ErrAway)
		remove()
		alice := f.as(token(1))
		remove = sim.Inject(fault)
		for range 2 {
			_, err = alice.MayRead(t.Context(), rocket)
			f.wants(err, access.ErrAway)
			_, err = alice.Repositories(t.Context())
			f.wants(err, access.ErrAway)
			_, err = alice.Named(t.Context(), "bob", "own") // which the archive has not
			f.wants(err, access.ErrAway)
		}
		remove()
		f.reads(alice, rocket, public)
		f.lists(alice, rocket)
		if t.Failed() {
			t.Fatalf("with %s", name)
		}
		f.later(access.AnswerLife)
	}
	// An answer that is known is known without GitHub.
	alice := f.as(token(1))
	f.reads(alice, rocket, public)
	f.Check(sim.Close())
	f.reads(f.as(token(1)), rocket, public)
	f.later(access.AnswerLife)
	f.refused(access.ErrAway, "Authorization", "Bearer "+token(1))
	_, err := alice.MayRead(t.Context(), rocket)
	f.wants(err, access.ErrAway)
}

// held holds requests to GitHub until release is called; arrived tells of each.
func held(sim *githubsim.Server) (arrived <-chan githubsim.Endpoint, release func()) {
	came, gate := make(chan githubsim.Endpoint, 100), make(chan struct{})
	sim.OnRequest(func(e githubsim.Endpoint, _ *http.Request) {
		came <- e
		<-gate
	})
	return came, sync.OnceFunc(func() { close(gate) })
}

func TestGitHubIsAskedOnce(t *testing.T) {
	sim := simulated(t, githubsim.Options{Seed: 1})
	sim.AddUser("alice", token(1), rocket.ID)
	f := newFixture(t, gitHubGate(t, sim))
	alice := f.as(token(1))
	arrived, release := held(sim)
	defer release()
	type said struct {
		may bool
		err error
	}
	answers := make(chan said)
	for range 100 {
		go func() {
			may, err := alice.MayRead(context.WithoutCancel(t.Context()), rocket)
			answers <- said{may, err}
		}()
	}
	<-arrived
	release()
	for range 100 {
		if a := <-answers; !a.may || a.err != nil {
			t.Errorf("%t, %v", a.may, a.err)
		}
	}
	if n := sim.Requests()[githubsim.EndpointRuns]; n != 1 {
		t.Errorf("GitHub was asked %d times", n)
	}
}

// Whoever asked first may go away: others wait for the answer.
func TestGitHubAnswersThoughTheFirstIsGone(t *testing.T) {
	sim := simulated(t, githubsim.Options{Seed: 1})
	sim.AddUser("alice", token(1), rocket.ID)
	f := newFixture(t, gitHubGate(t, sim))
	alice := f.as(token(1))
	arrived, release := held(sim)
	defer release()
	ctx, leave := context.WithCancel(t.Context())
	first := make(chan error)
	go func() {
		_, err := alice.MayRead(ctx, rocket)
		first <- err
	}()
	<-arrived
	leave()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("who went away got %v", err)
	}
	second := make(chan bool)
	go func() {
		may, err := alice.MayRead(context.WithoutCancel(t.Context()), rocket)
		second <- may && err == nil
	}()
	release()
	if !<-second {
		t.Error("the second got no answer")
	}
	if n := sim.Requests()[githubsim.EndpointRuns]; n != 1 {
		t.Errorf("GitHub was asked %d times", n)
	}
}

// The token of an App's installation has no login: its reader is named by the token's
// digest.
func TestGitHubInstallation(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	sim := simulated(t, githubsim.Options{Seed: 1, AppID: 7, AppKey: &key.PublicKey})
	sim.AddRepository(githubsim.Repository{ID: rocket.ID, Owner: "acme", Name: "rocket", Private: true, InstallationID: 5})
	f := newFixture(t, gitHubGate(t, sim))
	installation, err := ghinstallation.New(http.DefaultTransport, 7, 5, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	f.Check(err)
	installation.BaseURL = strings.TrimSuffix(sim.URL(), "/")
	token, err := installation.Token(t.Context())
	f.Check(err)
	reader := f.as(token)
	if !regexp.MustCompile(`^github token [0-9a-f]{8}$`).MatchString(reader.Subject) || strings.Contains(token, reader.Subject[len("github token "):]) {
		t.Errorf("the subject is %q", reader.Subject)
	}
	if again := f.as(token); again.Subject != reader.Subject {
		t.Errorf("the subject is %q, and then %q", reader.Subject, again.Subject)
	}
	f.reads(reader, rocket, public)
	f.lists(reader, rocket)
}

// GitHub is asked also after what is not in the archive: the time that the answer
// takes must not tell what is.
func TestUnknownNameIsAskedAfter(t *testing.T) {
	sim := simulated(t, githubsim.Options{Seed: 1})
	sim.AddUser("bob", token(2))
	f := newFixture(t, gitHubGate(t, sim))
	bob := f.as(token(2))
	for _, name := range []string{"rocket", "unknown", "unheard-of"} { // in the archive, and not
		for _, want := range []int64{1, 0} { // and then remembered
			before := asked(sim)
			f.names(bob, "acme", name)
			f.names(bob, "ACME", strings.ToUpper(name))
			if n := asked(sim) - before; n != want {
				t.Errorf("after %s GitHub was asked %d times, want %d", name, n, want)
			}
		}
	}
	// One that bob may read, but the archive has not.
	sim.AddRepository(githubsim.Repository{ID: 8, Owner: "bob", Name: "own"})
	f.names(bob, "bob", "own")
}

func TestNamesThatAreNone(t *testing.T) {
	sim := simulated(t, githubsim.Options{Seed: 1})
	sim.AddUser("alice", token(1), rocket.ID)
	f := newFixture(t, gitHubGate(t, sim))
	alice := f.as(token(1))
	before := asked(sim)
	for _, bad := range []string{"", ".", "..", "...", "a/b", "../user", "a b", "a%2fb", "é", "a\x00", "a\n", "a?x=1", "a#b", "*", strings.Repeat("a", 101)} {
		f.names(alice, bad, "rocket")
		f.names(alice, "acme", bad)
	}
	if n := asked(sim) - before; n != 0 {
		t.Errorf("GitHub was asked %d times", n)
	}
	f.see(store.Repository{ID: 8, Owner: "acme", Name: ".github"})
	sim.AddRepository(githubsim.Repository{ID: 8, Owner: "acme", Name: ".github"})
	f.names(alice, "acme", ".github", store.Repository{ID: 8})
}

// A repository is found by every name that it had, and a name by all that have it
// or had it, as far as they are readable.
func TestFormerNames(t *testing.T) {
	sim := simulated(t, githubsim.Options{Seed: 1})
	sim.AddUser("alice", token(1), rocket.ID, lander.ID)
	sim.AddUser("bob", token(2), lander.ID)
	f := newFixture(t, gitHubGate(t, sim))
	rename := func(id int64, name string) {
		sim.RenameRepository(id, "acme", name)
		f.see(store.Repository{ID: id, Owner: "acme", Name: name})
	}
	rename(rocket.ID, "starship")
	rename(rocket.ID, "voyager")
	alice, bob := f.as(token(1)), f.as(token(2))
	for _, name := range []string{"rocket", "Starship", "voyager"} {
		f.names(alice, "acme", name, rocket)
		f.names(bob, "acme", name)
	}
	rename(lander.ID, "rocket")
	f.names(alice, "acme", "rocket", lander, rocket) // who has it comes first
	f.names(bob, "acme", "rocket", lander)
	f.names(bob, "acme", "lander", lander)
}
