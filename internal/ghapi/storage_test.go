package ghapi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

func noProxy(*http.Request) (*url.URL, error) { return nil, nil }

// names answers questions for the addresses of names over UDP, each time with the
// next one of a list, and the last one for ever.
type names struct {
	conn  net.PacketConn
	list  []string
	asked atomic.Int32
}

func newNames(t *testing.T, list ...string) *names {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &names{conn: conn, list: list}
	done := make(chan struct{})
	go func() { defer close(done); n.answer() }()
	t.Cleanup(func() { conn.Close(); <-done })
	return n
}

func (n *names) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", n.conn.LocalAddr().String())
	}}
}

// answer gives questions of type A an address, and all others none. RFC 1035, 4.1.
func (n *names) answer() {
	question := make([]byte, 512)
	for {
		size, from, err := n.conn.ReadFrom(question)
		if err != nil {
			return
		}
		end := 12 // of the header
		for question[end] != 0 {
			end += 1 + int(question[end])
		}
		end += 5
		answer := append([]byte(nil), question[:end]...)
		copy(answer[2:12], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0})
		if size >= end && binary.BigEndian.Uint16(question[end-4:]) == 1 {
			at := int(n.asked.Add(1)) - 1
			ip := netip.MustParseAddr(n.list[min(at, len(n.list)-1)]).As4()
			answer[7] = 1
			answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
			answer = append(answer, ip[:]...)
		}
		_, _ = n.conn.WriteTo(answer, from)
	}
}

// listener is a service of this machine, which must not hear of anybody.
type listener struct {
	*httptest.Server
	heard atomic.Int32 // connections
}

func listen(t *testing.T, h http.HandlerFunc) *listener {
	l := &listener{Server: httptest.NewUnstartedServer(h)}
	l.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			l.heard.Add(1)
		}
	}
	l.Start()
	t.Cleanup(l.Close)
	return l
}

func (l *listener) port() string {
	_, port, _ := net.SplitHostPort(l.Listener.Addr().String())
	return port
}

func plain(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

// redirecting is a client of an API elsewhere, at the base URL, which sends logs to a
// place.
func redirecting(t *testing.T, base, to string, logs *http.Client) *Client {
	t.Helper()
	c := scripted(t, Config{BaseURL: base}, func(*http.Request) *http.Response {
		return answering(http.StatusFound, http.Header{"Location": {to}}, "")
	})
	c.logs = logs
	t.Cleanup(logs.CloseIdleConnections)
	return c
}

// wantRefused wants an error that is loud, names the host and the reason, and holds
// nothing of the signed query.
func wantRefused(t *testing.T, c *Client, host, why string) {
	t.Helper()
	body, err := c.OpenLog(t.Context(), "a", "b", 7)
	if err == nil {
		body.Close()
	}
	var e *Error
	if !errors.As(err, &e) || e.Class != Denied || !e.Storage || e.Status != http.StatusFound ||
		!strings.Contains(e.Message, fmt.Sprintf("to %q is refused", host)) || !strings.Contains(e.Message, why) {
		t.Fatalf("error %v, want a refusal of %q: %s", err, host, why)
	}
	for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
		if strings.Contains(text, "sig=") || strings.Contains(text, "TheSignature") {
			t.Errorf("the signed link is in %s", text)
		}
	}
}

const signed = "/log?sig=TheSignature"

// A redirect from an API elsewhere does not reach what listens on this machine,
// however it is written.
func TestLogIsNotFetchedFromThisMachine(t *testing.T) {
	service := listen(t, plain("the service's secret\n"))
	for host, why := range map[string]string{
		"127.0.0.1": "a loopback address", "127.0.0.2": "a loopback address", "localhost": "a loopback address", "[::1]": "a loopback address",
		"[::ffff:127.0.0.1]": "a loopback address", "[::ffff:7f00:1]": "a loopback address", "[64:ff9b::127.0.0.1]": "a loopback address",
		"0.0.0.0": "an unspecified address", "[::]": "an unspecified address", "169.254.169.254": "metadata", "[fe80::1%25lo]": "a link-local address",
		"[fd00:ec2::254]": "metadata", "224.0.0.1": "multicast", "255.255.255.255": "multicast",
	} {
		t.Run(host, func(t *testing.T) {
			to := host + ":" + service.port()
			c := redirecting(t, "http://api.example/", "http://"+to+signed, newLogClient(stall, &reach{}, noProxy, nil))
			shown, _ := url.PathUnescape(to)
			wantRefused(t, c, shown, why)
		})
	}
	if n := service.heard.Load(); n > 0 {
		t.Errorf("the service got %d connections", n)
	}
}

