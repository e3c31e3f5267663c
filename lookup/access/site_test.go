package access_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jobvault/jobvault/lookup/access"
)

// browserRequest is one that comes from this machine to this machine.
func browserRequest(t *testing.T, method string, headers ...string) *http.Request {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, "http://127.0.0.1:8080/", nil)
	req.RemoteAddr = "127.0.0.1:4321"
	req = req.WithContext(context.WithValue(req.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}))
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	return req
}

// On loopback everybody's browser is let in: what decides is which site it acts for.
func TestOtherSitesAreRefused(t *testing.T) {
	f := newFixture(t, access.Loopback)
	const all, pages, none = "all", "pages", "none"
	for name, c := range map[string]struct {
		lets    string
		headers string
	}{
		"a program":                    {all, ""},
		"node's fetch":                 {all, "Sec-Fetch-Mode: cors"},
		"typed, or a bookmark":         {all, "Sec-Fetch-Site: none|Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: document"},
		"a link on a page of ours":     {all, "Sec-Fetch-Site: same-origin|Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: document"},
		"a fetch of ours":              {all, "Sec-Fetch-Site: same-origin|Sec-Fetch-Mode: cors|Sec-Fetch-Dest: empty"},
		"a link elsewhere":             {pages, "Sec-Fetch-Site: cross-site|Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: document|Sec-Fetch-User: ?1|Referer: https://evil.example/"},
		"a link on another port":       {pages, "Sec-Fetch-Site: same-site|Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: document|Sec-Fetch-User: ?1"},
		"a script that leads here":     {none, "Sec-Fetch-Site: cross-site|Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: document|Referer: https://evil.example/"},
		"one on another port":          {none, "Sec-Fetch-Site: same-site|Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: document"},
		"no gesture, in so many words": {none, "Sec-Fetch-Site: cross-site|Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: document|Sec-Fetch-User: ?0"},
		"an image elsewhere":           {none, "Sec-Fetch-Site: cross-site|Sec-Fetch-Mode: no-cors|Sec-Fetch-Dest: image"},
		"a script on another port":     {none, "Sec-Fetch-Site: same-site|Sec-Fetch-Mode: no-cors|Sec-Fetch-Dest: script"},
		"a fetch elsewhere":            {none, "Sec-Fetch-Site: cross-site|Sec-Fetch-Mode: cors|Sec-Fetch-Dest: empty|Origin: https://evil.example"},
		"a frame elsewhere":            {none, "Sec-Fetch-Site: cross-site|Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: iframe|Sec-Fetch-User: ?1"},
		"an object elsewhere":          {none, "Sec-Fetch-Site: cross-site|Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: object|Sec-Fetch-User: ?1"},
		"a prefetch":                   {none, "Sec-Fetch-Site: cross-site|Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: document|Sec-Fetch-User: ?1|Sec-Purpose: prefetch;prerender"},
		"a site that is not known":     {none, "Sec-Fetch-Site: galaxy|Sec-Fetch-Mode: cors"},
		"two sites":                    {none, "Sec-Fetch-Site: same-origin|Sec-Fetch-Site: cross-site"},
		"no site at all":               {none, "Sec-Fetch-Site: "},
		"an older one's fetch":         {none, "Origin: https://evil.example"},
		"an older one's of nobody":     {none, "Origin: null"},
		"an older one's own":           {all, "Origin: http://127.0.0.1:8080"},
		"an older one's, other port":   {none, "Origin: http://127.0.0.1:3000"},
		"an older one's image":         {none, "Referer: https://evil.example/page"},
		"an older one's own link":      {all, "Referer: http://127.0.0.1:8080/acme/rocket/jobs/1"},
		"an address that is like it":   {none, "Referer: http://127.0.0.1:8080.evil.example/"},
		"a user that is like it":       {none, "Referer: http://127.0.0.1:8080@evil.example/"},
		"a referrer that is no URL":    {none, "Referer: 127.0.0.1:8080"},
		"ours, whatever it refers to":  {all, "Sec-Fetch-Site: same-origin|Referer: https://evil.example/"},
	} {
		t.Run(name, func(t *testing.T) {
			var headers []string
			for line := range strings.SplitSeq(c.headers, "|") {
				if header, value, ok := strings.Cut(line, ": "); ok {
					headers = append(headers, header, value)
				}
			}
			req := browserRequest(t, http.MethodGet, headers...)
			_, programs := f.gate.Reader(req)
			_, people := f.gate.PageReader(req)
			wants := func(err error, in bool) {
				t.Helper()
				if in && err != nil || !in && !errors.Is(err, access.ErrOtherSite) {
					t.Errorf("%v, want it let in: %t", err, in)
				}
			}
			wants(programs, c.lets == all)
			wants(people, c.lets != none)
		})
	}
	// A link is followed with GET, or looked at with HEAD.
	post := browserRequest(t, http.MethodPost, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-User", "?1")
	if _, err := f.gate.PageReader(post); !errors.Is(err, access.ErrOtherSite) {
		t.Errorf("a form elsewhere: %v", err)
	}
}

// A session's cookie comes along from other hosts of the same site; a token in a header
// does not, so whoever sends one has it.
func TestOtherHostsOfASiteDoNotUseItsSessions(t *testing.T) {
	f := newFixture(t, access.Tokens)
	token := f.token("ci", nil, "acme/rocket")
	_, err := f.signIn(f.client, f.server.URL, token)
	f.Check(err)
	ask := func(want error, headers ...string) {
		t.Helper()
		_, o := f.do(f.client, f.request(http.MethodGet, f.server.URL, "", headers...))
		f.wants(o.err, want)
	}
	ask(nil)
	ask(nil, "Sec-Fetch-Site", "same-origin")
	ask(access.ErrOtherSite, "Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image")
	ask(access.ErrOtherSite, "Sec-Fetch-Site", "cross-site")
	page := func(want error, headers ...string) {
		t.Helper()
		req := f.request(http.MethodGet, f.server.URL, "", append([]string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, headers...)...)
		for _, cookie := range f.client.Jar.Cookies(req.URL) {
			req.AddCookie(cookie)
		}
		_, err := f.gate.PageReader(req)
		f.wants(err, want)
	}
	page(access.ErrOtherSite)
	page(nil, "Sec-Fetch-User", "?1")
	ask(nil, "Origin", "https://jobvault.example.com") // of an older browser, and a proxy changed the Host
	ask(nil, "Sec-Fetch-Site", "cross-site", "Authorization", "Bearer "+token)
}
