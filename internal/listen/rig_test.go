package listen

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait for an event that is due at once.
const patience = 10 * time.Second

// loopback returns a listener on a free port.
func loopback(t testing.TB) net.Listener {
	t.Helper()
	l, err := (&Settings{Host: "127.0.0.1"}).Bind()
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// dial returns a connection to address with a deadline. It is closed at the end of the test.
func dial(t testing.TB, network, address string) net.Conn {
	t.Helper()
	var dialer net.Dialer
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := dialer.DialContext(ctx, network, address)
	require.NoError(t, err)
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// server is an http.Server wired as the package asks for.
func server(b *Bound, handler http.Handler, secure *tls.Config) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: patience,
		IdleTimeout:       patience,
		TLSConfig:         secure,
		ConnContext:       b.ConnContext,
		ConnState:         b.ConnState,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
}

// run serves on l until the test ends.
func run(t testing.TB, s *http.Server, l net.Listener) {
	t.Helper()
	ended := make(chan error, 1)
	go func() {
		if s.TLSConfig != nil {
			ended <- s.ServeTLS(l, "", "")
			return
		}
		ended <- s.Serve(l)
	}()
	t.Cleanup(func() {
		_ = s.Close()
		require.ErrorIs(t, <-ended, http.ErrServerClosed)
	})
}

// gone waits until the other side has closed conn.
func gone(t testing.TB, conn net.Conn) {
	t.Helper()
	_, err := io.Copy(io.Discard, conn)
	var timeout net.Error
	if err != nil {
		require.NotErrorAs(t, err, &timeout, "it is still open")
	}
}

// soon waits until condition is true.
func soon(t testing.TB, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, patience, time.Millisecond)
}

// send writes a request to conn.
func send(t testing.TB, conn net.Conn, request string) {
	t.Helper()
	_, err := io.WriteString(conn, request)
	require.NoError(t, err)
}
