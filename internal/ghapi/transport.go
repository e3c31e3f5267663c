package ghapi

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"

	"github.com/jobvault/jobvault/internal/stallconn"
)

// maxAnswer bounds an answer of the API, a log apart.
const maxAnswer = 64 << 20

// Bounds of what net/http holds of an answer before anybody looks at it, and of an
// address that is asked for, which others have written: GitHub's and the storages'
// own have about 1 KiB.
const (
	maxHeader  = 256 << 10
	maxAddress = 16 << 10
)

// maxPosted bounds the answer to a POST: a token with the names of an installation's
// repositories, at most.
const maxPosted = 8 << 20

// dialTime bounds how long a connection takes to be made.
const dialTime = 10 * time.Second

// newTransport makes connections that may take as long as they need, but not
// without progress. HTTP/1.1 only: over HTTP/2, requests share a connection, and
// one that moves would hide another that stalls.
func newTransport(stall time.Duration, dial stallconn.DialFunc) *http.Transport {
	return &http.Transport{
		DialContext:            stallconn.Dial(dial, stall, 0),
		MaxIdleConnsPerHost:    100,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  stall,
		ReadBufferSize:         64 << 10,
		MaxResponseHeaderBytes: maxHeader,
	}
}

// apiConnections are connections to the API. Which kinds of address it has itself is
// noted when it has answered: where a connection was made, but no handshake, its name
// has led to something else.
type apiConnections struct {
	*http.Transport
	reach *reach
}

// newAPITransport makes connections to the API, and notes its own addresses.
func newAPITransport(stall time.Duration, base *url.URL, r *reach) *apiConnections {
	t := newTransport(stall, (&net.Dialer{Timeout: dialTime}).DialContext)
	t.Proxy = http.ProxyFromEnvironment
	if a, err := netip.ParseAddr(base.Hostname()); err == nil {
		r.note(a)
	}
	return &apiConnections{t, r}
}

func (t *apiConnections) RoundTrip(req *http.Request) (*http.Response, error) {
	if proxy, err := t.Proxy(req); proxy != nil || err != nil {
		return t.Transport.RoundTrip(req) // a proxy's address is not the API's
	}
	var conn net.Conn // the one that the request was last sent over
	trace := &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) { conn = got.Conn }}
	resp, err := t.Transport.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err == nil && conn != nil {
		t.reach.noteConn(conn)
	}
	return resp, err
}

// apiTransport carries requests to the API. The token goes to the API's own
// host and nowhere else, and not in the open, whatever a redirect says.
type apiTransport struct {
	host    string
	scheme  string
	version string
	auth    http.RoundTripper
}

var errForeignHost = errors.New("the request left the API's host")

func (t *apiTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host != t.host || req.URL.Scheme != t.scheme {
		return nil, errForeignHost
	}
	req = req.Clone(req.Context())
	req.Header.Set("X-GitHub-Api-Version", t.version)
	return t.auth.RoundTrip(req)
}

// secretRecorder is the last of the transports. It records the secrets that are sent, so
// that errors can hide them, and keeps from net/http what that would put into its own
// errors.
type secretRecorder struct{ connections }

// connections is an http.Transport, or several.
type connections interface {
	http.RoundTripper
	CloseIdleConnections()
}

func (t secretRecorder) RoundTrip(req *http.Request) (*http.Response, error) {
	if n := len(req.URL.EscapedPath()) + len(req.URL.RawQuery); n > maxAddress {
		return nil, fmt.Errorf("an address of %d bytes, more than %d", n, maxAddress)
	}
	secretsOf(req.Context()).addRequest(req)
	resp, err := t.connections.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if req.Method == http.MethodPost {
		// ghinstallation reads that of a token without a bound.
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxPosted), resp.Body}
	}
	// The address of a log, even if nobody can parse it.
	if _, err := url.Parse(resp.Header.Get("Location")); err != nil {
		resp.Header.Del("Location")
	}
	return resp, nil
}

// installationTransport adds an installation's token. ghinstallation fetches it under a
// mutex; here, a request may give up waiting for it.
type installationTransport struct {
	*ghinstallation.Transport
	turn chan struct{}
}

func (t installationTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	select {
	case t.turn <- struct{}{}:
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	_, err := t.Token(req.Context())
	<-t.turn
	if err != nil {
		return nil, err
	}
	return t.Transport.RoundTrip(req)
}

// tokenTransport adds a personal token.
type tokenTransport struct {
	token string
	next  http.RoundTripper
}

func (t tokenTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	req.Header.Set("Authorization", "Bearer "+t.token)
	return t.next.RoundTrip(req)
}

// stayOnHost follows a renamed repository (301, 307, 308) within the API. A 302
// is the link to a log: the caller takes it from there.
func stayOnHost(host string) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		if req.Response.StatusCode == http.StatusFound {
			return http.ErrUseLastResponse
		}
		if req.URL.Host != host {
			return errForeignHost
		}
		if len(via) > 5 {
			return fmt.Errorf("stopped after %d redirects", len(via))
		}
		return nil
	}
}
