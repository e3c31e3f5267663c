package ghapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// maxAnswer bounds an answer of the API, a log apart.
const maxAnswer = 64 << 20

// newTransport makes connections that may take as long as they need, but not
// without progress.
func newTransport(stall time.Duration) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return stallConn{conn, stall}, nil
		},
		MaxIdleConnsPerHost:   100,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: stall,
		ForceAttemptHTTP2:     true,
		ReadBufferSize:        64 << 10,
	}
}

// stallConn fails a read that makes no progress.
type stallConn struct {
	net.Conn
	stall time.Duration
}

func (c stallConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.stall)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// apiTransport carries requests to the API. The token goes to the API's own
// host and nowhere else, whatever a redirect says.
type apiTransport struct {
	host    string
	version string
	auth    http.RoundTripper
}

var errForeignHost = errors.New("the request left the API's host")

func (t *apiTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host != t.host {
		return nil, errForeignHost
	}
	req = req.Clone(req.Context())
	req.Header.Set("X-GitHub-Api-Version", t.version)
	return t.auth.RoundTrip(req)
}

// bearer adds a personal token.
type bearer struct {
	token string
	next  http.RoundTripper
}

func (t bearer) RoundTrip(req *http.Request) (*http.Response, error) {
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

// newLogClient makes the client for logs. It has no token, and tells no host
// where it came from: the address of a log is a secret.
func newLogClient(stall time.Duration) *http.Client {
	t := newTransport(stall)
	t.DisableCompression = true // what is sent is what is kept
	return &http.Client{
		Transport: t,
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			req.Header.Del("Referer")
			if len(via) > 5 {
				return fmt.Errorf("stopped after %d redirects", len(via))
			}
			return nil
		},
	}
}
