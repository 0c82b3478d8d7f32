package lumbersink

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	client "github.com/elastic/go-lumber/client/v2"
	protocol "github.com/elastic/go-lumber/protocol/v2"
	"github.com/stretchr/testify/require"
)

// scriptedServer accepts one connection, and writes these acknowledgements at once: before any window has arrived.
func scriptedServer(t *testing.T, counts ...uint32) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan struct{})
	t.Cleanup(func() {
		_ = l.Close()
		<-ended
	})
	go func() {
		defer close(ended)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		for _, n := range counts {
			_, _ = conn.Write(binary.BigEndian.AppendUint32([]byte{protocol.CodeVersion, protocol.CodeACK}, n))
		}
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		_, _ = io.Copy(io.Discard, conn) // until the client leaves
	}()
	return l.Addr().String()
}

// These tests hold docs/delivery.md and go-lumber's client together. A test that fails means that go-lumber has changed, and
// that the page may say less.

// An acknowledgement that is sent twice is taken for the next window's.
func TestGoLumberTakesARepeatedAckForTheNextWindow(t *testing.T) {
	c, err := client.SyncDial(scriptedServer(t, 2, 2), client.Timeout(patience))
	require.NoError(t, err)
	defer c.Close()
	for range 2 {
		n, err := c.Send([]any{1, 2}) // the server looks at neither
		require.NoError(t, err)
		require.Equal(t, 2, n)
	}
}

// An acknowledgement beyond the window is an error, and yet the whole window counts as acknowledged.
func TestGoLumberTakesAnAckBeyondTheWindowForAllOfIt(t *testing.T) {
	c, err := client.SyncDial(scriptedServer(t, 3), client.Timeout(patience))
	require.NoError(t, err)
	defer c.Close()
	n, err := c.Send([]any{1, 2})
	require.ErrorContains(t, err, "invalid sequence number received (seq=3, expected=2)")
	require.Equal(t, 2, n)
}
