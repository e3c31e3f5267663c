package access

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

const subjectLoopback = "loopback"

// fromThisMachine says whether a request comes from this machine, to this machine, and for
// this machine: a proxy on it makes anybody's requests look like its own, and a
// page of another site may have its name lead here.
func fromThisMachine(req *http.Request) bool {
	to, ok := req.Context().Value(http.LocalAddrContextKey).(net.Addr)
	// Nobody speaks HTTP/1.0 any more but proxies that were told nothing else.
	return ok && req.ProtoAtLeast(1, 1) && loopbackAddress(to.String()) && loopbackAddress(req.RemoteAddr) && LoopbackHost(req.Host) && !cameThroughProxy(req)
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
