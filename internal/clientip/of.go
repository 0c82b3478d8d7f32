package clientip

import (
	"iter"
	"net/http"
	"net/netip"
)

// maxHops is how many entries of a header count, from the nearest. Real chains have three or four.
const maxHops = 64

// Of returns the IP address of the client that sent a request, without zone and port. An IPv4 address has its short form. It is "" for a peer on a Unix socket without a header, and for a remoteAddr that is no address.
//
// remoteAddr is RemoteAddr of net/http, with or without a port. It is ignored for a unixPeer. A peer that is not trusted is the
// client, whatever its headers say.
//
// Headers of a trusted peer are read from the right, because each proxy appends the address that it saw. Trusted addresses are
// further proxies. The first address that is not trusted is the client, which may have written everything left of it. When
// all are trusted, the leftmost is the client. An entry that is no address ("unknown", an obfuscated "_x", anything malformed)
// ends the list. So do a Forwarded element without "for", and the 64th entry. The client is then the last address before that
// end, or the peer.
//
// A request may have both X-Forwarded-For and Forwarded. A proxy writes one of them, and often forwards the other as the client
// sent it. rtbeat cannot tell which header the proxy wrote. So both must lead to the same address, otherwise the client is the
// peer. A client that forges the other header hides its address, but cannot take another address. An empty header counts as
// absent.
//
// This holds as long as a trusted proxy writes at least one of the headers in every request. A proxy that writes neither makes
// every client trusted. So does a proxy whose client can remove the header by naming it in Connection.
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

	byFor, anyFor := t.clientOf(peer, backwards(header["X-Forwarded-For"], lastByComma, forwardedForAddr))
	byForwarded, anyForwarded := t.clientOf(peer, backwards(header["Forwarded"], lastElement, forwardedAddr))
	switch {
	case anyFor && anyForwarded && byFor != byForwarded:
		return text(peer)
	case anyForwarded:
		return text(byForwarded)
	default: // the peer when there is no header at all
		return text(byFor)
	}
}

// clientOf follows the hops from the nearest to the client. found is whether there was any hop.
func (t Trusted) clientOf(peer netip.Addr, hops iter.Seq[netip.Addr]) (client netip.Addr, found bool) {
	client = peer
	for hop := range hops {
		found = true
		if !hop.IsValid() {
			break
		}
		client = hop
		if !t.Has(hop) {
			break
		}
	}
	return client, found
}

// peerAddr reads an address with or without a port. It returns the zero Addr when it is neither.
func peerAddr(remoteAddr string) netip.Addr {
	if withPort, err := netip.ParseAddrPort(remoteAddr); err == nil {
		return canonical(withPort.Addr())
	}
	addr, _ := netip.ParseAddr(remoteAddr)
	return canonical(addr)
}

// canonical removes the zone, which has a meaning on one machine only, and the IPv6 notation of an IPv4 address.
func canonical(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

func text(addr netip.Addr) string {
	if !addr.IsValid() {
		return ""
	}
	return addr.String()
}
