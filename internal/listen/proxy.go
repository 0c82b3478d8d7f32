package listen

import (
	"net"
	"net/netip"
	"time"

	proxyproto "github.com/pires/go-proxyproto"
)

// defaultHeaderTimeout stands in for none, which to go-proxyproto would mean for ever.
const defaultHeaderTimeout = 10 * time.Second

// Proxied returns l with the PROXY protocol, version 1 and 2
// (https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt), for load balancers that are trusted.
//
// trusted says whether a peer is one, by its address as the kernel knows it, without a zone, and as IPv4 when it is IPv4
// mapped to IPv6. It is called before the next connection is accepted, so it must not wait; nil trusts nobody. unix is
// whether every peer on a Unix socket is one; its mode decides who that can be. headerTimeout limits how long the
// header may take from the first use of the connection; 0 or less is 10 s.
//
// From them the header is required: if it were not, a forwarder that knows nothing of it would let its client write
// one. A connection without a valid one fails at the first read, and is answered nothing; health checks of such a peer
// need the header, too. From anybody else no header is looked for: its bytes go on to HTTP, which refuses them.
//
// RemoteAddr of a connection is the client's address that the header announces, and LocalAddr stays that of the socket.
// The peer's own address remains where the header announces none: LOCAL in version 2 (a health check), UNKNOWN
// in version 1, and addresses of anything but TCP. So behind this listener the client takes the place of the peer, also
// where X-Forwarded-For is believed by the peer's address: that of an announced client is believed only if its
// own address is among the trusted.
//
// Accept does not wait for the header; it is read at the first call of Read, Write or RemoteAddr, which wait for it.
// net/http makes that call in the goroutine of the connection.
func Proxied(l net.Listener, trusted func(netip.Addr) bool, unix bool, headerTimeout time.Duration) net.Listener {
	if headerTimeout <= 0 {
		headerTimeout = defaultHeaderTimeout
	}
	return &proxiedListener{Listener: l, trusted: trusted, unix: unix, headerTimeout: headerTimeout}
}

type proxiedListener struct {
	net.Listener
	trusted       func(netip.Addr) bool
	unix          bool
	headerTimeout time.Duration
}

// Accept returns the next connection, its header unread.
func (l *proxiedListener) Accept() (net.Conn, error) {
	peer, err := l.Listener.Accept()
	if err != nil || !l.trusts(peer.RemoteAddr()) {
		return peer, err //nolint:wrapcheck // a decorator: net/http looks at the error of the listener itself
	}
	return &proxiedConn{
		Conn: proxyproto.NewConn(peer, proxyproto.WithPolicy(proxyproto.REQUIRE), proxyproto.SetReadHeaderTimeout(l.headerTimeout)),
		peer: peer,
	}, nil
}

// trusts says whether the peer at the address must send a header.
func (l *proxiedListener) trusts(address net.Addr) bool {
	switch address := address.(type) {
	case *net.TCPAddr:
		return l.trusted != nil && l.trusted(address.AddrPort().Addr().Unmap().WithZone(""))
	case *net.UnixAddr:
		return l.unix
	default:
		return false
	}
}

// proxiedConn is a connection that starts with a PROXY header.
type proxiedConn struct {
	*proxyproto.Conn
	peer net.Conn
}

// RemoteAddr is the announced client, or the peer. It waits for the header.
func (c *proxiedConn) RemoteAddr() net.Addr {
	if client, ok := c.Conn.RemoteAddr().(*net.TCPAddr); ok {
		return client
	}
	return c.peer.RemoteAddr()
}

// LocalAddr is the address that the peer connected to.
func (c *proxiedConn) LocalAddr() net.Addr { return c.peer.LocalAddr() }

// NetConn is the connection beneath.
func (c *proxiedConn) NetConn() net.Conn { return c.peer }

// CloseWrite half-closes the connection, which net/http looks for.
func (c *proxiedConn) CloseWrite() error { return closeWrite(c.peer) }