// A name is looked up once, when it is dialled: it cannot be harmless when it is
// looked at, and another thing when it is dialled.
func TestNamesCannotChangeBetweenCheckAndDial(t *testing.T) {
	service := listen(t, plain("the service's secret\n"))
	for name, answers := range map[string][]string{
		"at once":         {"127.0.0.1"},
		"the second time": {"192.0.2.1", "127.0.0.1"},
		"to link-local":   {"169.254.169.254"},
	} {
		t.Run(name, func(t *testing.T) {
			dns := newNames(t, answers...)
			to := "storage.example:" + service.port()
			c := redirecting(t, "http://api.example/", "http://"+to+signed, newLogClient(stall, &reach{}, noProxy, dns.resolver()))
			for range len(answers) - 1 { // 192.0.2.1 is nobody's: nothing is fetched there either
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				if _, err := c.OpenLog(ctx, "a", "b", 7); err == nil {
					t.Error("a log from nobody")
				}
				dns.asked.Store(int32(len(answers) - 1))
			}
			wantRefused(t, c, to, "where a redirect must not lead")
		})
	}
	if n := service.heard.Load(); n > 0 {
		t.Errorf("the service got %d connections", n)
	}
}

// Each connection is checked anew: a storage that is ordinary, and whose name leads to
// this machine the next time.
func TestNamesAreCheckedAtEveryConnection(t *testing.T) {
	storage := listen(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		_, _ = io.WriteString(w, "a log\n")
	})
	// 127.0.0.1 stands for an ordinary address here, 0.0.0.0 for one that is not.
	dns, r := newNames(t, "127.0.0.1", "0.0.0.0"), &reach{}
	r.note(netip.MustParseAddr("127.0.0.1"))
	to := "storage.example:" + storage.port()
	c := redirecting(t, "http://api.example/", "http://"+to+signed, newLogClient(stall, r, noProxy, dns.resolver()))
	body, err := c.OpenLog(t.Context(), "a", "b", 7)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(body)
	body.Close()
	if string(text) != "a log\n" || err != nil {
		t.Errorf("read %q, %v", text, err)
	}
	wantRefused(t, c, to, "an unspecified address")
	if n := storage.heard.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// Every hop is checked, not only the first.
func TestEveryHopIsChecked(t *testing.T) {
	service := listen(t, plain("the service's secret\n"))
	for why, to := range map[string]string{
		"an unspecified address":               "http://0.0.0.0:" + service.port() + signed,
		"its address has a user or password":   "http://u:TheSignature@127.0.0.1:" + service.port() + signed,
		"the address of a cloud's metadata":    "http://169.254.169.254/latest/meta-data" + signed,
		"a multicast, broadcast or reserved a": "http://[ff02::1%25lo]:80" + signed,
	} {
		t.Run(why, func(t *testing.T) {
			storage := listen(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusTemporaryRedirect) })
			r := &reach{}
			r.note(netip.MustParseAddr("127.0.0.1"))
			c := redirecting(t, "http://api.example/", storage.URL+signed, newLogClient(stall, r, noProxy, nil))
			u, err := url.Parse(to)
			if err != nil {
				t.Fatal(err)
			}
			wantRefused(t, c, u.Host, why)
		})
	}
	if n := service.heard.Load(); n > 0 {
		t.Errorf("the service got %d connections", n)
	}
}

func TestLinksAreRefusedByWhatTheySay(t *testing.T) {
	for _, c := range []struct {
		base, to, host, why string
	}{
		{"https://api.example/", "http://storage.example" + signed, "storage.example", "from https to http"},
		{"https://api.example/", "https://u@storage.example" + signed, "storage.example", "user or password"},
		{"http://api.example/", "http://u:TheSignature@storage.example" + signed, "storage.example", "user or password"},
	} {
		wantRefused(t, redirecting(t, c.base, c.to, newLogClient(stall, &reach{}, noProxy, nil)), c.host, c.why)
	}
	// A host of any length is told of briefly.
	long := strings.Repeat("x", 5000)
	client := redirecting(t, "https://api.example/", "http://"+long+signed, newLogClient(stall, &reach{}, noProxy, nil))
	_, err := client.OpenLog(t.Context(), "a", "b", 7)
	if err == nil || len(err.Error()) > 600 {
		t.Errorf("an error of %d bytes", len(fmt.Sprint(err)))
	}
}

