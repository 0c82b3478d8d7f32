// Package clientip finds the address of the client that sent a request, also behind proxies.
//
// A proxy writes the address of its client into a header: X-Forwarded-For, or Forwarded (RFC 7239). Any client can send such a
// header, so only the entries of trusted proxies count.
//
// It does no I/O, looks up no names, and takes time linear in the length of the headers.
package clientip

import (
	"fmt"
	"net/netip"
	"slices"
)

// unixPeers is the entry of a list for all peers on a Unix socket. They have no address.
const unixPeers = "unix"

// Trusted are the proxies whose headers count. The zero value trusts nobody. It never changes: any number of goroutines may
// use it.
type Trusted struct {
	prefixes []netip.Prefix
	unix     bool
}

// ParseTrusted reads a list of networks (10.0.0.0/8, 2001:db8::/32), addresses (192.0.2.7, ::1) and the word unix. An IPv4
// address in IPv6 (::ffff:192.0.2.7) is the same as its short form. 0.0.0.0/0 is every IPv4 address, ::/0 every IPv6 address.
//
// The error names the entry that is none of these. An address with a zone (fe80::1%eth0) is refused, because an entry of a
// header has no network interface. A network with bits beyond its length (10.1.2.3/8) is refused: it is 16 million addresses, and
// one may be meant.
func ParseTrusted(list []string) (Trusted, error) {
	var t Trusted
	for _, entry := range list {
		if entry == unixPeers {
			t.unix = true
			continue
		}
		prefix, err := parsePrefix(entry)
		if err != nil {
			return Trusted{}, err
		}
		t.prefixes = append(t.prefixes, prefix)
	}
	return t, nil
}

func parsePrefix(entry string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(entry); err == nil {
		if addr.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%q has a zone: give the address without it", entry)
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(entry)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither an address, nor a network such as 10.0.0.0/8, nor %s", entry, unixPeers)
	}
	if masked := prefix.Masked(); masked != prefix {
		return netip.Prefix{}, fmt.Errorf("%q has bits beyond its length: give %s for the network or %s for the address",
			entry, masked, prefix.Addr())
	}
	const mapped = 96 // bits before the IPv4 address in an IPv6 one
	if addr := prefix.Addr(); addr.Is4In6() && prefix.Bits() >= mapped {
		return netip.PrefixFrom(addr.Unmap(), prefix.Bits()-mapped), nil
	}
	return prefix, nil
}

// Has tells whether the address is trusted. It ignores the zone, and takes an IPv4 address in IPv6 for the IPv4 address. The
// zero Addr is not trusted.
func (t Trusted) Has(addr netip.Addr) bool {
	addr = canonical(addr)
	return slices.ContainsFunc(t.prefixes, func(prefix netip.Prefix) bool { return prefix.Contains(addr) })
}

// Unix tells whether peers on a Unix socket are trusted.
func (t Trusted) Unix() bool { return t.unix }
