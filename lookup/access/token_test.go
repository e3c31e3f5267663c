package access_test

import (
	"crypto/sha256"
	"regexp"
	"testing"
	"time"

	"github.com/jobvault/jobvault/lookup/access"
	"github.com/jobvault/jobvault/store"
)

// token makes one of jobvault's tokens.
func (f *fixture) token(name string, expires *time.Time, scopes ...string) string {
	f.T.Helper()
	token, digest := access.NewToken()
	f.Check(f.DB.AddReadToken(f.T.Context(), store.ReadToken{Name: name, Repositories: scopes, CreatedAt: *f.now.Load(), ExpiresAt: expires}, digest))
	return token
}

func TestTokenScopes(t *testing.T) {
	f := newFixture(t, access.Tokens)
	for name, c := range map[string]struct {
		scopes []string
		want   []store.Repository
	}{
		"one":            {[]string{"acme/rocket"}, []store.Repository{rocket}},
		"whatever case":  {[]string{"ACME/Rocket"}, []store.Repository{rocket}},
		"an owner's":     {[]string{"acme/*"}, []store.Repository{rocket, lander}},
		"an OWNER's":     {[]string{"Acme/*"}, []store.Repository{rocket, lander}},
		"several":        {[]string{"acme/lander", "other/*", "gone/gone"}, []store.Repository{lander, public}},
		"twice":          {[]string{"acme/lander", "acme/*"}, []store.Repository{rocket, lander}},
		"unknown":        {[]string{"acme/rocke", "acme/rocket2", "acm/*", "acme2/*", "rocket/acme"}, nil},
		"like a pattern": {[]string{"acme/r.cket", "acm_/rocket", ".*/*"}, nil},
	} {
		reader := f.as(f.token(name, nil, c.scopes...))
		if reader.Subject != "token "+name {
			t.Errorf("%s: the subject is %q", name, reader.Subject)
		}
		f.reads(reader, c.want...)
		f.lists(reader, c.want...)
	}
	if !f.gate.SignsIn() {
		t.Error("nobody has to say who it is")
	}
}

// A token is for a repository as it is called now: whoever takes an old name over
// takes what is allowed under it, and no more.
func TestTokenFollowsPresentNames(t *testing.T) {
	f := newFixture(t, access.Tokens)
	old, all := f.as(f.token("old", nil, "acme/rocket")), f.as(f.token("all", nil, "acme/*"))
	renamed := f.as(f.token("renamed", nil, "acme/starship"))
	f.see(store.Repository{ID: rocket.ID, Owner: "acme", Name: "starship"})
	f.reads(old)
	f.lists(old)
	f.reads(renamed, rocket)
	f.lists(renamed, rocket)
	f.reads(all, rocket, lander)
	// It is found by its old name, by whom it is readable for.
	f.names(renamed, "acme", "rocket", rocket)
	f.names(old, "acme", "rocket")
	// Another takes the name.
	other := store.Repository{ID: 9, Owner: "acme", Name: "rocket"}
	f.see(other)
	f.reads(old, other)
	f.names(old, "acme", "rocket", other)
	f.names(renamed, "acme", "rocket", rocket)
	f.names(all, "acme", "rocket", other, rocket)
	// It moves to another owner.
	f.see(store.Repository{ID: rocket.ID, Owner: "other", Name: "starship"})
	f.reads(renamed)
	f.reads(all, lander, other)
}

func TestTokenExpires(t *testing.T) {
	f := newFixture(t, access.Tokens)
	end := f.now.Load().Add(time.Hour).Truncate(time.Second)
	token := f.token("short", &end, "acme/*")
	reader := f.as(token)
	_, err := f.signIn(f.client, f.server.URL, token)
	f.Check(err)
	f.now.Store(new(end.Add(-time.Second)))
	f.reads(f.as(token), rocket, lander)
	if _, o := f.do(f.client, f.request("GET", f.server.URL, "")); o.err != nil {
		t.Errorf("the session ended before the token: %v", o.err)
	}
	f.now.Store(&end)
	f.worthless(token, reader)
}

func TestTokenIsRevoked(t *testing.T) {
	f := newFixture(t, access.Tokens)
	token, other := f.token("gone", nil, "acme/*"), f.token("other", nil, "acme/*")
	reader := f.as(token)
	_, err := f.signIn(f.client, f.server.URL, token)
	f.Check(err)
	f.reads(reader, rocket, lander)
	f.Check(f.DB.RevokeReadToken(t.Context(), "gone", *f.now.Load()))
	f.worthless(token, reader)
	f.reads(f.as(other), rocket, lander)
}

