package clientip

import (
	"net/http"
	"net/netip"
)

// maxHops is how many entries of a header are looked at, from the nearest. Real chains have three or four.
const maxHops = 64

// Of returns the address of the client that sent a request: the canonical form of an IP address without zone and
// port, an IPv4 address always in its short form; or "" for a peer on a unix socket about which no header tells,
// and for a remoteAddr that is no address.
//
// remoteAddr is that of net/http, with or without a port; for a unixPeer it is not looked at. A peer that is not trusted
// is the client, whatever its headers say.
//
// What a trusted peer says is read from the right, because each proxy appends the address that it saw. Trusted
// addresses are passed over as further proxies; the first one that is not trusted is the client, for what stands
// left of it, it may have written itself. When all are trusted, the leftmost is the client. An entry that is not an
// address ("unknown", an obfuscated "_x", anything malformed), and a Forwarded element without "for", ends what is known: the
// client is then the last address before it, at least the peer. So does the 64th entry.
//
// A request may have both X-Forwarded-For and Forwarded. A proxy writes one of them and often lets the other
// through, as the client sent it, and nothing shows which is which. So when both are there they must lead to the
// same address, else neither is believed and the client is the peer. A client that forges the other header hides
// in this way, but it cannot be taken for someone else: the one that the proxy wrote would have to agree. A header
// with nothing in it counts as absent.
//
// This holds as long as a trusted proxy writes at least one of the headers, for every request. One that writes
// neither, or that lets its client remove what it wrote by naming it in Connection, lends its trust to anybody.
func (t Trusted) Of(remoteAddr string, unixPeer bool, header http.Header) string {
	var peer netip.Addr
	trusted := t.unix
	if !unixPeer {
		peer = peerAddr(remoteAddr)
		trusted = t.Has(peer)
	}
	if !trusted {
		return text(peer)
	}

	byFor, anyFor := t.walk(peer, backwards(header["X-Forwarded-For"], lastByComma, forwardedForAddr))
	byForwarded, anyForwarded := t.walk(peer, backwards(header["Forwarded"], lastElement, forwardedAddr))
	switch {
	case anyFor && anyForwarded && byFor != byForwarded:
		return text(peer)
	case anyForwarded:
		return text(byForwarded)
	default: // that of the peer when there is no header at all
		return text(byFor)
	}
}

// walk follows the hops from the nearest to the one that is the client. told is whether there was any hop.
func (t Trusted) walk(peer netip.Addr, hops func(yield func(netip.Addr) bool)) (client netip.Addr, told bool) {
	client = peer
	for hop := range hops {
		told = true
		if !hop.IsValid() {
			break
		}
		client = hop
		if !t.Has(hop) {
			break
		}
	}
	return client, told
}

// peerAddr reads an address with or without a port. It returns the zero Addr when it is neither.
func peerAddr(remoteAddr string) netip.Addr {
	if withPort, err := netip.ParseAddrPort(remoteAddr); err == nil {
		return canonical(withPort.Addr())
	}
	addr, err := netip.ParseAddr(remoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return canonical(addr)
}

// canonical drops what has a meaning on one machine or in one notation only.
func canonical(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

func text(addr netip.Addr) string {
	if !addr.IsValid() {
		return ""
	}
	return addr.String()
}
