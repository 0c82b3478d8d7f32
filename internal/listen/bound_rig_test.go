package listen

import (
	"errors"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// queue is a listener over connections in memory.
type queue struct {
	conns chan net.Conn
	done  chan struct{}
}

func newQueue() *queue { return &queue{make(chan net.Conn, 1000), make(chan struct{})} }

func (q *queue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		return c, nil
	case <-q.done:
		return nil, errors.New("closed")
	}
}

func (q *queue) Close() error { close(q.done); return nil }

func (q *queue) Addr() net.Addr { return &net.TCPAddr{} }

// fake is a connection that tells whether it is closed.
type fake struct {
	net.Conn
	closed chan struct{}
}

func newFake() *fake { return &fake{closed: make(chan struct{}, 2)} }

func (f *fake) Close() error { f.closed <- struct{}{}; return nil }

func (f *fake) isClosed() bool { return len(f.closed) > 0 }

// bench is a bound with one listener.
type bench struct {
	t     *testing.T
	bound *Bound
	queue *queue
	l     net.Listener
}

func newBench(t *testing.T, limit int) *bench {
	t.Helper()
	b := &bench{t: t, bound: NewBound(limit), queue: newQueue()}
	b.l = b.bound.Listener(b.queue)
	return b
}

// accept accepts a connection, without a wait.
func (b *bench) accept() (*fake, net.Conn) {
	b.t.Helper()
	f := newFake()
	b.queue.conns <- f
	conn, err := b.l.Accept()
	require.NoError(b.t, err)
	return f, conn
}

// accepting accepts a connection, which may have to wait.
func (b *bench) accepting() <-chan error {
	accepted := make(chan error, 1)
	b.queue.conns <- newFake()
	go func() {
		_, err := b.l.Accept()
		accepted <- err
	}()
	return accepted
}

func (b *bench) complete(conn net.Conn) func() {
	b.t.Helper()
	done, ok := b.bound.Complete(b.bound.ConnContext(b.t.Context(), conn))
	require.True(b.t, ok)
	return done
}

func (b *bench) idle(conn net.Conn) { b.bound.ConnState(conn, http.StateIdle) }
