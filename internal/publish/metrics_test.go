package publish

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/metrics"
)

// Each metric shows its own number, and the status page gets the same numbers.
func TestMetricsOfPublishing(t *testing.T) {
	r := metrics.NewRegistry()
	c := newCounters(r, Settings{Processors: []string{"script"}})
	c.ack(5)
	c.ack(3)
	c.filtered.Add(20)
	c.dropped.Add(21)
	c.rejected.Add(22)
	c.processorFailures.Inc("script")
	c.wait.Observe(1)

	families, err := r.Gather()
	require.NoError(t, err)
	shown := make(map[string]float64)
	for _, family := range families {
		if m := family.GetMetric()[0]; strings.HasPrefix(family.GetName(), "rtbeat_") {
			shown[family.GetName()] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetUntyped().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	lastAck := shown["rtbeat_last_ack_timestamp_seconds"]
	require.InDelta(t, float64(time.Now().Unix()), lastAck, 60)
	delete(shown, "rtbeat_last_ack_timestamp_seconds")
	require.Equal(t, map[string]float64{
		"rtbeat_events_acked_total": 8, "rtbeat_acks_received": 8, "rtbeat_current_acks": 3, "rtbeat_events_filtered_total": 20,
		"rtbeat_events_dropped_total": 21, "rtbeat_events_rejected_total": 22, "rtbeat_processor_failures_total": 1, "rtbeat_publish_wait_seconds": 1,
	}, shown)
	require.Equal(t, Counts{Acked: 8, Filtered: 20, Dropped: 21, LastAck: lastAck}, (&Publisher{counters: c}).Counts())
}
