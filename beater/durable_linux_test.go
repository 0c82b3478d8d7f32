package beater_test

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/pipelinetest"
)

// When the disk fails, nobody is answered 200, and rtbeat ends.
func TestDurableEndsWhenTheDiskFails(t *testing.T) {
	d := startDurable(t, &pipelinetest.Output{OnBatch: acknowledge}, "")
	require.Contains(t, d.send(body), "200 OK")
	// Losing its own hold of the segment is the one failure of Sync that a test can cause.
	closeFiles(t, filepath.Join(d.path, "0.seg"))
	answer := make(chan string, 1)
	go func() { answer <- d.send(`{"messages":[{"uuid":"another"}]}`) }()
	require.ErrorContains(t, receive(t, d.ended), "the disk of the queue cannot be trusted")
	require.NotContains(t, receive(t, answer), "200 OK")
}

// closeFiles ends what is open of a file in this process: each of its descriptors becomes one that cannot be synced.
func closeFiles(t *testing.T, name string) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("without /proc there is no way to find the descriptors of the queue's file, whose disk is to fail: %v", err)
	}
	for _, entry := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + entry.Name()); err == nil && target == name {
			replace(t, entry.Name())
		}
	}
}

// replace puts a pipe in a descriptor's place: it can be written to and not synced, as a disk that fails.
func replace(t *testing.T, descriptor string) {
	t.Helper()
	fd, err := strconv.Atoi(descriptor)
	require.NoError(t, err)
	in, out, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, syscall.Dup3(int(out.Fd()), fd, syscall.O_CLOEXEC))
	require.NoError(t, out.Close())
	t.Cleanup(func() { _ = in.Close() })
}
