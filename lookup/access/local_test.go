package access_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/jobvault/jobvault/lookup/access"
)

func TestThisMachineReadsAll(t *testing.T) {
	f := newFixture(t, access.Loopback)
	_, port, err := net.SplitHostPort(f.server.Listener.Addr().String())
	f.Check(err)
	for _, host := range []string{"127.0.0.1:" + port, "127.0.0.1", "localhost:" + port, "LocalHost", "127.1.2.3", "[::1]:" + port, "[::1]", "[::ffff:127.0.0.1]:80"} {
		reader, err := f.ask("Host", host)
		f.Check(err)
		if reader.Subject != "loopback" {
			t.Errorf("%s: the subject is %q", host, reader.Subject)
		}
		f.reads(reader, rocket, lander, public)
		f.names(reader, "ACME", "rocket", rocket)
		if ids, err := reader.Repositories(t.Context()); ids != nil || err != nil {
			t.Errorf("%s: shown are %v, %v; want all", host, ids, err)
		}
	}
	if f.gate.SignsIn() {
		t.Error("this machine has to say who it is")
	}
}

// A page of another site whose name leads to this machine (DNS rebinding) is not let in.
func TestForeignHostIsNotLocal(t *testing.T) {
	f := newFixture(t, access.Loopback)
	for _, host := range []string{
		"evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.1.nip.io:80",
		"192.0.2.1", "[2001:db8::1]", "0.0.0.0", "[::]", "127.1", "2130706433", "localhost.", "app.localhost",
	} {
		f.refused(access.ErrNotLocal, "Host", host)
	}
}

// altered is the fixture's server, to which requests look otherwise.
func (f *fixture) altered(alter func(*http.Request) *http.Request) {
	inner := f.handler()
	f.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { inner.ServeHTTP(w, alter(req)) }))
	f.T.Cleanup(f.server.Close)
}

func TestOthersAreNotLocal(t *testing.T) {
	f := newFixture(t, access.Loopback)
	for _, from := range []string{"192.0.2.7:4321", "10.0.0.1:1", "[2001:db8::1]:4321", "[fe80::1%eth0]:4321", "[::ffff:192.0.2.7]:1", "127.0.0.1", "@", ""} {
		f.altered(func(req *http.Request) *http.Request {
			req.RemoteAddr = from
			return req
		})
		f.refused(access.ErrNotLocal)
	}
	for _, from := range []string{"127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"} {
		f.altered(func(req *http.Request) *http.Request {
			req.RemoteAddr = from
			return req
		})
		if _, err := f.ask(); err != nil {
			t.Errorf("from %s: %v", from, err)
		}
	}
}

// Whoever calls this machine at another address than loopback is not let in.
func TestOtherAddressesAreNotLocal(t *testing.T) {
	f := newFixture(t, access.Loopback)
	for _, to := range []net.Addr{&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80}, &net.UnixAddr{Name: "/run/jobvault.sock", Net: "unix"}, nil} {
		f.altered(func(req *http.Request) *http.Request {
			return req.WithContext(context.WithValue(req.Context(), http.LocalAddrContextKey, to))
		})
		f.refused(access.ErrNotLocal)
	}
}

// Without a rule there is nothing to sign in to.
func TestNobodySignsInToLoopback(t *testing.T) {
	f := newFixture(t, access.Loopback)
	resp, err := f.signIn(f.client, f.server.URL, token(1))
	f.wants(err, access.ErrNotLocal)
	if cookies := resp.Cookies(); len(cookies) > 0 {
		t.Errorf("cookies: %v", cookies)
	}
	if n := f.sessions(); n != 0 {
		t.Errorf("%d sessions", n)
	}
}