// worthless wants a token to be refused, in a header, in the session that was begun
// with it, and also where its reader was let in before.
func (f *fixture) worthless(token string, reader access.Reader) {
	f.T.Helper()
	f.refused(access.ErrBadCredentials, "Authorization", "Bearer "+token)
	_, o := f.do(f.client, f.request("GET", f.server.URL, ""))
	f.wants(o.err, access.ErrBadCredentials)
	_, err := f.signIn(f.browser(f.server), f.server.URL, token)
	f.wants(err, access.ErrBadCredentials)
	_, err = reader.MayRead(f.T.Context(), rocket)
	f.wants(err, access.ErrBadCredentials)
	_, err = reader.Repositories(f.T.Context())
	f.wants(err, access.ErrBadCredentials)
	for _, name := range []string{"rocket", "unknown"} {
		_, err = reader.Named(f.T.Context(), "acme", name)
		f.wants(err, access.ErrBadCredentials)
	}
}

func TestUnknownToken(t *testing.T) {
	f := newFixture(t, access.Tokens)
	known := f.token("known", nil, "acme/*")
	unknown, _ := access.NewToken()
	digest := sha256.Sum256([]byte(known))
	for _, bad := range []string{unknown, known + "x", known[:len(known)-1], known[len("jobvault_"):], token(1), string(digest[:])} {
		f.refused(access.ErrBadCredentials, "Authorization", basic("x", bad))
	}
}

func TestTokensWithoutDatabase(t *testing.T) {
	f := newFixture(t, access.Tokens)
	token := f.token("good", nil, "acme/*")
	reader := f.as(token)
	_, err := f.signIn(f.client, f.server.URL, token)
	f.Check(err)
	f.DB.Pool().Close()
	f.refused(access.ErrAway, "Authorization", "Bearer "+token)
	_, o := f.do(f.client, f.request("GET", f.server.URL, ""))
	f.wants(o.err, access.ErrAway)
	_, err = f.signIn(f.client, f.server.URL, token)
	f.wants(err, access.ErrAway)
	_, err = reader.MayRead(t.Context(), rocket)
	f.wants(err, access.ErrAway)
	_, err = reader.Repositories(t.Context())
	f.wants(err, access.ErrAway)
	_, err = reader.Named(t.Context(), "acme", "rocket")
	f.wants(err, access.ErrAway)
	_, o = f.do(f.client, f.request("DELETE", f.server.URL, ""))
	f.wants(o.err, access.ErrAway)
}

func TestNewTokens(t *testing.T) {
	pattern := regexp.MustCompile(`^jobvault_[A-Za-z0-9_-]{43}$`)
	seen := map[string]bool{}
	for range 100 {
		token, digest := access.NewToken()
		if !pattern.MatchString(token) || seen[token] || digest != sha256.Sum256([]byte(token)) {
			t.Fatalf("%q, %x", token, digest)
		}
		seen[token] = true
	}
}

func TestCheckScope(t *testing.T) {
	for _, good := range []string{"acme/rocket", "acme/*", "a/b", "Acme-Labs/.github", "acme_emu/a.b-c_d"} {
		if err := access.CheckScope(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "acme", "acme/", "/rocket", "*", "*/*", "*/rocket", "acme/ro*", "acme/**", "acme/rocket/x", " acme/rocket", "acme/rocket\n", "acme/a b", "acmé/x", "acme,x/y"} {
		if err := access.CheckScope(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// A name that is used again leads to the repository that has it, and not to the logs of
// the one that was deleted; also when something late is heard of that one.
func TestTokenOfAReusedName(t *testing.T) {
	f := newFixture(t, access.Tokens)
	one, all := f.as(f.token("one", nil, "acme/rocket")), f.as(f.token("all", nil, "acme/*"))
	f.reads(one, rocket)
	other := store.Repository{ID: 9, Owner: "Acme", Name: "Rocket"}
	f.see(other)
	late := f.Facts(31)
	late.Repository = store.Repository{ID: rocket.ID, Owner: "acme", Name: "rocket", SeenAt: time.Now(), NamedAt: time.Now().Add(-time.Hour)}
	f.Record(late)
	for _, reader := range []access.Reader{one, all} {
		may, err := reader.MayRead(t.Context(), rocket)
		if f.Check(err); may {
			t.Errorf("%s reads the one that was deleted", reader.Subject)
		}
		f.names(reader, "acme", "rocket", other)
	}
	f.reads(one, other)
	f.lists(one, other)
	f.reads(all, lander, other)
	f.lists(all, lander, other)
	// The newer one is renamed away: the name is nobody's until GitHub gives it to somebody.
	f.see(store.Repository{ID: 9, Owner: "acme", Name: "starship"})
	f.reads(one)
	f.lists(one)
	f.names(one, "acme", "rocket")
	f.see(rocket)
	f.reads(one, rocket)
	f.lists(one, rocket)
}
