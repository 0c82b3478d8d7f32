package durable

import (
	"net"
	"sync"
)

// connections bounds the open connections in durable mode, so that files are left for the queue: when libbeat cannot
// open a segment to read it, it passes over what is in there (handleReaderLoopResponse in diskqueue/core_loop.go).
// All listeners share one bound. A sender beyond it waits until a connection is closed.
type connections struct {
	free chan struct{}
}

// reserved is how many files are kept for all but connections: segments, logs, the output.
const reserved = 256

// newConnections takes the number of files that the process may open.
func newConnections(files uint64) *connections {
	return &connections{make(chan struct{}, files-min(files/2, reserved))}
}

// limit returns l within the bound.
func (c *connections) limit(l net.Listener) net.Listener {
	return &limitedListener{Listener: l, free: c.free, closed: make(chan struct{})}
}

type limitedListener struct {
	net.Listener
	free   chan struct{}
	once   sync.Once
	closed chan struct{}
}

func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.free <- struct{}{}:
	case <-l.closed: // Accept of a closed listener fails, and says so
		return l.Listener.Accept() //nolint:wrapcheck // this is the listener
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.free
		return nil, err //nolint:wrapcheck // this is the listener
	}
	return &limitedConn{Conn: conn, free: l.free}, nil
}

func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close() //nolint:wrapcheck // this is the listener
}

type limitedConn struct {
	net.Conn
	free chan struct{}
	once sync.Once
}

// CloseWrite is what net/http looks for: it half-closes a connection whose request it did not read to its end.
func (c *limitedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite() //nolint:wrapcheck // this is the connection
	}
	return nil
}

func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { <-c.free })
	return err //nolint:wrapcheck // this is the connection
}
