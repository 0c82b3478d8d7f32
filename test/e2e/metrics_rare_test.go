//go:build e2e

package e2e

import (
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// Metrics that one ordinary process does not move: the limits, a panic in a processor, a queue of batches, displaced connections.
func TestMetricsOfLimitsAndRareEvents(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := harness.StartBeat(t, harness.Settings{
		Sink: sink.Addr(),
		Rtbeat: map[string]any{
			"timeout": "2s", "max_in_flight_bytes": "8MiB", "max_body_bytes": "1MiB", "max_connections": 8, "dedupe": map[string]any{"max_entries": 500},
		},
		Queue: map[string]any{"events": 32, "flush.min_events": 16},
		Processors: []any{map[string]any{"extract_array": map[string]any{
			"field": "rxtxMsg.a", "mappings": map[string]any{"b": 0}, "ignore_missing": true, "fail_on_error": false,
		}}},
	})
	for name, want := range map[string]float64{
		"rtbeat_timeout_seconds": 2, "rtbeat_in_flight_bytes_limit": 8 << 20, "rtbeat_connections_limit": 8, "rtbeat_dedupe_entries_limit": 500,
		"rtbeat_events_dropped_total": 0, "rtbeat_publish_queue_batches": 0, "rtbeat_connections_displaced_total": 0,
	} {
		require.InDelta(t, want, b.Metric(name), 0, name)
	}

	client := harness.NewClient(t)
	require.Equal(t, http.StatusInternalServerError, client.Post(t.Context(), b.Addr, []byte(`{"messages":[{"a":null}]}`)).Code)
	require.InDelta(t, 1, b.Metric("rtbeat_events_dropped_total"), 0)

	sink.SetPolicy(lumbersink.Never())
	ledger := harness.NewLedger(t)
	var answers []<-chan harness.Answer
	for _, name := range []string{"one", "two", "three", "four", "five", "six"} {
		answers = append(answers, ledger.Go(t.Context(), b.Addr, harness.NewBatch(name, 100)))
	}
	harness.Await(t, 10*time.Second, "batches stand in line", func() bool { return b.Metric("rtbeat_publish_queue_batches") > 0 })
	for _, answer := range answers {
		require.Equal(t, http.StatusGatewayTimeout, (<-answer).Code)
	}
	require.Zero(t, b.Metric("rtbeat_publish_queue_batches"), "withdrawn")
	harness.RecoverSink(sink)

	for range 12 {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", b.Addr)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
	}
	harness.Await(t, 10*time.Second, "connections make room", func() bool { return b.Metric("rtbeat_connections_displaced_total") >= 4 })
	b.Stop()
	ledger.Check(t, sink)
}
