package access

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

const subjectLoopback = "loopback"

// local says whether a request comes from this machine, to this machine, and for
// this machine: a proxy on it makes anybody's requests look like its own, and a
// page of another site may have its name lead here.
func local(req *http.Request) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if _, ok := req.Header[name]; ok {
			return false
		}
	}
	to, ok := req.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && loopbackAddress(to.String()) && loopbackAddress(req.RemoteAddr) && LoopbackHost(req.Host)
}

func loopbackAddress(s string) bool {
	a, err := netip.ParseAddrPort(s)
	return err == nil && a.Addr().Unmap().IsLoopback()
}

// LoopbackHost says whether a host, with or without a port, is this machine by its
// very name.
func LoopbackHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}
