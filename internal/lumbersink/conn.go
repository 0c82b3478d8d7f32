package lumbersink

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elastic/go-lumber/lj"
	lumberlog "github.com/elastic/go-lumber/log"
	v2 "github.com/elastic/go-lumber/server/v2"
)

// maxWindow is the largest number of events in a window. go-lumber's default of 10,000 would refuse outputs with a larger
// bulk_max_size. There is a limit, because go-lumber allocates a window before it reads the first event.
const maxWindow = 1 << 20

// accept serves connections until the listener is closed.
func (s *Sink) accept() {
	for {
		inner, err := s.listener.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				s.fail(fmt.Errorf("lumberjack sink stopped accepting: %w", err))
			}
			return
		}
		if c := s.admit(inner); c != nil {
			s.running.Go(func() { s.serve(c) })
		}
	}
}

// admit returns the connection for go-lumber. It closes the connection and returns nil where the sink takes none.
func (s *Sink) admit(inner net.Conn) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || s.policy.kind == refuse {
		_ = inner.Close()
		return nil
	}
	if tcp, ok := inner.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // Close becomes a reset, as Logstash's is: the client finds out with its next write
	}
	s.lastConn++
	c := &conn{Conn: inner, sink: s, name: fmt.Sprintf("%s#%d", inner.RemoteAddr(), s.lastConn), left: make(chan struct{})}
	s.conns[c] = true
	s.notifyLocked()
	return c
}

// serve runs a server of go-lumber for one connection, until go-lumber or Close ends it. With one server for all connections
// a window would not know its connection.
func (s *Sink) serve(c *conn) {
	windows, listener := make(chan *lj.Batch), make(oneConn, 1)
	listener <- c
	server, err := v2.NewWithListener(listener, v2.Channel(windows), v2.Keepalive(s.opts.keepAlive), v2.MaxWindowSize(maxWindow),
		v2.JSONDecoder(decoder(s.opts.wantsBytes())))
	if err != nil {
		s.sever(c)
		s.fail(fmt.Errorf("lumberjack sink: %w", err))
		return
	}
	for isOpen := true; isOpen; {
		select {
		case batch := <-windows:
			s.receive(c, batch)
		case <-c.left:
			isOpen = false
		case <-s.ended:
			isOpen = false
		}
	}
	_ = server.Close()
}

// oneConn is a listener that has one connection.
type oneConn chan net.Conn

func (l oneConn) Accept() (net.Conn, error) {
	if c, ok := <-l; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (l oneConn) Close() error {
	close(l)
	return nil
}

func (oneConn) Addr() net.Addr { return nil }

// conn is the connection of one client, for go-lumber.
type conn struct {
	net.Conn
	sink *Sink
	name string        // for Event.Conn
	left chan struct{} // closed when go-lumber has closed the connection

	readFailed atomic.Bool // the client left or was idle, or the sink closed the connection

	// Guarded by the sink's mu.
	wasCut bool // closed by the sink
	unsent int  // acknowledgements that are released and not written yet
}

// extend begins the idle timeout again.
func (c *conn) extend() {
	if d := c.sink.opts.idleTimeout; d > 0 {
		_ = c.Conn.SetReadDeadline(time.Now().Add(d)) // fails on a closed connection, where the next read fails as well
	}
}

// SetReadDeadline does nothing: the idle timeout is the limit of a read, as in Logstash, and not go-lumber's.
func (c *conn) SetReadDeadline(time.Time) error { return nil }

func (c *conn) Read(p []byte) (int, error) {
	c.extend()
	n, err := c.Conn.Read(p)
	if err != nil {
		c.readFailed.Store(true)
	}
	return n, err
}

// Write writes a frame of go-lumber: an ACK of a window, or an ACK 0 as keep-alive.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil {
		c.sink.sever(c) // go-lumber acknowledges nothing more, and would read on
		return n, err
	}
	c.extend()
	if binary.BigEndian.Uint32(p[2:]) > 0 {
		c.sink.mu.Lock()
		defer c.sink.mu.Unlock()
		c.unsent--
		c.sink.notifyLocked()
	}
	return n, nil
}

// Close is called once by go-lumber, after the last window of the connection. A connection that is open and readable then had
// bytes that go-lumber cannot read.
func (c *conn) Close() error {
	s := c.sink
	s.mu.Lock()
	isFailure := s.conns[c] && !s.closing && !c.readFailed.Load()
	s.removeLocked(c)
	s.mu.Unlock()
	err := c.Conn.Close()
	close(c.left)
	if isFailure {
		s.fail(fmt.Errorf("lumberjack connection %s: protocol error (not lumberjack v2, or a window of more than %d events)", c.name, maxWindow))
	}
	return err
}

// sever closes a connection. Its held windows are never acknowledged.
func (s *Sink) sever(c *conn) {
	s.mu.Lock()
	c.wasCut = c.wasCut || s.conns[c]
	dropped := s.removeLocked(c)
	s.mu.Unlock()
	_ = c.Conn.Close()
	// The client can get nothing any more. This wakes go-lumber's goroutine, which would wait until the next keep-alive.
	for _, w := range dropped {
		w.batch.ACK()
	}
}

func (s *Sink) isCut(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return c.wasCut
}

// removeLocked removes a connection from the open ones, and returns its windows, which are held no longer.
func (s *Sink) removeLocked(c *conn) (dropped []*window) {
	delete(s.conns, c)
	for _, w := range slices.Clone(s.held) {
		if w.conn == c {
			s.dropHeldLocked(w)
			dropped = append(dropped, w)
		}
	}
	s.notifyLocked()
	return dropped
}

// silenceGoLumber replaces go-lumber's logger, which all servers of the process share. It has a line for each connection.
var silenceGoLumber = sync.OnceFunc(func() { lumberlog.Logger = log.New(io.Discard, "", 0) })
