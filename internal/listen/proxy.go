package listen

import (
	"net"
	"net/netip"
	"time"

	proxyproto "github.com/pires/go-proxyproto"
)

// Proxied returns l with the PROXY protocol, version 1 and 2
// (https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt), for trusted load balancers.
//
// trusted tells whether the address of a peer is a trusted load balancer. The address has no zone, and is IPv4 when it is IPv4
// mapped to IPv6. trusted is called before the next connection is accepted, so it must not wait; nil trusts nobody. unix is whether every peer
// on a Unix socket is trusted. headerTimeout limits the header from the first use of the connection. It must be positive.
//
// A trusted peer must send the header. Otherwise a forwarder without the protocol would let its client write a header. A
// connection without a valid header fails at its first read, without an answer. Health checks of a trusted peer need the header
// too. The header of any other peer is not read: its bytes go to HTTP, which refuses them.
//
// RemoteAddr of a connection is the announced client, and LocalAddr the announced destination. They are the addresses of the socket if
// the header announces no client: LOCAL in version 2 (a health check), UNKNOWN in version 1, and addresses of anything but TCP. The
// announced client counts as the peer for X-Forwarded-For too: its header is believed only if its own address is trusted. So a
// connection through a trusted Unix socket must not look like one once a client is announced.
//
// Accept does not wait for the header. The first call of Read, Write or RemoteAddr waits for it. net/http makes that call in
// the goroutine of the connection.
func Proxied(l net.Listener, trusted func(netip.Addr) bool, unix bool, headerTimeout time.Duration) net.Listener {
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
		return peer, err
	}
	return &proxiedConn{
		Conn: proxyproto.NewConn(peer, proxyproto.WithPolicy(proxyproto.REQUIRE), proxyproto.SetReadHeaderTimeout(l.headerTimeout)),
		peer: peer,
	}, nil
}

// trusts tells whether the peer must send a header.
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

// LocalAddr is the announced destination, or the address of the socket. It waits for the header.
func (c *proxiedConn) LocalAddr() net.Addr {
	if destination, ok := c.Conn.LocalAddr().(*net.TCPAddr); ok {
		return destination
	}
	return c.peer.LocalAddr()
}

// NetConn is the connection beneath.
func (c *proxiedConn) NetConn() net.Conn { return c.peer }

// CloseWrite half-closes the connection. net/http calls it.
func (c *proxiedConn) CloseWrite() error { return closeWrite(c.peer) }
