package access

import (
	"net/http"
	"net/url"
	"strings"
)

// isCrossSite says whether, by any header, another site has a browser make a request: a
// page that loads or fetches from here, or leads here. FromOtherSite is what fetch metadata
// alone says. Browsers tell, and let no page decide what
// they tell; programs say nothing. Another port of this machine's is another site, too:
// whatever a person runs there has not been let in.
//
// Fetch metadata is sent to loopback and over TLS by all browsers since 2023. Of older
// ones Origin, or else Referer, says where a request is from: all but those that a page
// has told to send neither.
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

// FromOtherSite says whether a browser tells that another site, or another host of this
// one, has it make a request. Such a request gets as far as to be asked about only if
// PageReader takes it for a link that was followed.
func FromOtherSite(req *http.Request) bool {
	sites := req.Header.Values("Sec-Fetch-Site")
	return len(sites) > 1 || len(sites) == 1 && sites[0] != "same-origin" && sites[0] != "none"
}

// sameHost says whether an address is of a host, which includes the port. Origin may
// be null, which is nobody's.
func sameHost(address, host string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && strings.EqualFold(u.Host, host)
}

// followedLink says whether a request is that of a person who followed a link here. That
// it was a person is the browser's word: a script, a page that refreshes itself or a
// window that opens by itself may lead here, too.
func followedLink(req *http.Request) bool {
	return OpensPage(req) && req.Header.Get("Sec-Fetch-User") == "?1"
}

// OpensPage says whether a browser tells that it makes a request for a window of its
// own, whoever led it here: the page is shown to nobody else. A frame or an image is not
// one, nor what a page fetches, or has fetched in case somebody follows.
func OpensPage(req *http.Request) bool {
	return (req.Method == http.MethodGet || req.Method == http.MethodHead) &&
		req.Header.Get("Sec-Fetch-Mode") == "navigate" && req.Header.Get("Sec-Fetch-Dest") == "document" &&
		req.Header.Get("Sec-Purpose") == "" && req.Header.Get("Purpose") == ""
}
