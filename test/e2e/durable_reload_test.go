//go:build e2e

package e2e

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// A reload reads queue.disk as the start did, and reports no change.
func TestAReloadKnowsQueueDisk(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Args: []string{"-E", "queue.disk.max_size=1GiB", "-E", "queue.disk.path=mine"}})
	b.Signal(syscall.SIGHUP)
	_, ok := b.Log.WaitFor(t.Context(), b.Done(), "reloaded: ")
	require.True(t, ok)
	b.Stop()
	changed, ok := b.Log.Find("reloaded, but other settings have changed")
	require.False(t, ok, changed.Line)
}
