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

// Ports for the programs that cannot take any free one. They lie below those that the system gives to others, so that
// nobody gets one between the look and the listening.
const firstPort, lastPort = 15000, 30000

var lastTaken = func() *atomic.Int64 {
	var n atomic.Int64
	n.Store(rand.Int64N(lastPort - firstPort)) // two runs at the same time start at different ones
	return &n
}()

// FreeAddress is one at which nobody listens, and its port.
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

// SocketPath is short enough for a Unix socket, which one in t.TempDir is not with every test's name.
func SocketPath(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "s") //nolint:usetesting // its paths are too long
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return filepath.Join(dir, name)
}
