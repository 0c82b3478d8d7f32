package listen

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// HeadersTimedOut finds requests whose headers time out, and neither complete requests nor connections that send nothing.
func TestHeadersTimedOut(t *testing.T) {
	const late = "late"
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := NewBound(10)
			raw := loopback(t)
			var found atomic.Int64
			var config *tls.Config
			if secure {
				config = newAuthority(t).certificates(t).Config()
			}
			s := server(b, &intake{bound: b}, config)
			s.ReadHeaderTimeout = 300 * time.Millisecond
			s.ConnState = func(conn net.Conn, state http.ConnState) {
				b.ConnState(conn, state)
				if state == http.StateActive && b.HeadersTimedOut(conn) {
					found.Add(1)
					_, _ = io.WriteString(conn, late)
					_ = conn.(interface{ CloseWrite() error }).CloseWrite() // else net/http may add a 400
				}
			}
			run(t, s, b.Listener(raw))
			connect := func() net.Conn {
				conn := dial(t, "tcp", raw.Addr().String())
				if secure {
					return tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
				}
				return conn
			}
			rest := func(conn io.Reader) string {
				text, err := io.ReadAll(conn)
				require.NoError(t, err)
				return string(text)
			}

			silent := connect()
			if secure {
				require.NoError(t, silent.(*tls.Conn).HandshakeContext(t.Context()))
			}
			require.Empty(t, rest(silent), "there is no request to answer")

			first := connect()
			send(t, first, post[:20])
			require.Equal(t, late, rest(first))

			require.EqualValues(t, 1, found.Load())

			// net/http ends its background read with a deadline in the past, which is no timeout of a request.
			several := connect()
			for range 50 {
				send(t, several, post+post+post)
				responses := bufio.NewReader(several)
				for range 3 {
					res, err := http.ReadResponse(responses, nil)
					require.NoError(t, err)
					_, err = io.Copy(io.Discard, res.Body)
					require.NoError(t, err)
					require.NoError(t, res.Body.Close())
					require.Equal(t, http.StatusOK, res.StatusCode)
				}
			}
			require.EqualValues(t, 1, found.Load())
		})
	}
}
