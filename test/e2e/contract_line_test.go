//go:build e2e

package e2e

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// answerWithin bounds the wait for an answer.
const answerWithin = 15 * time.Second

// line is a sender's end of a connection, with access to its bytes.
type line struct {
	conn net.Conn
	r    *bufio.Reader
	// broken is the error of a write. A refusal may close the connection during it, and its answer still counts.
	broken error
}

func newLine(t testing.TB, conn net.Conn) *line {
	t.Helper()
	t.Cleanup(func() { _ = conn.Close() })
	return &line{conn: conn, r: bufio.NewReader(conn)}
}

// write sends text. A refused sender cannot send all of it.
func (l *line) write(text string) {
	_ = l.conn.SetWriteDeadline(time.Now().Add(answerWithin))
	if _, err := io.WriteString(l.conn, text); err != nil {
		l.broken = errors.Join(l.broken, err)
	}
}

func (l *line) closeWrite() error {
	half, ok := l.conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.New("this connection cannot be half-closed")
	}
	return half.CloseWrite()
}

// answer is an answer as it came.
type answer struct {
	http2  bool
	code   int
	header http.Header
	raw    []byte
}

// read reads the next answer, to a request with this method.
func (l *line) read(t testing.TB, method string) answer {
	t.Helper()
	require.NoError(t, l.conn.SetReadDeadline(time.Now().Add(answerWithin)))
	resp, err := http.ReadResponse(l.r, &http.Request{Method: method})
	require.NoError(t, err, "no answer; writing: %v", l.broken)
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	if resp.Close && resp.Header.Get("Connection") == "" { // net/http removes it from the headers
		resp.Header.Set("Connection", "close")
	}
	return answer{code: resp.StatusCode, header: resp.Header, raw: raw}
}

// ended waits for the next byte, and returns whether the connection has ended instead.
func (l *line) ended(t testing.TB) bool {
	t.Helper()
	require.NoError(t, l.conn.SetReadDeadline(time.Now().Add(answerWithin)))
	_, err := l.r.Peek(1)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
	return err != nil
}

// requireEnd waits for the end of the connection, without another byte.
func (l *line) requireEnd(t testing.TB) {
	t.Helper()
	require.NoError(t, l.conn.SetReadDeadline(time.Now().Add(prompt)))
	rest, err := io.ReadAll(l.r)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the connection is still open")
	require.Empty(t, string(rest), "bytes after the last answer")
}
