package listen

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/metrics"
)

// Each metric shows its own number.
func TestMetricsOfConnections(t *testing.T) {
	b := NewBound(50)
	b.open, b.accepted, b.displaced = 40, 70, 6
	r := metrics.NewRegistry()
	b.Register(r)
	RegisterExpiry(r, func() time.Time { return time.Unix(1893456000, 0) })
	families, err := r.Gather()
	require.NoError(t, err)
	shown := make(map[string]float64)
	for _, family := range families {
		m := family.GetMetric()[0]
		shown[family.GetName()] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
	}
	for name, value := range map[string]float64{
		"rtbeat_connections": 40, "rtbeat_connections_limit": 50, "rtbeat_connections_accepted_total": 70, "rtbeat_connections_displaced_total": 6,
		"rtbeat_tls_certificate_expiry_timestamp_seconds": 1893456000,
	} {
		require.InDelta(t, value, shown[name], 0, name)
	}
}
