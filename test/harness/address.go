package harness

import (
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// Ports for programs that need a fixed port. They are below the system's ephemeral ports, so that no other process gets one between
// the test here and the program's start.
const firstPort, lastPort = 15000, 30000

var lastTaken = func() *atomic.Int64 {
	var n atomic.Int64
	n.Store(rand.Int64N(lastPort - firstPort)) // parallel runs start at different ports
	return &n
}()

// FreeAddress returns an address without a listener, and its port.
func FreeAddress(t testing.TB) (addr, port string) {
	t.Helper()
	for range lastPort - firstPort {
		port = strconv.FormatInt(firstPort+lastTaken.Add(1)%(lastPort-firstPort), 10)
		addr = net.JoinHostPort("127.0.0.1", port)
		if l, err := net.Listen("tcp", addr); err == nil {
			require.NoError(t, l.Close())
			return addr, port
		}
	}
	require.FailNow(t, "no free port")
	return "", ""
}

// SocketPath returns a path for a Unix socket. With a long test name, a path in t.TempDir is too long.
func SocketPath(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "s") //nolint:usetesting // its paths are too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return filepath.Join(dir, name)
}
