package shipper

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/metrics"
)

// The metric shows the retrying batches.
func TestMetricOfRetries(t *testing.T) {
	s := &Shipper{}
	s.failing.Store(3)
	r := metrics.NewRegistry()
	s.Register(r)
	families, err := r.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() == "rtbeat_queue_retrying_batches" {
			require.InDelta(t, 3, family.GetMetric()[0].GetGauge().GetValue(), 0)
			return
		}
	}
	require.Fail(t, "the metric is missing")
}
