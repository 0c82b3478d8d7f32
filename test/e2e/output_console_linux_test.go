//go:build e2e && linux

package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// Nothing gets into a full device, and nobody is told 200. The first event is the hard one: the output has it in a buffer.
func TestOutputConsoleIntoAFullDevice(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer full.Close()
	b := harness.StartBeat(t, harness.Settings{Kind: "console", Rtbeat: quick, Stdout: full})
	c := harness.NewClient(t)
	for i := range 3 {
		requireRejected(t, c.Post(t.Context(), b.Addr, harness.NewBatch("full-"+strconv.Itoa(i), 1).Body()), 1, 1)
	}
	require.Equal(t, 3, int(b.Metric("rtbeat_libbeat_output_events_dropped_total")))
	require.Zero(t, b.Metric("rtbeat_libbeat_output_events_acked_total"))
	require.Zero(t, b.Metric("rtbeat_libbeat_output_events_active"))
	b.Stop()
}

// Each event of a 200 has a line of its own, on a disk that was full, too, and once there is room again, it goes on.
func TestOutputConsoleDiskFull(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "1m")
	stdout, err := os.OpenFile(filepath.Join(dir, "events"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	require.NoError(t, err)
	defer stdout.Close()
	ballast := filepath.Join(dir, "ballast")
	require.NoError(t, os.WriteFile(ballast, make([]byte, 512<<10), 0o600))
	b := harness.StartBeat(t, harness.Settings{Kind: "console", Rtbeat: quick, Stdout: stdout})
	fillsAndGoesOn(t, b, dir, ballast)
	b.Stop()
	require.NoError(t, stdout.Close()) // else the disk stays busy
}
