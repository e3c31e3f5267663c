package access

import (
	"net/http"
	"net/url"
	"strings"
)

// isCrossSite says whether, by any header, another site has made a browser send a
// request: with a page that loads or fetches something from here, or that links here.
// FromOtherSite is what fetch metadata alone says. Browsers send these headers, and no
// page can change them; programs send none. Another port of this machine is another site,
// too: whatever a person runs there has not been let in.
//
// All browsers since 2023 send fetch metadata, to loopback and over TLS. Older ones say
// with Origin, or else with Referer, where a request comes from, unless the page has told
// them to send neither.
func isCrossSite(req *http.Request) bool {
	if req.Header.Values("Sec-Fetch-Site") != nil {
		return FromOtherSite(req)
	}
	for _, name := range []string{"Origin", "Referer"} {
		if from := req.Header.Values(name); len(from) > 0 {
			return len(from) > 1 || !sameHost(from[0], req.Host)
		}
	}
	return false
}

// FromOtherSite says whether, according to the browser, another site, or another host of
// this site, made it send the request. Such a request gets this far only if PageReader
// takes it for a link that was followed.
func FromOtherSite(req *http.Request) bool {
	sites := req.Header.Values("Sec-Fetch-Site")
	return len(sites) > 1 || len(sites) == 1 && sites[0] != "same-origin" && sites[0] != "none"
}

// sameHost says whether an address belongs to a host, port included. Origin may be null,
// which belongs to no host.
func sameHost(address, host string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && strings.EqualFold(u.Host, host)
}

// followedLink says whether a person followed a link here. The browser cannot be sure
// that it was a person: a script, a page that refreshes itself or a window that opens by
// itself may lead here, too.
func followedLink(req *http.Request) bool {
	return OpensPage(req) && req.Header.Get("Sec-Fetch-User") == "?1"
}

// OpensPage says whether, according to the browser, the request opens a page in a window
// of its own, whoever led it here: then no other page sees the answer. A frame or an
// image does not, nor does anything that a page fetches or prefetches.
func OpensPage(req *http.Request) bool {
	return (req.Method == http.MethodGet || req.Method == http.MethodHead) &&
		req.Header.Get("Sec-Fetch-Mode") == "navigate" && req.Header.Get("Sec-Fetch-Dest") == "document" &&
		req.Header.Get("Sec-Purpose") == "" && req.Header.Get("Purpose") == ""
}
