//go:build e2e

package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// rxtx sends the same messages again, in other batches and before newer ones. Each is at the sink once, under its own id.
func TestRegroupedRetriesAreDeduped(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Never())
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Rtbeat: map[string]any{"timeout": 1}})
	l := harness.NewLedger(t)
	all := harness.NewBatch("regrouped", 60)

	for _, attempt := range []harness.Batch{all[:20], all[:10], all[5:40], slices.Concat(all[30:50], all[:3], all[:3])} {
		requireTimeout(t, l.Post(t.Context(), b.Addr, attempt), len(attempt))
	}
	harness.RecoverSink(sink)
	last := l.Post(t.Context(), b.Addr, all)
	requireDelivered(t, last, len(all))
	require.Equal(t, 50, last.Body.Coalesced)

	again := l.Post(t.Context(), b.Addr, slices.Concat(all[40:], all[:40]))
	requireDelivered(t, again, len(all))
	require.Equal(t, 60, again.Body.Coalesced)
	l.CheckOnce(t, sink)
	require.Equal(t, 60, int(b.Metric("rtbeat_acks_received")))
	require.Positive(t, b.Metric(`rtbeat_messages_coalesced_total{source="in",state="in_flight"}`))
	require.GreaterOrEqual(t, b.Metric(`rtbeat_messages_coalesced_total{source="in",state="delivered"}`), 60.0)
	l.RequireDocumentIDs(t, sink.Events())
}

func TestDedupeOffPublishesEachAttempt(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Rtbeat: map[string]any{"dedupe.enabled": false, "document_id": "none"}})
	l := harness.NewLedger(t)
	batch := harness.NewBatch("twice", 3)
	for range 2 {
		a := l.Post(t.Context(), b.Addr, batch)
		requireDelivered(t, a, len(batch))
		require.Zero(t, a.Body.Coalesced)
	}
	require.Len(t, sink.Events(), 6)
	for _, e := range sink.Events() {
		require.NotContains(t, string(e.Raw), `"_id"`)
	}
	l.Check(t, sink)
}

// The output stalls: a new batch is refused at once, a batch in flight may wait, and the first ack ends the stall.
func TestAStalledOutputIsReported(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Never())
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Rtbeat: map[string]any{"timeout": 1, "stall_after": "2s"}})
	l := harness.NewLedger(t)
	first := harness.NewBatch("first", 5)
	requireTimeout(t, l.Post(t.Context(), b.Addr, first), len(first))
	require.Equal(t, 200, b.Get("/readyz").Code)
	harness.Await(t, prompt, "unready", func() bool { return b.Get("/readyz").Code == 503 })
	answer := string(b.Get("/readyz").Raw)
	require.Contains(t, answer, `"reason":"output_stalled"`)
	require.Contains(t, answer, `"age_seconds":`)
	require.Equal(t, 1, int(b.Metric("rtbeat_output_stalled")))

	news := l.Post(t.Context(), b.Addr, slices.Concat(first, harness.NewBatch("news", 1)))
	require.Equal(t, 503, news.Code)
	require.Equal(t, "output_stalled", news.Body.Reason)
	require.NotEmpty(t, news.Header.Get("Retry-After"))
	require.Less(t, news.Took(), time.Second, "at once, not after timeout")
	requireTimeout(t, l.Post(t.Context(), b.Addr, first[1:]), len(first)-1)

	harness.RecoverSink(sink)
	requireDelivered(t, l.Post(t.Context(), b.Addr, first), len(first))
	require.Equal(t, 200, b.Get("/readyz").Code)
	requireDelivered(t, l.Post(t.Context(), b.Addr, harness.NewBatch("news", 1)), 1)
	l.CheckOnce(t, sink)
}
