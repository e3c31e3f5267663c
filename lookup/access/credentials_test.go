package access_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/lookup/access"
)

// token is a token as GitHub's look.
func token(n int) string { return fmt.Sprintf("ghp_%032d", n) }

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// Clients of GitHub send their tokens in all these ways.
func TestCredentials(t *testing.T) {
	sim := simulated(t, githubsim.Options{Seed: 1})
	sim.AddUser("alice", token(1))
	f := newFixture(t, gitHubGate(t, sim))
	for _, header := range []string{
		"Bearer " + token(1), "bearer " + token(1), "BEARER   " + token(1), "token " + token(1), "Token " + token(1),
		basic("alice", token(1)), basic("x-access-token", token(1)), basic(token(1), ""), basic(token(1), "x-oauth-basic"),
	} {
		reader, err := f.ask("Authorization", header)
		if err != nil || reader.Subject != "github alice" {
			t.Errorf("%q: %q, %v", header, reader.Subject, err)
		}
	}
	f.refused(access.ErrNoCredentials)
}

// GitHub is not asked about what cannot be a token.
func TestNoCredentials(t *testing.T) {
	sim := simulated(t, githubsim.Options{Seed: 1})
	f := newFixture(t, gitHubGate(t, sim))
	for _, header := range []string{
		"Bearer", "Bearer ", token(1), "Bearer:" + token(1), "Digest " + token(1), "Bearer ghp_short", "token " + strings.Repeat("x", 19),
		"Bearer " + strings.Repeat("x", 1001), "Bearer " + token(1) + " " + token(2), "Bearer " + token(1) + "\t" + token(2),
		"Bearer " + token(1) + "é", "Bearer " + token(1) + "\xff", "Basic", "Basic " + token(1), "Basic !!!", basic("", ""), basic("alice", "secret"),
		basic("alice", token(1)+"\r\nX-Evil: 1"), basic("alice", token(1)+"\x00"), basic("alice", "\x7f"+token(1)),
		"Basic " + base64.StdEncoding.EncodeToString([]byte(token(1))),
	} {
		f.refused(access.ErrBadCredentials, "Authorization", header)
	}
	for _, bad := range []string{"", "short", token(1) + "\n", token(1) + " x", token(1) + "\x00", strings.Repeat("x", 1001), "ключ" + token(1)} {
		resp, err := f.signIn(f.client, f.server.URL, bad)
		f.wants(err, access.ErrBadCredentials)
		if len(resp.Cookies()) > 0 {
			t.Errorf("%q: a session", bad)
		}
	}
	if n := sim.Requests(); len(n) > 0 {
		t.Errorf("GitHub was asked: %v", n)
	}
}

// A header counts before a cookie: who sends a bad token is not let in as somebody
// else.
func TestHeaderBeforeSession(t *testing.T) {
	sim := simulated(t, githubsim.Options{Seed: 1})
	sim.AddUser("alice", token(1))
	sim.AddUser("bob", token(2))
	f := newFixture(t, gitHubGate(t, sim))
	_, err := f.signIn(f.client, f.server.URL, token(1))
	f.Check(err)
	for header, want := range map[string]string{"": "github alice", "Bearer " + token(2): "github bob"} {
		_, o := f.do(f.client, f.request(http.MethodGet, f.server.URL, "", "Authorization", header))
		if o.err != nil || o.reader.Subject != want {
			t.Errorf("%q: %q, %v; want %q", header, o.reader.Subject, o.err, want)
		}
	}
	_, o := f.do(f.client, f.request(http.MethodGet, f.server.URL, "", "Authorization", "Bearer "+token(3)))
	f.wants(o.err, access.ErrBadCredentials)
}
