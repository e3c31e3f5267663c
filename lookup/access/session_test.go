package access_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/jobvault/jobvault/lookup/access"
)

// sessions counts those that are kept.
func (f *fixture) sessions() (n int) {
	f.T.Helper()
	f.Check(f.DB.Pool().QueryRow(f.T.Context(), `SELECT count(*) FROM sessions`).Scan(&n))
	return n
}

// cookie is the one that an answer sets.
func (f *fixture) cookie(resp *http.Response) *http.Cookie {
	f.T.Helper()
	cookies := resp.Cookies()
	if len(cookies) != 1 {
		f.T.Fatalf("cookies: %v", cookies)
	}
	return cookies[0]
}

func TestSession(t *testing.T) {
	f := newFixture(t, access.Tokens)
	token := f.token("mine", nil, "acme/rocket")
	resp, err := f.signIn(f.client, f.server.URL, token)
	f.Check(err)
	c := f.cookie(resp)
	if c.Name != "jobvault_session" || c.Path != "/" || c.Domain != "" || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Secure || c.MaxAge != int(access.SessionLife.Seconds()) {
		t.Errorf("the cookie is %s", c)
	}
	if strings.Contains(c.Value, token) {
		t.Error("the cookie holds the token")
	}
	_, o := f.do(f.client, f.request(http.MethodGet, f.server.URL, ""))
	f.Check(o.err)
	if o.reader.Subject != "token mine" {
		t.Errorf("the subject is %q", o.reader.Subject)
	}
	f.reads(o.reader, rocket)
	f.lists(o.reader, rocket)

	// Again is another session, and ending it ends not the first.
	second := f.browser(f.server)
	again, err := f.signIn(second, f.server.URL, token)
	f.Check(err)
	if f.cookie(again).Value == c.Value {
		t.Error("two sessions have the same cookie")
	}
	resp, o = f.do(second, f.request(http.MethodDelete, f.server.URL, ""))
	f.Check(o.err)
	if gone := f.cookie(resp); gone.Name != c.Name || gone.Value != "" || gone.MaxAge >= 0 || gone.Path != "/" {
		t.Errorf("the cookie stays: %s", gone)
	}
	_, o = f.do(second, f.request(http.MethodGet, f.server.URL, ""))
	f.wants(o.err, access.ErrNoCredentials)
	// It has ended on the server, whoever kept the cookie.
	f.refused(access.ErrBadCredentials, "Cookie", c.Name+"="+f.cookie(again).Value)
	_, o = f.do(f.client, f.request(http.MethodGet, f.server.URL, ""))
	f.Check(o.err)
	if n := f.sessions(); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

func TestSignOutWithoutSession(t *testing.T) {
	f := newFixture(t, access.Tokens)
	for _, cookie := range []string{"", "jobvault_session=", "jobvault_session=garbage", "jobvault_session=" + strings.Repeat("A", 43)} {
		if _, o := f.do(f.server.Client(), f.request(http.MethodDelete, f.server.URL, "", "Cookie", cookie)); o.err != nil {
			t.Errorf("%q: %v", cookie, o.err)
		}
	}
}

func TestBadTokenBeginsNoSession(t *testing.T) {
	f := newFixture(t, access.Tokens)
	unknown, _ := access.NewToken()
	resp, err := f.signIn(f.client, f.server.URL, unknown)
	f.wants(err, access.ErrBadCredentials)
	if cookies, n := resp.Cookies(), f.sessions(); len(cookies) > 0 || n > 0 {
		t.Errorf("cookies %v, %d sessions", cookies, n)
	}
}

// Off this machine a cookie is for TLS and for this very host.
func TestSessionOffLoopback(t *testing.T) {
	f := newFixture(t, access.Tokens)
	token := f.token("mine", nil, "acme/rocket")
	tls := httptest.NewTLSServer(f.handler())
	t.Cleanup(tls.Close)
	const address = "https://vault.example.com/" // which the server's client leads to it
	client := f.browser(tls)
	resp, err := f.signIn(client, address, token)
	f.Check(err)
	c := f.cookie(resp)
	// What __Host- demands of a cookie, and what keeps it from scripts and other sites.
	if c.Name != "__Host-jobvault_session" || c.Path != "/" || c.Domain != "" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
		t.Errorf("the cookie is %s", c)
	}
	_, o := f.do(client, f.request(http.MethodGet, address, ""))
	f.Check(o.err)
	f.reads(o.reader, rocket)
	// The name without the prefix, which another host could set, is not looked at.
	_, o = f.do(tls.Client(), f.request(http.MethodGet, address, "", "Cookie", "jobvault_session="+c.Value))
	f.wants(o.err, access.ErrNoCredentials)
	resp, o = f.do(client, f.request(http.MethodDelete, address, ""))
	f.Check(o.err)
	if gone := f.cookie(resp); gone.Name != c.Name || gone.MaxAge >= 0 || !gone.Secure || gone.Path != "/" {
		t.Errorf("the cookie stays: %s", gone)
	}
	_, o = f.do(tls.Client(), f.request(http.MethodGet, address, "", "Cookie", c.Name+"="+c.Value))
	f.wants(o.err, access.ErrBadCredentials)
}

