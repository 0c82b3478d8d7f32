package lumbersink

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elastic/go-lumber/log"
	protocol "github.com/elastic/go-lumber/protocol/v2"
)

// listener admits connections to the sink and keeps hold of them.
type listener struct {
	net.Listener
	sink *Sink
}

// Accept returns the next connection that the policy lets in.
func (l *listener) Accept() (net.Conn, error) {
	for {
		inner, err := l.Listener.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				// Go-lumber stops accepting at any error and tells nobody.
				l.sink.fail(fmt.Errorf("lumberjack sink stopped accepting: %w", err))
			}
			return nil, err
		}
		if c, ok := l.sink.admit(inner); ok {
			return c, nil
		}
		_ = inner.Close() // refused; there is nobody to tell
	}
}

type connState int

const (
	connOpen connState = iota
	connCut            // closed by the sink
	connLeft           // closed by go-lumber, as a rule because the client left
)

// conn is one client's connection as go-lumber sees it.
type conn struct {
	net.Conn
	sink *Sink
	addr connAddr

	idle *time.Timer // nil without an idle timeout

	readEnded atomic.Bool // a read failed: the client left, or was cut

	// Guarded by the sink's mu.
	state  connState
	unsent int // acknowledgements released and not written yet
}

// connAddr makes each connection's address unique in the life of a sink. It is
// the only thing about its connection that go-lumber tells with a window, and
// ports come back.
type connAddr struct {
	net.Addr
	id uint64
}

func (a connAddr) String() string { return fmt.Sprintf("%s#%d", a.Addr, a.id) }

func (c *conn) RemoteAddr() net.Addr { return c.addr }

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.used(n)
	if err != nil {
		c.readEnded.Store(true)
	}
	return n, err
}

// Write notes when an acknowledgement has gone out. Go-lumber writes one frame
// at a time: an ACK with a count, or an ACK 0 to keep the client waiting.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.used(n)
	if isAck(p) {
		c.sink.ackWritten(c)
	}
	if err != nil {
		// Go-lumber stops acknowledging on this connection but keeps reading from
		// it: the client would wait for ever.
		c.sink.sever(c)
	}
	return n, err
}

// Close is called by go-lumber when it is done with the connection.
func (c *conn) Close() error {
	gaveUp := c.sink.leave(c)
	c.notIdle()
	err := c.Conn.Close()
	if gaveUp {
		c.sink.fail(fmt.Errorf("lumberjack connection %s: protocol error (not lumberjack v2, or a window of more than %d events)",
			c.addr, maxWindow))
	}
	return err
}

func isAck(p []byte) bool {
	return len(p) == 6 && p[0] == protocol.CodeVersion && p[1] == protocol.CodeACK &&
		p[2]|p[3]|p[4]|p[5] != 0
}

// admit takes a new connection in, unless the policy refuses it.
func (s *Sink) admit(inner net.Conn) (*conn, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || s.policy.kind == refuse {
		return nil, false
	}
	s.lastConn++
	c := &conn{Conn: inner, sink: s, addr: connAddr{Addr: inner.RemoteAddr(), id: s.lastConn}}
	s.conns[c.addr.String()] = c
	resetOnClose(inner)
	c.closeWhenIdle(s.opts.idleTimeout)
	s.notifyLocked()
	return c, true
}

// lookup finds the connection a window came from: nil if its client has left,
// cut if the sink closed it.
func (s *Sink) lookup(addr string) (c *conn, cut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c = s.conns[addr]
	return c, c != nil && c.state == connCut
}

// sever closes connections; the windows waiting on them die unacknowledged.
func (s *Sink) sever(conns ...*conn) {
	s.mu.Lock()
	var cut []*conn
	var dead []*window
	for _, c := range conns {
		if c == nil || c.state != connOpen {
			continue
		}
		c.state = connCut
		cut = append(cut, c)
		dead = append(dead, s.dropAllLocked(c)...)
	}
	s.notifyLocked()
	s.mu.Unlock()

	for _, c := range cut {
		c.notIdle()
		_ = c.Conn.Close() // it goes away either way
	}
	// Only now that no byte can reach the client: this wakes go-lumber's goroutine
	// for the connection, which waits for the acknowledgement and would notice the
	// closing no earlier than its next keep-alive.
	for _, w := range dead {
		w.batch.ACK()
	}
}

// leave notes that go-lumber closes c. It tells whether go-lumber gave up on
// what the client sent: nothing had gone wrong with the connection itself.
func (s *Sink) leave(c *conn) (gaveUp bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch c.state {
	case connOpen:
		gaveUp = !s.closing && !c.readEnded.Load()
		c.state = connLeft
		s.dropAllLocked(c)
		delete(s.conns, c.addr.String())
	case connCut:
		s.gone = append(s.gone, c)
	case connLeft:
	}
	s.notifyLocked()
	return gaveUp
}

// forgetGone forgets the cut connections that go-lumber is done with. It is
// called between windows: go-lumber closes a connection after it has handed
// over the last window of it, so by now each of them was looked up.
func (s *Sink) forgetGone() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.gone {
		delete(s.conns, c.addr.String())
	}
	s.gone = nil
}

// dropAllLocked takes the windows waiting on c from those waiting.
func (s *Sink) dropAllLocked(c *conn) []*window {
	var dead []*window
	for _, w := range s.held {
		if w.conn == c {
			dead = append(dead, w)
		}
	}
	for _, w := range dead {
		s.dropHeldLocked(w)
	}
	return dead
}

func (s *Sink) ackWritten(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.unsent--
	s.notifyLocked()
}

// unsentLocked tells whether any acknowledgement still has to be written.
func (s *Sink) unsentLocked() bool {
	for _, c := range s.conns {
		if c.state == connOpen && c.unsent > 0 {
			return true
		}
	}
	return false
}

// silenceGoLumber replaces the logger before the first connection uses it.
var silenceGoLumber = sync.OnceFunc(func() { log.Logger = silent{} })

// silent is a go-lumber logger that says nothing.
type silent struct{}

func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}
func (silent) Print(...any)          {}
