package ghapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"
)

// maxRedirects bounds how often a redirect leads to another one.
const maxRedirects = 5

// newLogClient makes the client for logs. It has no token, and tells no host
// where it came from: the address of a log is a secret. It goes nowhere that is out
// of reach. proxy is http.ProxyFromEnvironment, and resolver is nil, but in tests.
func newLogClient(stall time.Duration, r *reach, proxy func(*http.Request) (*url.URL, error), resolver *net.Resolver) *http.Client {
	guarded := &net.Dialer{
		Timeout: dialTime, Resolver: resolver,
		Control: func(_, address string, _ syscall.RawConn) error { return r.checkDialled(address) },
	}
	t := &storageTransport{
		proxy: proxy, reach: r,
		direct: newTransport(stall, guarded.DialContext),
		// The proxy's own address is the operator's choice.
		proxied: newTransport(stall, (&net.Dialer{Timeout: dialTime}).DialContext),
	}
	t.proxied.Proxy = proxy
	for _, c := range []*http.Transport{t.direct, t.proxied} {
		c.DisableCompression = true // what is sent is what is kept
	}
	return &http.Client{Transport: secretRecorder{t}, CheckRedirect: followStorage}
}

// storageTransport carries requests to the storages that a log is kept in. Where
// redirects lead is GitHub's word, or that of whoever stands in for it: neither may
// have a request made to what only this machine can reach.
type storageTransport struct {
	proxy   func(*http.Request) (*url.URL, error)
	reach   *reach
	direct  *http.Transport // refuses addresses when it dials them
	proxied *http.Transport
}

func (t *storageTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	proxy, err := t.proxy(req)
	if err != nil {
		return nil, errors.New("the settings of the proxy cannot be read")
	}
	if proxy == nil {
		return t.direct.RoundTrip(req)
	}
	// Names are the proxy's to look up, and to refuse.
	if err := t.reach.checkWritten(req.URL.Hostname()); err != nil {
		return nil, err
	}
	return t.proxied.RoundTrip(req)
}

func (t *storageTransport) CloseIdleConnections() {
	t.direct.CloseIdleConnections()
	t.proxied.CloseIdleConnections()
}

// Why a redirect is refused by what its address says.
var (
	errIntoTheOpen = errors.New("it leads from https to http")
	errCredentials = errors.New("its address has a user or password in it")
	errNoAddress   = errors.New("the redirect has no usable address")
)

// checkLink refuses an address that a log must not be fetched from.
func checkLink(from, to *url.URL) error {
	switch {
	case to.Scheme != "https" && to.Scheme != "http", to.Host == "":
		return errNoAddress
	case to.Scheme == "http" && from.Scheme == "https":
		return errIntoTheOpen
	case to.User != nil:
		return errCredentials
	}
	return nil
}

// followStorage follows a storage to another one.
func followStorage(req *http.Request, via []*http.Request) error {
	req.Header.Del("Referer")
	if len(via) > maxRedirects {
		return fmt.Errorf("stopped after %d redirects", len(via))
	}
	return checkLink(via[len(via)-1].URL, req.URL)
}

// openLink fetches what a 302 points to.
func (c *Client) openLink(ctx context.Context, op string, redirect *http.Response) (*Log, error) {
	op += " from storage"
	unusable := &Error{Class: Transient, Op: op, Status: redirect.StatusCode, Message: errNoAddress.Error()}
	link, err := redirect.Location()
	if err != nil {
		return nil, unusable
	}
	if err := checkLink(redirect.Request.URL, link); errors.Is(err, errNoAddress) {
		return nil, unusable
	} else if err != nil {
		return nil, secretsOf(ctx).hide(refusedLink(op, redirect.StatusCode, link.Host, err))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link.String(), nil)
	if err != nil {
		return nil, unusable
	}
	req.Header.Set("User-Agent", c.rest.UserAgent)
	resp, err := c.logs.Do(req)
	if err != nil {
		if isRefusedLink(err) {
			return nil, secretsOf(ctx).hide(refusedLink(op, redirect.StatusCode, hostOf(err), err))
		}
		e := c.spoiledAnswer(ctx, op, resp, err)
		e.Storage = true
		return nil, e
	}
	if resp.StatusCode == http.StatusOK {
		return c.logBody(ctx, op, resp)
	}
	return nil, c.storageAnswer(ctx, op, resp)
}

// storageAnswer is the error that a storage's answer means.
func (c *Client) storageAnswer(ctx context.Context, op string, resp *http.Response) *Error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	_ = resp.Body.Close()
	e := classify(op, resp, body, c.now())
	e.Storage = true
	switch e.Class {
	case Denied, RateLimited:
		// The storage's refusal is of this link, which lives for a minute; the
		// storage's limits are not the installation's.
		e.Class = Transient
	}
	return secretsOf(ctx).hide(e)
}

// isRefusedLink tells an error that says where a redirect must not lead.
func isRefusedLink(err error) bool {
	var forbidden *errForbiddenAddress
	return errors.As(err, &forbidden) || errors.Is(err, errIntoTheOpen) || errors.Is(err, errCredentials)
}

// refusedLink is the error for a redirect that is not followed. It is Denied, though
// it is us who refuse: it does not go away by itself, somebody has to know, and GitHub
// may well have the log.
func refusedLink(op string, status int, host string, why error) *Error {
	var forbidden *errForbiddenAddress
	if errors.As(why, &forbidden) {
		why = forbidden
	}
	for _, known := range []error{errIntoTheOpen, errCredentials} {
		if errors.Is(why, known) {
			why = known
		}
	}
	const maxHost = 253 // of a name
	return &Error{
		Class: Denied, Op: op, Status: status, Storage: true,
		Message: fmt.Sprintf("the redirect to %.*q is refused: %v", maxHost, host, why),
	}
}

// hostOf is the host of the request that failed, and no more of its address.
func hostOf(err error) string {
	var u *url.Error
	if !errors.As(err, &u) {
		return ""
	}
	to, err := url.Parse(u.URL)
	if err != nil {
		return ""
	}
	return to.Host
}
