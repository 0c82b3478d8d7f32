//go:build e2e && linux

package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

func TestDurableDiskFull(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "6m")
	sink := harness.StartSink(t, lumbersink.Never())
	s := harness.Settings{Sink: sink.Addr(), Home: t.TempDir()}
	flags := []string{"rtbeat.timeout=500ms", "rtbeat.shutdown_timeout=2s", "queue.disk.path=" + filepath.Join(disk, "queue")}
	b := startDurable(t, s, flags...)
	l := harness.NewLedger(t)

	ballast := filepath.Join(disk, "ballast")
	require.NoError(t, os.WriteFile(ballast, make([]byte, 3<<20), 0o600))
	taken := fill(t, l, b.Addr)
	require.Positive(t, taken)
	require.NoError(t, os.Remove(ballast))
	requireTakesAgain(t, l, b.Addr) // while the output is still stalled
	require.Positive(t, fill(t, l, b.Addr))

	b.Stop() // with a full disk: no panic, exit code 0
	b = startDurable(t, s, flags...)
	harness.RecoverSink(sink)
	requireAllArrive(t, l, sink)
	requireTakesAgain(t, l, b.Addr)
	requireAllArrive(t, l, sink)
	b.Stop()
}

// The disk is full before the first segment can be made: the hardest place for libbeat to stop at.
func TestDurableDiskFullFromTheStart(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "1m")
	sink := harness.StartSink(t, lumbersink.Immediate())
	s := harness.Settings{Sink: sink.Addr(), Home: t.TempDir()}
	ballast := filepath.Join(disk, "ballast")
	_ = os.WriteFile(ballast, make([]byte, 2<<20), 0o600) // as much as goes in
	flags := []string{"rtbeat.timeout=500ms", "rtbeat.shutdown_timeout=1s", "queue.disk.path=" + filepath.Join(disk, "queue")}
	b := startDurable(t, s, flags...)
	l := harness.NewLedger(t)
	batch := harness.NewBatch("none", 3)
	require.Equal(t, http.StatusGatewayTimeout, l.Post(t.Context(), b.Addr, batch).Code)
	b.Stop()
	require.NotContains(t, b.Log.String(), "panic")

	b = startDurable(t, s, flags...)
	require.Equal(t, http.StatusGatewayTimeout, l.Post(t.Context(), b.Addr, batch).Code)
	require.NoError(t, os.Remove(ballast))
	requireTakesAgain(t, l, b.Addr)
	requireAllArrive(t, l, sink)
	b.Stop()
}

// smallDisk mounts a file system of its own, which takes root.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	path := t.TempDir()
	if err := syscall.Mount("tmpfs", path, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(path, syscall.MNT_DETACH)) })
	return path
}
