package listen

import (
	"container/list"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// conn is a connection that the bound counts.
type conn struct {
	net.Conn
	bound *Bound

	oldFrom time.Duration // after bound.start; 0 for never

	lastReadDue atomic.Bool // see endRead
	isHTTP2     atomic.Bool
	isActive    atomic.Bool // HTTP/1: carries a request whose headers have been read

	// net/http ends its background read with a deadline in the past. The client has not caused such a timeout.
	deadlineIsPast atomic.Bool
	timedOut       atomic.Bool // the last read timed out

	// Guarded by bound.mu.
	inList   *list.List // nil while the connection carries a complete request
	element  *list.Element
	since    time.Duration // after bound.start
	requests int32         // complete, and not done
	isClosed bool          // or displaced
}

// leaveList removes c from its list, if it is in one.
func (c *conn) leaveList() {
	if c.inList != nil {
		c.inList.Remove(c.element)
		c.inList, c.element = nil, nil
	}
}

// Read notes whether it timed out, and reads once more after endRead.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && c.lastReadDue.CompareAndSwap(true, false) {
		_ = c.Conn.SetReadDeadline(time.Now().Add(lastLook))
		if n, err = c.Conn.Read(p); n > 0 {
			_ = c.Conn.SetReadDeadline(time.Now().Add(answerGrace)) // for the rest of that request
		}
	}
	c.timedOut.Store(n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && !c.deadlineIsPast.Load())
	return n, err
}

// SetReadDeadline notes whether the deadline is in the past, which ends a read (aLongTimeAgo in net/http/server.go).
func (c *conn) SetReadDeadline(t time.Time) error {
	c.deadlineIsPast.Store(!t.IsZero() && time.Until(t) < -time.Hour)
	return c.Conn.SetReadDeadline(t)
}

// Close closes the connection. The bound stops counting it when its file is closed.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.bound.closed(c)
	return err
}

// CloseWrite half-closes the connection. net/http calls it after a request that it did not read to the end.
func (c *conn) CloseWrite() error { return closeWrite(c.Conn) }

// closeWrite half-closes conn if it can.
func closeWrite(conn net.Conn) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// bounded returns the connection of a Bound below outer, nil if there is none. TLS and the PROXY protocol may be between both. It
// does not call RemoteAddr, which waits for the PROXY header.
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
