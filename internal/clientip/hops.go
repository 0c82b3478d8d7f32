package clientip

import (
	"iter"
	"net/netip"
	"slices"
	"strings"
)

const ows = " \t" // optional white space, RFC 9110, section 5.6.3

// backwards yields the addresses of a header from the nearest hop on, at most maxHops. The fields of the header are one list,
// in their order. An entry that is no address is the zero Addr. Empty entries are skipped (RFC 9110, section 5.6.1.2), but
// count.
//
// Each field is cut from its right end. The client writes the left part. An open quote there must not hide the entries of the
// proxies.
func backwards(
	fields []string, last func(string) (before, entry string, more bool), addr func(string) netip.Addr,
) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		seen := 0
		for _, rest := range slices.Backward(fields) {
			for more := true; more; {
				if seen == maxHops {
					return
				}
				seen++
				var entry string
				rest, entry, more = last(rest)
				if entry = strings.Trim(entry, ows); entry == "" {
					continue
				}
				if !yield(addr(entry)) {
					return
				}
			}
		}
	}
}

// lastByComma cuts off the text after the last comma.
func lastByComma(field string) (before, entry string, more bool) {
	i := strings.LastIndexByte(field, ',')
	return field[:max(i, 0)], field[i+1:], i >= 0
}

// forwardedForAddr reads an entry of X-Forwarded-For. There is no standard for it; proxies write addresses alone, or
// with a port, and then IPv6 addresses in brackets.
func forwardedForAddr(entry string) netip.Addr {
	if strings.Count(entry, ":") > 1 && entry[0] != '[' {
		return bare(entry)
	}
	return node(entry, false)
}

// node reads an address with an optional port; an IPv6 address is in brackets (RFC 7239, section 6). obfuscated is
// whether the port may be hidden behind a name with an underscore.
func node(s string, obfuscated bool) netip.Addr {
	inside, bracketed := strings.CutPrefix(s, "[")
	if !bracketed {
		host, port, hasPort := strings.Cut(s, ":")
		if hasPort && !isPort(port, obfuscated) {
			return netip.Addr{}
		}
		return bare(host) // without a colon, so IPv4
	}
	host, rest, closed := strings.Cut(inside, "]")
	port, hasPort := strings.CutPrefix(rest, ":")
	if !closed || !strings.Contains(host, ":") || hasPort != (rest != "") || (hasPort && !isPort(port, obfuscated)) {
		return netip.Addr{}
	}
	return bare(host)
}

// isPort tells whether s is a port of RFC 7239, section 6.
func isPort(s string, obfuscated bool) bool {
	if obfuscated && len(s) > 1 && s[0] == '_' {
		return strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == ""
	}
	return s != "" && len(s) <= 5 && strings.Trim(s, "0123456789") == ""
}

// bare reads an address without a port. It refuses a zone, which has a meaning on one machine only.
func bare(s string) netip.Addr {
	addr, err := netip.ParseAddr(s)
	if err != nil || addr.Zone() != "" {
		return netip.Addr{}
	}
	return addr.Unmap()
}
