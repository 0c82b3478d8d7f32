// Package clientip says who really sent a request, when it may have come through proxies.
//
// A proxy hides the address of its client behind its own and writes it into a header: X-Forwarded-For, or
// Forwarded (RFC 7239). Anybody can write such a header, so it counts as far as somebody trusted wrote it, and not
// one address further. That is the one thing this package knows; whom to trust is a setting.
//
// It does no I/O, looks up no names, and takes time linear in the length of the headers.
package clientip

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/txn2/rtbeat/internal/setting"
)

// Settings are the proxies in front of rtbeat.
type Settings struct {
	// TrustedProxies are the [proxies](#behind-a-proxy) whose `Forwarded` and `X-Forwarded-For` headers rtbeat believes:
	// addresses, networks such as `10.0.0.0/8`, or `unix` for everybody who connects to the Unix socket. rtbeat ignores these
	// headers of others.
	TrustedProxies []string `config:"trusted_proxies"`

	// ProxyProtocol is whether the `trusted_proxies` have to begin each connection with a [PROXY protocol](#proxy-protocol)
	// header, version 1 or 2. Such a header of others is refused.
	ProxyProtocol bool `config:"proxy_protocol"`
}

// Check applies the rules of the settings.
func (s *Settings) Check() error {
	if s.ProxyProtocol && len(s.TrustedProxies) == 0 {
		return errors.New("rtbeat.proxy_protocol is true without rtbeat.trusted_proxies, so that nobody's header would be taken; name the proxies that send it there")
	}
	for i, proxy := range s.TrustedProxies {
		if err := setting.CheckText(fmt.Sprintf("rtbeat.trusted_proxies.%d", i), proxy); err != nil {
			return err
		}
	}
	if _, err := ParseTrusted(s.TrustedProxies); err != nil {
		return fmt.Errorf("rtbeat.trusted_proxies: %w", err)
	}
	return nil
}

// unixPeers is the entry of a list that stands for all peers on a unix socket. They have no address.
const unixPeers = "unix"

// Trusted is whom to believe what it says about the sender. The zero value trusts nobody. It never changes, so any
// number of goroutines may use it.
type Trusted struct {
	prefixes []netip.Prefix
	unix     bool
}

// ParseTrusted reads a list of networks (10.0.0.0/8, 2001:db8::/32), single addresses (192.0.2.7, ::1) and the word
// unix. An IPv4 address that is written as an IPv6 one (::ffff:192.0.2.7) is the same as in its short form. 0.0.0.0/0
// is every IPv4 address and ::/0 every other one.
//
// The error names the entry that is none of these. It refuses an address with a zone (fe80::1%eth0), because no header
// can be trusted by the cable that it came through, and a network with bits beyond its length (10.1.2.3/8), because it
// may be meant as one address and would be sixteen million.
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
		return netip.Prefix{}, fmt.Errorf("%q is no address, no network such as 10.0.0.0/8, and not the word %s", entry, unixPeers)
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

// Has reports whether the address is trusted. Its zone is passed over, and an IPv4 address in IPv6 is what it maps to. The
// zero Addr is not trusted.
func (t Trusted) Has(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, prefix := range t.prefixes {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// Unix reports whether peers on a unix socket are trusted.
func (t Trusted) Unix() bool { return t.unix }
