package access

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

const subjectLoopback = "loopback"

// fromThisMachine says whether a request comes from this machine, was sent to this
// machine, and names this machine as its host: a proxy on this machine makes anybody's
// requests look like its own, and the name of another site may resolve to this machine.
func fromThisMachine(req *http.Request) bool {
	to, ok := req.Context().Value(http.LocalAddrContextKey).(net.Addr)
	// The only clients that still speak HTTP/1.0 are proxies that were not configured
	// otherwise.
	return ok && req.ProtoAtLeast(1, 1) && loopbackAddress(to.String()) && loopbackAddress(req.RemoteAddr) && LoopbackHost(req.Host) && !cameThroughProxy(req)
}

func loopbackAddress(s string) bool {
	a, err := netip.ParseAddrPort(s)
	return err == nil && a.Addr().Unmap().IsLoopback()
}

// LoopbackHost says whether a host, with or without a port, is by its name alone certain
// to be this machine.
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
