package listen

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// Listener returns l within the bound. Its connections know CloseWrite if those of l do. Close ends an Accept that
// waits for a place.
func (b *Bound) Listener(l net.Listener) net.Listener {
	return &listener{Listener: l, bound: b}
}

type listener struct {
	net.Listener
	bound  *Bound
	closed bool // guarded by bound.mu
}

// Accept returns the next connection, when there is a place for it.
func (l *listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err //nolint:wrapcheck // a decorator: net/http looks at the error of the listener itself
	}
	return l.bound.admit(l, accepted), nil
}

// Close stops listening. Connections stay open.
func (l *listener) Close() error {
	l.bound.mu.Lock()
	l.closed = true
	l.bound.room.Broadcast()
	l.bound.mu.Unlock()
	return l.Listener.Close() //nolint:wrapcheck // a decorator: net/http looks at the error of the listener itself
}

// conn is a connection with a place in the bound.
type conn struct {
	net.Conn
	bound *Bound

	leaving atomic.Bool // a last look is due: see Bound.LastCall
	streams atomic.Bool // it is HTTP/2

	past  atomic.Bool // the deadline for reading was set to a moment that is over: net/http ends a read of its own so
	tired atomic.Bool // the last read ran out of time

	// What follows is guarded by bound.mu.
	in             *list // where it is linked, nil while it carries a complete request
	previous, next *conn
	since          time.Duration // after bound.start
	requests       int32         // complete, and not done
	gone           bool          // closed, or displaced
}

// Read notes whether the time for it ran out, and takes the last look that LastCall asked for.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && c.leaving.CompareAndSwap(true, false) {
		_ = c.Conn.SetReadDeadline(time.Now().Add(lastLook))
		if n, err = c.Conn.Read(p); n > 0 {
			_ = c.Conn.SetReadDeadline(time.Now().Add(answerGrace)) // for what is left of that request
		}
	}
	c.tired.Store(n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && !c.past.Load())
	return n, err //nolint:wrapcheck // a decorator: net/http looks at the error of the connection itself
}

// SetReadDeadline notes whether the deadline is a way to stop reading (aLongTimeAgo in net/http/server.go).
func (c *conn) SetReadDeadline(t time.Time) error {
	c.past.Store(!t.IsZero() && time.Until(t) < -time.Hour)
	return c.Conn.SetReadDeadline(t) //nolint:wrapcheck // a decorator: net/http looks at the error of the connection itself
}

// Close closes the connection, and gives its place back when its file is closed.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.bound.closed(c)
	return err //nolint:wrapcheck // a decorator: net/http looks at the error of the connection itself
}

// lastLook is how long the last look for a request takes, which finds what has come already.
const lastLook = time.Millisecond

// LastCall ends the connection by a deadline for its read, unless it carries a request. A request that has come, and that
// net/http has not taken up, is still read: without that last look the socket would be closed with a request in
// it, and its sender get a reset. HTTP/2 connections are left alone, they have a way of their own to say goodbye.
func (*Bound) LastCall(outer net.Conn) {
	c := bounded(outer)
	if c == nil || c.streams.Load() { // asking the TLS layer would wait for a handshake
		return
	}
	c.bound.mu.Lock()
	defer c.bound.mu.Unlock()
	if c.in == nil {
		return
	}
	c.leaving.Store(true)
	c.past.Store(true)
	_ = c.Conn.SetReadDeadline(longAgo)
}

// longAgo is a deadline that is over.
var longAgo = time.Unix(1, 0)

// CloseWrite is what net/http looks for: it half-closes a connection whose request it did not read to its end.
func (c *conn) CloseWrite() error { return closeWrite(c.Conn) }

// closeWrite half-closes conn if it can.
func closeWrite(conn net.Conn) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite() //nolint:wrapcheck // a decorator: net/http looks at the error of the connection itself
	}
	return nil
}

// bounded returns the connection of a Bound that outer is, or wraps: under TLS and the PROXY protocol. Nil if there is
// none. It asks outer for nothing else, least of all for addresses, which may wait for the PROXY header.
func bounded(outer net.Conn) *conn {
	for {
		switch layer := outer.(type) {
		case *conn:
			return layer
		case interface{ NetConn() net.Conn }: // *tls.Conn, *proxiedConn
			outer = layer.NetConn()
		default:
			return nil
		}
	}
}

// list is a list of connections, linked through them, so that each step of a connection costs the same however many
// there are, and no memory. Its bound's mutex guards it.
type list struct{ first, last *conn }

// push puts c, which is in no list, at the end.
func (l *list) push(c *conn, since time.Duration) {
	c.in, c.since, c.previous = l, since, l.last
	if l.last == nil {
		l.first = c
	} else {
		l.last.next = c
	}
	l.last = c
}

// leave takes c out of the list that it is in, if any.
func (c *conn) leave() {
	if c.in == nil {
		return
	}
	if c.previous == nil {
		c.in.first = c.next
	} else {
		c.previous.next = c.next
	}
	if c.next == nil {
		c.in.last = c.previous
	} else {
		c.next.previous = c.previous
	}
	c.in, c.previous, c.next = nil, nil, nil
}
