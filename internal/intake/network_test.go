package intake

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/listen"
)

// short is a timeout that tests wait for. brief is the longest duration of an event that must not wait for it.
const (
	short = 250 * time.Millisecond
	brief = 5 * time.Second
)

// quick makes all timeouts of a rig short, except the timeout for the acknowledgement.
func quick(l *limits) { l.Timeout, l.ReadTimeout, l.IdleTimeout = patience, short, patience }

// serve lets the rig serve on a free port and returns its address.
func (r *rig) serve() string {
	r.t.Helper()
	listener, err := new(net.ListenConfig).Listen(r.t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(r.t, err)
	var open atomic.Int32
	hook := r.server.http.ConnState
	r.server.http.ConnState = func(conn net.Conn, state http.ConnState) {
		hook(conn, state)
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		default:
		}
	}
	served := make(chan error, 1)
	if bound, ok := r.connections.(*listen.Bound); ok {
		listener = bound.Listener(listener)
	}
	go func() { served <- r.server.Serve(listener) }()
	require.Eventually(r.t, func() bool { return r.server.at(phaseServing) }, patience, time.Millisecond)
	r.t.Cleanup(func() {
		r.server.http.Close()
		require.NoError(r.t, within(r.t, served), "Serve ends without an error")
		require.Eventually(r.t, func() bool { return open.Load() == 0 }, patience, time.Millisecond, "connections still served")
	})
	return listener.Addr().String()
}

type serveFunc = func(http.ResponseWriter, *http.Request) result

// serveWith is serve with another handler.
func (r *rig) serveWith(serve serveFunc) string {
	r.t.Helper()
	r.server.http.Handler = r.replier().handle(r.server.endpoints[0], serve)
	return r.serve()
}

// within receives from c, for at most patience.
func within[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case value := <-c:
		return value
	case <-time.After(patience):
		require.FailNow(t, "waited too long")
		panic("not reached")
	}
}

// wire is a raw connection to a rig.
type wire struct {
	t      *testing.T
	conn   *net.TCPConn
	reader *bufio.Reader
}

func dial(t *testing.T, addr string) *wire {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(2*patience)))
	return &wire{t: t, conn: conn.(*net.TCPConn), reader: bufio.NewReader(conn)}
}

func (w *wire) send(text string) {
	w.t.Helper()
	_, err := io.WriteString(w.conn, text)
	require.NoError(w.t, err)
}

// head is a POST up to the end of its headers.
func head(headers ...string) string {
	return "POST /in HTTP/1.1\r\nHost: rtbeat\r\n" + strings.Join(append(headers, "", ""), "\r\n")
}

// postOf is a whole POST of a body.
func postOf(body string, headers ...string) string {
	return head(append(headers, fmt.Sprintf("Content-Length: %d", len(body)))...) + body
}

// received is an answer, read to its end.
type received struct {
	code   int
	header http.Header
	length int64
	body   string
	closes bool // the connection
}

func receive(t *testing.T, answer *http.Response) received {
	t.Helper()
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return received{answer.StatusCode, answer.Header, answer.ContentLength, string(body), answer.Close}
}

// receive reads one answer of any kind.
func (w *wire) receive() received {
	w.t.Helper()
	answer, err := http.ReadResponse(w.reader, nil)
	require.NoError(w.t, err)
	return receive(w.t, answer)
}

// requireAnswer reads an answer, checks that it is this outcome, and tells whether it closes the connection.
func (w *wire) requireAnswer(want outcome) (closes bool) {
	w.t.Helper()
	got := w.receive()
	requireAnswer(w.t, want, got.code, got.header, got.body)
	if outcomes[want].close {
		require.True(w.t, got.closes, "Connection: close")
	}
	return got.closes
}

// requireClosed checks that the connection ends without another byte.
func (w *wire) requireClosed() {
	w.t.Helper()
	n, err := w.reader.Read(make([]byte, 1))
	require.Zero(w.t, n, "bytes after the last answer")
	require.Error(w.t, err)
	require.NotErrorIs(w.t, err, os.ErrDeadlineExceeded, "the connection stays open")
}

// requireLastAnswer checks that the connection ends with this answer.
func (w *wire) requireLastAnswer(want outcome) {
	w.t.Helper()
	require.True(w.t, w.requireAnswer(want), "Connection: close")
	w.requireClosed()
}

// requireReusable checks that the connection takes another batch.
func (w *wire) requireReusable(r *rig) {
	w.t.Helper()
	w.send(postOf(messages(1)))
	r.take().deliver()
	require.False(w.t, w.requireAnswer(delivered), "Connection: close")
}
