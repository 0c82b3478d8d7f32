package durable

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// In durable mode files must be left for the queue, however many senders connect.
func TestConnectionsAreBounded(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := newConnections(4).limit(inner)
	accepted := make(chan net.Conn)
	ended := make(chan error, 1)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				ended <- err
				return
			}
			accepted <- conn
		}
	}()
	for range 3 {
		conn, err := net.Dial("tcp", inner.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
	}
	first, second := <-accepted, <-accepted
	select {
	case <-accepted:
		require.Fail(t, "a third connection was taken")
	case <-time.After(100 * time.Millisecond):
	}
	require.NoError(t, first.Close())
	require.Error(t, first.Close(), "closed twice, freed once")
	third := <-accepted
	require.NoError(t, l.Close())
	require.ErrorIs(t, <-ended, net.ErrClosed)
	require.NoError(t, second.Close())
	require.NoError(t, third.Close())
}

func TestFilesAreReserved(t *testing.T) {
	for files, connections := range map[uint64]int{4: 2, 48: 24, 512: 256, 1024: 768, 1 << 20: 1<<20 - 256} {
		require.Equal(t, connections, cap(newConnections(files).free))
	}
	require.Positive(t, maxFiles())
	t.Log(maxFiles())
}
