package listen

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// heldConn holds back the result of its first empty Read, as for a goroutine that the scheduler has not woken up yet.
type heldConn struct {
	net.Conn
	reads chan struct{}
	once  sync.Once
}

func (c *heldConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n == 0 {
		c.once.Do(func() { <-c.reads })
	}
	return n, err
}

// A request that arrives together with endReads gets its answer: no socket is closed with a request in it.
func TestEndReadsFindsARequestThatHasArrived(t *testing.T) {
	bound := NewBound(0)
	held := make(chan *heldConn, 1)
	raw := loopback(t)
	l := bound.Listener(&holding{raw, held})
	conns := make(chan net.Conn, 1)
	s := server(bound, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") }), nil)
	s.ConnState = func(c net.Conn, state http.ConnState) {
		bound.ConnState(c, state)
		if state == http.StateNew {
			conns <- c
		}
	}
	run(t, s, l)
	client := dial(t, "tcp", raw.Addr().String())
	<-conns // net/http has it
	hold := <-held

	bound.endReads() // its read ends here, and is held back
	send(t, client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	close(hold.reads)
	resp, err := http.ReadResponse(bufio.NewReader(client), nil)
	require.NoError(t, err, "the request had arrived before the connection was closed")
	require.Equal(t, http.StatusOK, resp.StatusCode)
}

type holding struct {
	net.Listener
	held chan *heldConn
}

func (l *holding) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	h := &heldConn{Conn: c, reads: make(chan struct{})}
	l.held <- h
	return h, nil
}

func TestEndReadsEndsAnIdleConnection(t *testing.T) {
	bound := NewBound(0)
	conns := make(chan net.Conn, 1)
	idle := make(chan struct{}, 1)
	s := server(bound, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), nil)
	s.ConnState = func(c net.Conn, state http.ConnState) {
		bound.ConnState(c, state)
		switch state {
		case http.StateNew:
			conns <- c
		case http.StateIdle:
			idle <- struct{}{}
		default:
		}
	}
	raw := loopback(t)
	run(t, s, bound.Listener(raw))
	client := dial(t, "tcp", raw.Addr().String())
	send(t, client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(client), nil)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	<-conns
	<-idle
	// net/http sets its deadline for the idle time at about this moment, which replaces the deadline of endReads.
	require.Eventually(t, func() bool {
		bound.endReads()
		return bound.Open() == 0
	}, patience, 5*lastLook)
	_, err = client.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF, "and no reset")
}

// endReads does not touch a connection whose request waits for its acknowledgement.
func TestEndReadsSkipsACompleteRequest(t *testing.T) {
	b := newBench(t, 1)
	fake, conn := b.accept()
	done := b.complete(conn)
	b.bound.endReads()
	require.False(t, fake.isClosed())
	require.False(t, bounded(conn).lastReadDue.Load())
	done()
}

// endReads does not touch a connection whose request has begun: its body is on its way.
func TestEndReadsSkipsARequestThatHasBegun(t *testing.T) {
	b := newBench(t, 1)
	_, conn := b.accept()
	b.bound.ConnState(conn, http.StateActive)
	b.bound.endReads()
	require.False(t, bounded(conn).lastReadDue.Load())
}
