//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// failToStart runs the program with settings that it must refuse, without -e, as an operator at a prompt would.
func failToStart(t testing.TB, s harness.Settings) harness.Result {
	t.Helper()
	home := t.TempDir()
	r := harness.Command(t, home, "", "-c", s.WriteConfig(t, home))
	require.Equal(t, 1, r.Code, "exit code; stderr:\n%s", r.Stderr)
	require.NotContains(t, r.Stderr, "goroutine ", "a stack trace is no message")
	require.NotContains(t, r.Stderr, "panic", "a stack trace is no message")
	return r
}

func TestTakenPortIsOneClearLine(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()

	r := failToStart(t, harness.Settings{
		Sink:   harness.DeadAddress(t),
		Rtbeat: map[string]any{"port": taken.Addr().(*net.TCPAddr).Port},
	})
	require.Len(t, strings.Split(strings.TrimSpace(r.Stderr), "\n"), 1, "stderr:\n%s", r.Stderr)
	require.Contains(t, r.Stderr, taken.Addr().String())
	require.Contains(t, r.Stderr, "address already in use")
}

func TestInvalidSettingsAreRefusedAtStart(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		settings harness.Settings
		names    string // the setting that stderr must name
	}{
		"unknown key": {
			harness.Settings{Rtbeat: map[string]any{"max_body_byte": 10}}, "max_body_byte",
		},
		"unknown key in a section": {
			harness.Settings{Rtbeat: map[string]any{"nonsense": map[string]any{"on": true}}}, "nonsense",
		},
		"negative limit": {
			harness.Settings{Rtbeat: map[string]any{"max_in_flight_bytes": -1}}, "max_in_flight_bytes",
		},
		"no port": {
			harness.Settings{Rtbeat: map[string]any{"port": 70000}}, "port",
		},
		"delay beyond the budget": {
			harness.Settings{Rtbeat: map[string]any{"shutdown_delay": 10, "shutdown_timeout": 5}}, "shutdown_delay",
		},
		// A batch that waits in the queue for longer than its timeout can only be answered 504.
		"flush timeout reaches timeout": {
			harness.Settings{
				Rtbeat: map[string]any{"timeout": 5},
				Queue:  map[string]any{"flush.timeout": "5s"},
			}, "queue.mem.flush.timeout",
		},
		"flush timeout of the output's own queue": {
			harness.Settings{
				Rtbeat: map[string]any{"timeout": 5},
				Output: map[string]any{"queue.mem": map[string]any{"flush.timeout": "10s"}},
			}, "queue.mem.flush.timeout",
		},
	} {
		t.Run(name, func(t *testing.T) {
			tt.settings.Sink = harness.DeadAddress(t)
			require.Contains(t, failToStart(t, tt.settings).Stderr, tt.names)
		})
	}
}

// The shipped file with other addresses: one small message is confirmed at once. libbeat's default would hold a small batch back
// for 10 s.
func TestShippedConfigDeliversASmallBatch(t *testing.T) {
	t.Parallel()
	shipped, err := filepath.Abs(filepath.Join(harness.RepoRoot, "rtbeat.yml"))
	require.NoError(t, err)
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := harness.StartBeatArgs(t, t.TempDir(), "-c", shipped,
		"-E", "rtbeat.host=127.0.0.1",
		"-E", "rtbeat.port=0",
		"-E", fmt.Sprintf("output.logstash.hosts=[%q]", sink.Addr()),
	)
	l := harness.NewLedger(t)

	batch := harness.NewBatch("small", 1)
	a := l.Post(t.Context(), b.Addr, batch)
	requireDelivered(t, a, len(batch))
	require.Less(t, a.Took(), prompt)
	l.CheckOnce(t, sink)
	b.Stop()
}

// The same holds for a file without a queue setting, and for a file with another one.
func TestNoQueueSettingHoldsASmallBatchBack(t *testing.T) {
	t.Parallel()
	for name, queue := range map[string]map[string]any{
		"no queue settings":     nil,
		"another queue setting": {"events": 8192},
	} {
		t.Run(name, func(t *testing.T) {
			sink := harness.StartSink(t, lumbersink.Immediate())
			b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Queue: queue})
			l := harness.NewLedger(t)
			a := l.Post(t.Context(), b.Addr, harness.NewBatch("small", 1))
			requireDelivered(t, a, 1)
			require.Less(t, a.Took(), prompt)
			l.CheckOnce(t, sink)
		})
	}
}

// Zero is no valid timeout: the default applies, and the log says so.
func TestZeroTimeoutFallsBackWithAWarning(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Delay(200*time.Millisecond))
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Rtbeat: map[string]any{"timeout": 0, "shutdown_timeout": -1}})
	l := harness.NewLedger(t)
	requireDelivered(t, l.Post(t.Context(), b.Addr, harness.NewBatch("fallback", 1)), 1)
	for _, key := range []string{"rtbeat.timeout", "rtbeat.shutdown_timeout"} {
		entry, ok := b.Log.Find(key)
		require.True(t, ok, "no line about %s", key)
		require.Contains(t, strings.ToLower(entry.Line), "warn")
	}
	l.CheckOnce(t, sink)
}
