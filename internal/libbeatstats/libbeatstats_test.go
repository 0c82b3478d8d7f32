package libbeatstats

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elastic/beats/v7/libbeat/outputs"
	"github.com/elastic/beats/v7/libbeat/publisher/queue"
	"github.com/elastic/elastic-agent-libs/logp"
	"github.com/elastic/elastic-agent-libs/monitoring"
)

// requireAgrees compares the numbers with libbeat's own endpoint.
func requireAgrees(t *testing.T, s *Stats, registry *monitoring.Registry, want int) {
	t.Helper()
	shown := monitoring.CollectFlatSnapshot(registry, monitoring.Full, false)
	found := 0
	for _, n := range numbers {
		path := n.path
		value := s.Number(path)
		number, isShown := shown.Ints[path]
		require.Equal(t, isShown, !math.IsNaN(value), path)
		if isShown {
			require.InDelta(t, float64(number), value, 0, path)
			found++
		}
	}
	require.Equal(t, want, found)
}

// libbeat makes its numbers late, and makes the numbers of the output again for another output.
func TestTheNumbersAreLibbeats(t *testing.T) {
	registry := monitoring.NewRegistry()
	s := New(registry)
	requireAgrees(t, s, registry, 0)

	inner := registry.GetOrCreateRegistry("libbeat")
	q := queue.NewQueueObserver(inner.GetOrCreateRegistry("pipeline"))
	q.MaxEvents(3200)
	for range 5 {
		q.AddEvent(0)
	}
	q.RemoveEvents(2, 0)
	requireAgrees(t, s, registry, 3) // the limit is in two metrics
	require.InDelta(t, 3, s.Number("libbeat.pipeline.queue.filled.events"), 0)

	out := inner.GetOrCreateRegistry("output")
	stats := outputs.NewStats(out, logp.NewNopLogger())
	stats.NewBatch(7)
	stats.AckedEvents(4)
	stats.RetryableErrors(1)
	stats.PermanentErrors(2)
	stats.WriteBytes(1000)
	stats.WriteError(nil)
	requireAgrees(t, s, registry, 10)
	require.InDelta(t, 4, s.Number("libbeat.output.events.acked"), 0)

	require.NoError(t, out.Clear())
	requireAgrees(t, s, registry, 3)
	stats = outputs.NewStats(out, logp.NewNopLogger())
	stats.NewBatch(1)
	requireAgrees(t, s, registry, 10)
	stats.AckedEvents(3)
	require.InDelta(t, -2, s.Number("libbeat.output.events.active"), 0, "below zero")
}

func TestAPathWithoutANumberHasNoValue(t *testing.T) {
	registry := monitoring.NewRegistry()
	monitoring.NewString(registry, "text").Set("1")
	monitoring.NewInt(registry, "int").Set(-5)
	monitoring.NewFloat(registry, "float").Set(1.5)
	s := New(registry)
	for _, path := range []string{"", ".", "text", "text.inner", "nothing", "int.", strings.Repeat("a.", 100)} {
		require.True(t, math.IsNaN(s.Number(path)), path)
	}
	require.InDelta(t, -5, s.Number("int"), 0)
	require.InDelta(t, 1.5, s.Number("float"), 0)
	require.True(t, math.IsNaN(New(nil).Number("int")))
}
