package ghapi

import (
	"net/netip"
	"strings"
	"testing"
)

func TestKindsOfAddresses(t *testing.T) {
	for kind, addresses := range map[addressKind]string{
		loopback: `127.0.0.1 127.0.0.0 127.255.255.255 127.8.8.8 ::1 ::ffff:127.0.0.1 ::127.0.0.1 64:ff9b::127.0.0.1 64:ff9b:1::127.0.0.1
			64:ff9b:1:7f00:0:100:: ::ffff:0:127.0.0.1 2002:7f00:1:: 2002:7f00:0001:dead::beef 2001:0:7f00:1:: 2001:0:808:808::80ff:fffe
			fd12::5efe:127.0.0.1 2001:db8::200:5efe:127.0.0.1`,
		linkLocal: `169.254.0.0 169.254.0.1 169.254.255.255 fe80:: fe80::1 fe80::1%eth0 febf:ffff::1 ::ffff:169.254.1.1 64:ff9b::169.254.1.1
			2002:a9fe:101::1`,
		unspecified: `0.0.0.0 0.1.2.3 0.255.255.255 :: ::ffff:0.0.0.0 ::2 64:ff9b::0.0.0.0 64:ff9b:1:: 2002::1`,
		multicast:   `224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 ff00::1 ff02::1%eth0 ff05::2 ::ffff:224.0.0.1 64:ff9b::255.255.255.255`,
		metadata: `169.254.169.254 169.254.170.2 169.254.170.23 fd00:ec2::254 fd00:ec2::23 fd20:ce::254 100.100.100.200 168.63.129.16
			::ffff:169.254.169.254 64:ff9b::169.254.169.254 64:ff9b::100.100.100.200 2002:a9fe:a9fe::`,
		// Private ones too: the storages of GHES and Gitea are there.
		ordinary: `1.0.0.0 8.8.8.8 10.0.0.1 100.64.0.1 172.16.0.1 192.168.1.1 126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0 223.255.255.255
			fc00::1 fd12:3456::1 fec0::1 2001:db8::1 2606:4700::1111 64:ff9b::8.8.8.8 64:ff9b:1::8.8.8.8 64:ff9b:1:808:8:800:: 2002:808:808:: ::ffff:8.8.8.8 ::8.8.8.8 fd00:ec2::255`,
	} {
		for a := range strings.FieldsSeq(addresses) {
			if got := kindOf(netip.MustParseAddr(a)); got != kind {
				t.Errorf("%s is %s, want %s", a, got, kind)
			}
		}
	}
}

// A loopback, link-local or other special address may be reached only if the API's own
// host has one of the same kind.
func TestReachIsOfTheAPIsOwnKind(t *testing.T) {
	examples := map[addressKind]string{
		loopback: "127.0.0.1:80", linkLocal: "[fe80::1%lo]:443", unspecified: "0.0.0.0:80", multicast: "224.0.0.1:80", metadata: "169.254.169.254:80",
	}
	for own, address := range examples {
		r := &reach{}
		r.note(netip.MustParseAddrPort(address).Addr())
		for kind, other := range examples {
			err := r.checkDialled(other)
			if (err == nil) != (kind == own) {
				t.Errorf("from an API at %s, %s: %v", own, other, err)
			}
			if err != nil && !strings.Contains(err.Error(), kind.String()) {
				t.Errorf("%s: the error does not say why: %v", other, err)
			}
		}
		for _, anyTime := range []string{"8.8.8.8:443", "10.0.0.1:9000", "[fd12::1]:9000"} {
			if err := r.checkDialled(anyTime); err != nil {
				t.Error(err)
			}
		}
	}
	if err := (&reach{}).checkDialled("nonsense"); err == nil {
		t.Error("what is no address was let through")
	}
}

// What a proxy would look up is refused as far as it can be told by looking at it.
func TestHostsAsWritten(t *testing.T) {
	for _, bad := range []string{
		"127.0.0.1", "::1", "localhost", "LOCALHOST", "localhost.", "a.localhost", "169.254.169.254", "169.254.169.254.", "fd00:ec2::254", "0.0.0.0",
		"127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.0.0.1.", "017700000001", "1.2.3.4.5", "99999999999999999999", "::ffff:7f00:1", "",
	} {
		if err := (&reach{}).checkWritten(bad); err == nil {
			t.Errorf("%q was let through", bad)
		}
	}
	for _, good := range []string{"storage.example", "productionresults.blob.core.windows.net", "8.8.8.8", "10.0.0.1", "fd12::1", "minio", "a1", "localhost.example", "1.example"} {
		if err := (&reach{}).checkWritten(good); err != nil {
			t.Error(err)
		}
	}
}

// FuzzReach: an address is refused in every form in which it is written, and reading
// it never fails otherwise.
func FuzzReach(f *testing.F) {
	for _, host := range []string{"127.0.0.1", "::1", "fe80::1%25lo", "localhost.", "0x7f.1", "[::1]", "a.b", ""} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		written := (&reach{}).checkWritten(host)
		a, err := netip.ParseAddr(host)
		if err != nil {
			return
		}
		dialled := (&reach{}).checkDialled(netip.AddrPortFrom(a, 80).String())
		if (written == nil) != (dialled == nil) {
			t.Errorf("%q: as written %v, as dialled %v", host, written, dialled)
		}
		if a.Is4() && (kindOf(a) != kindOf(netip.AddrFrom16(a.As16()))) {
			t.Errorf("%s is of another kind when it is mapped", a)
		}
	})
}
