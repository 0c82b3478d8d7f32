package intake

import (
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/metrics"
	"github.com/txn2/rtbeat/internal/source"
)

// A 200 just before the timeout and a 504 must not fall into one bucket.
func TestAckDurationTellsTheTimeoutApart(t *testing.T) {
	c := newCounters(metrics.NewRegistry(), nil)
	for _, d := range []time.Duration{2 * time.Millisecond, 3900 * time.Millisecond, 4900 * time.Millisecond, 5100 * time.Millisecond, 61 * time.Second} {
		c.ackDuration.Observe(d.Seconds())
	}
	var m dto.Metric
	require.NoError(t, c.ackDuration.Write(&m))
	var cumulative []uint64
	last := uint64(0)
	for _, bucket := range m.GetHistogram().GetBucket() {
		if n := bucket.GetCumulativeCount(); n != last {
			cumulative = append(cumulative, n)
			last = n
		}
	}
	require.Equal(t, []uint64{1, 2, 3, 4}, cumulative, "each in a bucket of its own, the last beyond all")
}

// The counters under old names have the values of all sources.
func TestFormerNames(t *testing.T) {
	registry := metrics.NewRegistry()
	c := newCounters(registry, []Source{{Source: source.Source{Name: "a"}}, {Source: source.Source{Name: "b"}}})
	c.of("a").batches.Inc()
	c.of("a").messages.Add(1)
	c.of("b").messages.Add(2)
	families, err := registry.Gather()
	require.NoError(t, err)
	found := 0
	for _, family := range families {
		value, ok := map[string]float64{"rtbeat_batches_received": 1, "rtbeat_messages_parsed": 3}[family.GetName()]
		if ok {
			found++
			require.InDelta(t, value, family.GetMetric()[0].GetUntyped().GetValue(), 0)
		}
	}
	require.Equal(t, 2, found)
}

// The status page gets the same numbers as a scrape. A 200 is no failure.
func TestCounts(t *testing.T) {
	r := newRig(t)
	r.deliverAll()
	r.do(r.request(messages(3))).requireAnswer(delivered)
	r.do(r.request("{")).requireAnswer(malformedJSON)
	r.metrics.authFailures.Inc("missing")
	r.metrics.handshakeFailures.Inc("closed")
	c := r.server.Counts()
	require.Equal(t, []float64{float64(len(messages(3)) + 1), 1, 3, 0, 0}, []float64{c.Bytes, c.Batches, c.Messages, c.Requests, c.Withdrawn})
	require.Len(t, c.AckDurations, len(AckBounds)+1)
	require.EqualValues(t, 1, c.AckDurations[len(AckBounds)])
	var failed []Failure
	for _, f := range c.Failures {
		if f.Total > 0 {
			failed = append(failed, f)
		}
	}
	require.Equal(t, []Failure{{"answer", "400", "malformed_json", BySender, 1}, {"auth", "", "missing", BySender, 1}, {"tls", "", "closed", BySender, 1}}, failed)
	again := r.server.Counts().Failures
	require.Equal(t, c.Failures, again, "in the same order")
}

// Each gauge of the server shows its own number.
func TestGaugesOfTheServer(t *testing.T) {
	r := newRig(t, func(l *limits) { l.InFlight = 100 << 20 })
	registry := metrics.NewRegistry()
	h := r.server.handler
	h.Timeout, h.ReadTimeout, h.IdleTimeout, h.Ack = 7*time.Second, 8*time.Second, 9*time.Second, Processed
	r.server.registerGauges(registry)
	shown := func() map[string]float64 {
		families, err := registry.Gather()
		require.NoError(t, err)
		values := make(map[string]float64)
		for _, family := range families {
			for _, m := range family.GetMetric() {
				name := family.GetName()
				if labels := m.GetLabel(); len(labels) > 0 {
					name += " " + labels[0].GetValue()
				}
				values[name] = m.GetGauge().GetValue()
			}
		}
		return values
	}
	want := map[string]float64{
		"rtbeat_in_flight_requests_limit": float64(r.server.RequestsLimit()), "rtbeat_timeout_seconds": 7,
		"rtbeat_ack_mode delivered": 0, "rtbeat_ack_mode processed": 1, "rtbeat_ack_mode persisted": 0,
		"rtbeat_phase starting": 1, "rtbeat_phase serving": 0, "rtbeat_phase leaving": 0, "rtbeat_phase draining": 0,
	}
	require.Subset(t, shown(), want)
	r.server.advance(phaseServing)
	want["rtbeat_phase starting"], want["rtbeat_phase serving"] = 0, 1
	require.Subset(t, shown(), want)
}
