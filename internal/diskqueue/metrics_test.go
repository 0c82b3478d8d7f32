package diskqueue

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/metrics"
)

// Each metric shows its own number.
func TestMetricsOfAQueue(t *testing.T) {
	read := reading{Stats: Stats{Batches: 21, Bytes: 22, Oldest: 23500 * time.Millisecond, Files: 24, Limit: 25, Stored: 26, Deleted: 27}}
	shown := func() map[string]float64 {
		r, values := metrics.NewRegistry(), make(map[string]float64)
		r.MustRegister(group(r.Section("durable mode"), func() reading { return read }))
		families, err := r.Gather()
		require.NoError(t, err)
		for _, family := range families {
			if m := family.GetMetric()[0]; strings.HasPrefix(family.GetName(), "rtbeat_") {
				values[family.GetName()] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
		return values
	}
	want := map[string]float64{
		"rtbeat_queue_batches": 21, "rtbeat_queue_bytes": 22, "rtbeat_queue_oldest_seconds": 23.5, "rtbeat_queue_file_bytes": 24,
		"rtbeat_queue_file_bytes_limit": 25, "rtbeat_queue_stored_bytes_total": 26, "rtbeat_queue_delivered_bytes_total": 27,
		"rtbeat_queue_full": 0, "rtbeat_queue_failed": 0,
	}
	require.Equal(t, want, shown())
	read.trouble, want["rtbeat_queue_full"] = ErrFull, 1
	require.Equal(t, want, shown())
	read.trouble, want["rtbeat_queue_full"], want["rtbeat_queue_failed"] = errors.New("broken"), 0, 1
	require.Equal(t, want, shown())
}
