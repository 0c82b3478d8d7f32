package intake

import (
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/metrics"
)

// A batch of 200 and the timeout that makes a 504 of it must not fall into one bucket.
func TestAckDurationTellsTheTimeoutApart(t *testing.T) {
	c := newCounted()
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

// The names of the first rtbeat count the same.
func TestFormerNames(t *testing.T) {
	registry := metrics.NewRegistry()
	c := newCounters(registry)
	c.batches.Inc()
	c.messages.Add(3)
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
	require.Equal(t, []Failure{{"answer", "400", "malformed_json", 1}, {"auth", "", "missing", 1}, {"tls", "", "closed", 1}}, failed)
	again := r.server.Counts().Failures
	require.Equal(t, c.Failures, again, "in the same order")
}