// An address that is longer than any is not asked for, of whatever it is.
func TestLongAddressesAreNotAskedFor(t *testing.T) {
	service := listen(t, plain("a log\n"))
	r := &reach{}
	r.note(netip.MustParseAddr("127.0.0.1"))
	for n, fits := range map[int]bool{maxAddress: true, maxAddress + 1: false} {
		to := service.URL + "/?" + strings.Repeat("a", n-1)
		body, err := redirecting(t, "http://api.example/", to, newLogClient(stall, r, noProxy, nil)).OpenLog(t.Context(), "a", "b", 7)
		if err == nil {
			body.Close()
		}
		if (err == nil) != fits || err != nil && !strings.Contains(err.Error(), "an address of") {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// Behind a proxy what is dialled is the proxy, wherever that is; what an address says
// by itself is checked all the same.
func TestProxyIsNotTheStorage(t *testing.T) {
	var asked atomic.Value
	proxy := listen(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.RequestURI)
		_, _ = io.WriteString(w, "a log\n")
	})
	behind := func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }
	for _, host := range []string{"127.0.0.1:1", "localhost", "2130706433", "169.254.169.254", "[::1]:1", "[::ffff:127.0.0.1]", "0x7f.1"} {
		wantRefused(t, redirecting(t, "http://api.example/", "http://"+host+signed, newLogClient(stall, &reach{}, behind, nil)), host, "where a redirect must not lead")
	}
	if n := proxy.heard.Load(); n > 0 {
		t.Errorf("the proxy got %d connections", n)
	}
	for _, to := range []string{"http://storage.example" + signed, "http://10.0.0.1:9000" + signed} {
		body, err := redirecting(t, "http://api.example/", to, newLogClient(stall, &reach{}, behind, nil)).OpenLog(t.Context(), "a", "b", 7)
		if err != nil {
			t.Fatal(err)
		}
		body.Close()
		if got := asked.Load(); got != to {
			t.Errorf("the proxy was asked for %v, want %s", got, to)
		}
	}
	// A proxy for some hosts only is none for the others: those are dialled, and checked.
	some := func(r *http.Request) (*url.URL, error) {
		if r.URL.Hostname() == "storage.example" {
			return url.Parse(proxy.URL)
		}
		return nil, nil
	}
	to := "localhost:" + proxy.port()
	wantRefused(t, redirecting(t, "http://api.example/", "http://"+to+signed, newLogClient(stall, &reach{}, some, nil)), to, "a loopback address")
	broken := func(*http.Request) (*url.URL, error) { return nil, errors.New("TheSignature") }
	_, err := redirecting(t, "http://api.example/", "http://storage.example"+signed, newLogClient(stall, &reach{}, broken, nil)).OpenLog(t.Context(), "a", "b", 7)
	if err == nil || strings.Contains(err.Error(), "TheSignature") {
		t.Errorf("with settings that cannot be read: %v", err)
	}
}

// The API's own kind is that of the connections to it.
func TestAPIsOwnAddressesAreNoted(t *testing.T) {
	storage := listen(t, plain("a log\n"))
	for name, own := range map[string]string{"by address": "127.0.0.1", "by name": "localhost"} {
		t.Run(name, func(t *testing.T) {
			gh := listen(t, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, storage.URL+signed, http.StatusFound)
			})
			cs, err := New(Config{BaseURL: "http://" + own + ":" + gh.port(), Token: "ghp_TheToken", Concurrency: 1})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(cs.Close)
			body, err := cs.client(0).OpenLog(t.Context(), "a", "b", 7)
			if err != nil {
				t.Fatal(err)
			}
			body.Close()
		})
	}
}

// What does not answer as the API is not it, wherever its name has led to; nor is a
// proxy that answers for it.
func TestOnlyWhatAnswersIsTheAPIsOwnAddress(t *testing.T) {
	other := httptest.NewUnstartedServer(plain("another service's secret\n"))
	other.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that fail
	other.StartTLS()                                   // with a certificate that nobody trusts
	t.Cleanup(other.Close)
	port := other.Listener.Addr().(*net.TCPAddr).Port
	base := &url.URL{Scheme: "https", Host: fmt.Sprintf("localhost:%d", port), Path: "/"}
	ask := func(c connections, r *reach) (noted bool, err error) {
		t.Helper()
		t.Cleanup(c.CloseIdleConnections)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base.String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.RoundTrip(req)
		if err == nil {
			resp.Body.Close()
		}
		return r.own.Load() != 0, err
	}
	r := &reach{}
	c := newAPITransport(stall, base, r)
	if noted, err := ask(c, r); noted || err == nil {
		t.Errorf("a handshake that fails: noted %t, %v", noted, err)
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(other.Certificate())
	c = newAPITransport(stall, base, r)
	c.TLSClientConfig = &tls.Config{RootCAs: trusted, ServerName: "example.com"}
	if noted, err := ask(c, r); !noted || err != nil {
		t.Errorf("an answer: noted %t, %v", noted, err)
	}
	proxy := listen(t, plain("{}"))
	base = &url.URL{Scheme: "http", Host: "api.example", Path: "/"}
	r = &reach{}
	c = newAPITransport(stall, base, r)
	c.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }
	if noted, err := ask(c, r); noted || err != nil {
		t.Errorf("a proxy: noted %t, %v", noted, err)
	}
}
