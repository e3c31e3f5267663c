package ghapi

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
)

// addressKind is what an address means to whoever dials it, as far as a redirect
// must not lead there.
type addressKind uint32

// Private networks (10/8, 172.16/12, 192.168/16, fc00::/7 and 100.64/10) are none of
// them: the storages of GHES and of Gitea are there.
const (
	ordinary    addressKind = 0
	loopback    addressKind = 1 << iota // 127/8, ::1: services of this machine
	linkLocal                           // 169.254/16, fe80::/10
	unspecified                         // 0/8, ::, which are this machine too
	multicast                           // 224/4, ff00::/8, and 240/4 with the broadcast address
	metadata                            // a cloud's service that hands out this machine's credentials
)

func (k addressKind) String() string {
	switch k {
	case loopback:
		return "a loopback address"
	case linkLocal:
		return "a link-local address"
	case unspecified:
		return "an unspecified address"
	case multicast:
		return "a multicast, broadcast or reserved address"
	case metadata:
		return "the address of a cloud's metadata service"
	}
	return "an ordinary address"
}

// metadataAddresses are the clouds' metadata services, which are not all link-local.
var metadataAddresses = map[netip.Addr]bool{
	netip.MustParseAddr("169.254.169.254"): true, // most clouds
	netip.MustParseAddr("169.254.170.2"):   true, // ECS' tasks
	netip.MustParseAddr("169.254.170.23"):  true, // EKS' pods
	netip.MustParseAddr("fd00:ec2::254"):   true, // EC2
	netip.MustParseAddr("fd00:ec2::23"):    true, // EKS
	netip.MustParseAddr("fd20:ce::254"):    true, // Google
	netip.MustParseAddr("100.100.100.200"): true, // Alibaba
	netip.MustParseAddr("168.63.129.16"):   true, // Azure's host agent
	netip.MustParseAddr("192.0.0.192"):     true, // Oracle, of old
}

var (
	thisNetwork = netip.MustParsePrefix("0.0.0.0/8")
	reserved    = netip.MustParsePrefix("240.0.0.0/4")
)

// kindOf is the kind of an address, or of the IPv4 address that it stands for.
func kindOf(a netip.Addr) addressKind {
	a = a.Unmap().WithZone("")
	switch {
	case metadataAddresses[a]:
		return metadata
	case a.IsLoopback():
		return loopback
	case a.IsUnspecified(), a.Is4() && thisNetwork.Contains(a):
		return unspecified
	case a.IsLinkLocalUnicast():
		return linkLocal
	case a.IsMulticast(), a.Is4() && reserved.Contains(a):
		return multicast
	}
	for _, inner := range embedded(a) {
		if k := kindOf(inner); k != ordinary {
			return k
		}
	}
	return ordinary
}

// Ranges of IPv6 whose addresses lead to an IPv4 address, and where in them it is; at
// places that are inverted here, so are the bytes.
var embeddings = []struct {
	prefix netip.Prefix
	at     [4]int
}{
	{netip.MustParsePrefix("::/96"), atEnd},                          // IPv4-compatible
	{netip.MustParsePrefix("::ffff:0:0:0/96"), atEnd},                // IPv4-translated
	{netip.MustParsePrefix("64:ff9b::/96"), atEnd},                   // NAT64
	{siteNAT64, atEnd},                                               // NAT64 of a site that gives out a /96
	{siteNAT64, [4]int{6, 7, 9, 10}},                                 // or the whole /48
	{netip.MustParsePrefix("2002::/16"), [4]int{2, 3, 4, 5}},         // 6to4
	{netip.MustParsePrefix("2001::/32"), [4]int{4, 5, 6, 7}},         // Teredo: the server
	{netip.MustParsePrefix("2001::/32"), [4]int{^12, ^13, ^14, ^15}}, // and the client
}

var (
	siteNAT64 = netip.MustParsePrefix("64:ff9b:1::/48")
	atEnd     = [4]int{12, 13, 14, 15}
)

// embedded are the IPv4 addresses that an IPv6 address leads to, or may.
func embedded(a netip.Addr) []netip.Addr {
	if a.Is4() {
		return nil
	}
	var found []netip.Addr
	b := a.As16()
	add := func(at [4]int) {
		var inner [4]byte
		for i, p := range at {
			if p < 0 {
				inner[i] = ^b[^p]
			} else {
				inner[i] = b[p]
			}
		}
		found = append(found, netip.AddrFrom4(inner))
	}
	for _, e := range embeddings {
		// An address in a whole /48 ends in zeros, and one in a /96 has them before its
		// own: neither is the other's 0.0.0.0.
		otherForm := e.prefix == siteNAT64 && (e.at == atEnd) == ([4]byte(b[12:]) == [4]byte{})
		if e.prefix.Contains(a) && !otherForm {
			add(e.at)
		}
	}
	// ISATAP, within any network.
	if b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe {
		add(atEnd)
	}
	return found
}

// errForbiddenAddress is the cause of a redirect that is refused for where it leads.
type errForbiddenAddress struct {
	host string // as written, or as dialled
	kind addressKind
}

func (e *errForbiddenAddress) Error() string {
	return fmt.Sprintf("%s is %s, where a redirect must not lead", e.host, e.kind)
}

// reach is what redirects may lead to: ordinary addresses, and those of the kinds
// that the API's own host has.
type reach struct{ own atomic.Uint32 }

// note takes an address for one of the API's own.
func (r *reach) note(a netip.Addr) { r.own.Or(uint32(kindOf(a))) }

// check refuses an address, written as host.
func (r *reach) check(a netip.Addr, host string) error {
	if k := kindOf(a); k != ordinary && addressKind(r.own.Load())&k == 0 {
		return &errForbiddenAddress{host: host, kind: k}
	}
	return nil
}

// checkDialled refuses an address at the last moment: "127.0.0.1:80". A name has been
// looked up by then, and is not looked up again.
func (r *reach) checkDialled(address string) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return errors.New("the address that is dialled is none")
	}
	return r.check(to.Addr(), to.Addr().String())
}

// checkWritten refuses a host that says by itself where it leads. It is all that can
// be checked where a proxy looks names up.
func (r *reach) checkWritten(host string) error {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if a, err := netip.ParseAddr(name); err == nil {
		return r.check(a, host)
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	if last == "localhost" {
		return r.check(netip.IPv6Loopback(), host)
	}
	// 127.1, 2130706433, 0x7f000001: addresses, to some.
	if _, err := strconv.ParseUint(last, 0, 64); err == nil || strings.Trim(last, "0123456789") == "" {
		return &errForbiddenAddress{host: host, kind: unspecified}
	}
	return nil
}

// noteConn takes the other end of a connection to the API for its own address.
func (r *reach) noteConn(c net.Conn) {
	if to, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil {
		r.note(to.Addr())
	}
}
