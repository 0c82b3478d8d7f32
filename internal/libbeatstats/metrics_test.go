package libbeatstats

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elastic/elastic-agent-libs/monitoring"

	"github.com/txn2/rtbeat/internal/metrics"
)

// gather returns the metrics of a registry of libbeat, by name.
func gather(t *testing.T, registry *monitoring.Registry) map[string]float64 {
	t.Helper()
	r := metrics.NewRegistry()
	New(registry).Register(r)
	families, err := r.Gather()
	require.NoError(t, err)
	shown := make(map[string]float64)
	for _, family := range families {
		if name := family.GetName(); strings.HasPrefix(name, "rtbeat_") {
			require.Len(t, family.GetMetric(), 1)
			shown[name] = family.GetMetric()[0].GetCounter().GetValue() + family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return shown
}

// Each metric has the number at its path, and no 0 stands for a number that libbeat does not have.
func TestMetricsAreLibbeatsNumbers(t *testing.T) {
	require.Empty(t, gather(t, nil))
	registry := monitoring.NewRegistry()
	require.Empty(t, gather(t, registry))

	clients := monitoring.NewInt(registry, "libbeat.pipeline.clients")
	require.Equal(t, map[string]float64{"rtbeat_libbeat_pipeline_clients": 0}, gather(t, registry))
	clients.Set(2)
	limit := monitoring.NewInt(registry, pathQueueLimit)
	require.Equal(t, map[string]float64{"rtbeat_libbeat_pipeline_clients": 2}, gather(t, registry), "libbeat has not made its queue yet")
	limit.Set(3200)
	for i, path := range []string{
		"pipeline.queue.filled.events", "pipeline.events.retry", "output.events.acked", "output.events.failed", "output.events.dropped",
		"output.events.active", "output.events.batches", "output.write.bytes", "output.write.errors",
	} {
		monitoring.NewInt(registry, "libbeat."+path).Set(int64(11 + i))
	}
	require.Equal(t, map[string]float64{
		"rtbeat_in_flight_events_limit":              3200,
		"rtbeat_libbeat_queue_events":                11,
		"rtbeat_libbeat_queue_events_limit":          3200,
		"rtbeat_libbeat_pipeline_clients":            2,
		"rtbeat_libbeat_output_events_retried_total": 12,
		"rtbeat_libbeat_output_events_acked_total":   13,
		"rtbeat_libbeat_output_events_failed_total":  14,
		"rtbeat_libbeat_output_events_dropped_total": 15,
		"rtbeat_libbeat_output_events_active":        16,
		"rtbeat_libbeat_output_batches_total":        17,
		"rtbeat_libbeat_output_write_bytes_total":    18,
		"rtbeat_libbeat_output_write_errors_total":   19,
	}, gather(t, registry))
}

// A gauge that libbeat counted too far down is below zero.
func TestAGaugeBelowZero(t *testing.T) {
	registry := monitoring.NewRegistry()
	monitoring.NewInt(registry, "libbeat.output.events.active").Set(-1)
	require.InDelta(t, -1, gather(t, registry)["rtbeat_libbeat_output_events_active"], 0)
}