// A proxy that puts this machine's name in place of its own does not make a cookie
// go in the open.
func TestSessionBehindProxy(t *testing.T) {
	f := newFixture(t, access.Tokens)
	token := f.token("mine", nil, "acme/rocket")
	proxied := []string{"X-Forwarded-For", "192.0.2.7", "X-Forwarded-Proto", "https"}
	resp, err := f.signIn(f.server.Client(), f.server.URL, token, proxied...)
	f.Check(err)
	c := f.cookie(resp)
	if c.Name != "__Host-jobvault_session" || !c.Secure {
		t.Errorf("the cookie is %s", c)
	}
	reader, err := f.ask(append(proxied, "Cookie", c.Name+"="+c.Value)...)
	f.Check(err)
	f.reads(reader, rocket)
}

func TestSessionExpires(t *testing.T) {
	f := newFixture(t, access.Tokens)
	token := f.token("mine", nil, "acme/rocket")
	// The database keeps microseconds.
	f.now.Store(new(f.now.Load().Truncate(time.Second)))
	resp, err := f.signIn(f.client, f.server.URL, token)
	f.Check(err)
	c := f.cookie(resp)
	cookie := c.Name + "=" + c.Value
	f.later(access.SessionLife - time.Second)
	_, err = f.ask("Cookie", cookie)
	f.Check(err)
	f.later(time.Second)
	f.refused(access.ErrBadCredentials, "Cookie", cookie)
	// The token itself is good, and the next session clears the old one away.
	_, err = f.signIn(f.client, f.server.URL, token)
	f.Check(err)
	if n := f.sessions(); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

func TestGarbageCookies(t *testing.T) {
	f := newFixture(t, access.Tokens)
	token := f.token("mine", nil, "acme/rocket")
	resp, err := f.signIn(f.client, f.server.URL, token)
	f.Check(err)
	good := f.cookie(resp).Value
	other := "A" + good[1:]
	if other == good {
		other = "B" + good[1:]
	}
	for _, value := range []string{
		"", "x", "garbage!", good + "A", good[1:], good + good, other, strings.Repeat("A", 43), strings.Repeat("A", 10_000), "../../etc/passwd", "%00", token,
		base64.RawURLEncoding.EncodeToString(make([]byte, 31)), base64.RawURLEncoding.EncodeToString(make([]byte, 33)),
	} {
		f.refused(access.ErrBadCredentials, "Cookie", "jobvault_session="+value)
	}
	f.refused(access.ErrNoCredentials, "Cookie", "session="+good)
	f.refused(access.ErrNoCredentials, "Cookie", "__Host-jobvault_session="+good) // that of TLS
}

// The table of sessions gives neither tokens nor cookies to whoever has it.
func TestStolenSessions(t *testing.T) {
	f := newFixture(t, access.Tokens)
	var cookies []string
	tokens := []string{f.token("one", nil, "acme/rocket"), f.token("two", nil, "acme/lander")}
	for _, token := range tokens {
		resp, err := f.signIn(f.browser(f.server), f.server.URL, token)
		f.Check(err)
		cookies = append(cookies, f.cookie(resp).Value)
	}
	type session struct{ Digest, Sealed []byte }
	rows, err := f.DB.Pool().Query(t.Context(), `SELECT digest, sealed FROM sessions`)
	f.Check(err)
	stolen, err := pgx.CollectRows(rows, pgx.RowToStructByName[session])
	f.Check(err)
	if len(stolen) != 2 || bytes.Equal(stolen[0].Sealed, stolen[1].Sealed) {
		t.Fatalf("%d sessions", len(stolen))
	}
	for _, s := range stolen {
		row := string(s.Digest) + string(s.Sealed)
		for i, token := range tokens {
			secret, err := base64.RawURLEncoding.DecodeString(cookies[i])
			f.Check(err)
			digest := sha256.Sum256([]byte(token))
			for what, clear := range map[string]string{
				"token": token, "its random part": token[len("jobvault_"):], "its digest": string(digest[:]), "cookie": cookies[i], "secret": string(secret),
			} {
				if strings.Contains(row, clear) {
					t.Errorf("%s is in the table in the clear", what)
				}
			}
		}
		f.refused(access.ErrBadCredentials, "Cookie", "jobvault_session="+base64.RawURLEncoding.EncodeToString(s.Digest))
	}
	// Nor does writing to it turn one's own session into another's.
	_, err = f.DB.Pool().Exec(t.Context(), `UPDATE sessions a SET sealed = b.sealed FROM sessions b WHERE a.digest <> b.digest`)
	f.Check(err)
	for _, cookie := range cookies {
		f.refused(access.ErrBadCredentials, "Cookie", "jobvault_session="+cookie)
	}
}
