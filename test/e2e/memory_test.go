//go:build e2e

package e2e

import (
	"bytes"
	"net/http"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// With little memory the limits are lower in the log, in the metrics, on the status page and in the answers. A reload reads the same
// limits, and reports no change.
func TestLittleMemoryLowersTheLimits(t *testing.T) {
	const lower = "GOMEMLIMIT is 76 MiB. Settings without a value in the configuration are lower than usual: "
	t.Setenv("GOMEMLIMIT", "76MiB")
	sink := harness.StartSink(t, lumbersink.Immediate())
	_, port := harness.FreeAddress(t)
	settings := harness.Settings{Sink: sink.Addr(), Rtbeat: map[string]any{"admin": map[string]any{"host": "127.0.0.1", "port": port}}}
	b := harness.StartBeat(t, settings)
	entry, ok := b.Log.Find(lower)
	require.True(t, ok, "%s", b.Log)
	require.Contains(t, entry.Message, "rtbeat.max_in_flight_bytes is 4.3 MiB")
	metrics := b.Metrics()
	require.InDelta(t, 4.25*(1<<20), metrics["rtbeat_in_flight_bytes_limit"], 0)
	require.InDelta(t, 138, metrics["rtbeat_connections_limit"], 0)
	require.Contains(t, string(b.Get("/status.json").Raw), `"value":"4.3 MiB"`)

	blank := func(bytesOf int) harness.Answer {
		return harness.NewClient(t).Post(t.Context(), b.Addr, bytes.Repeat([]byte(" "), bytesOf))
	}
	answer := blank(2_228_224) // 2.125 MiB
	require.Equal(t, http.StatusBadRequest, answer.Code, "%s", answer)
	answer = blank(2_228_225)
	require.Equal(t, http.StatusRequestEntityTooLarge, answer.Code, "%s", answer)
	require.Equal(t, "body_too_large", answer.Body.Reason)

	b.Signal(syscall.SIGHUP)
	_, ok = b.Log.WaitFor(t.Context(), b.Done(), "reloaded: ")
	require.True(t, ok)
	b.Stop()
	changed, ok := b.Log.Find("reloaded, but other settings have changed")
	require.False(t, ok, changed.Line)

	home := t.TempDir()
	told := succeed(t, home, "", "test", "config", "-e", "-c", settings.WriteConfig(t, home)).Stderr
	require.Contains(t, told, lower)
	settings.Rtbeat["max_in_flight_bytes"] = "32MiB"
	told = succeed(t, home, "", "test", "config", "-e", "-c", settings.WriteConfig(t, home)).Stderr
	require.NotContains(t, told, "rtbeat.max_in_flight_bytes is")
	require.Contains(t, told, "rtbeat may take 408 MiB of memory with rtbeat.max_in_flight_bytes at 32 MiB, and GOMEMLIMIT is 76 MiB")
}
