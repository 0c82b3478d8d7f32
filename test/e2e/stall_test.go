//go:build e2e

package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// slack is the delay of an answer after its timeout on a loaded machine.
const slack = 4 * time.Second

// The sink has the events and acknowledges nothing: the sender has a 504 in time.
func TestStalledSinkIsATimeout(t *testing.T) {
	t.Parallel()
	const timeout = time.Second
	sink := harness.StartSink(t, lumbersink.Never())
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Rtbeat: map[string]any{"timeout": 1}})
	l := harness.NewLedger(t)

	batch := harness.NewBatch("stalled", 1)
	a := l.Post(t.Context(), b.Addr, batch)

	requireTimeout(t, a, len(batch))
	require.Zero(t, a.Body.Acked)
	require.GreaterOrEqual(t, a.Took(), timeout)
	require.Less(t, a.Took(), timeout+slack)
	require.Equal(t, len(batch), sink.Received(), "events at the sink")

	// The 504 withdrew nothing: when the sink recovers, the same messages are confirmed.
	harness.RecoverSink(sink)
	requireDelivered(t, l.Post(t.Context(), b.Addr, batch), len(batch))
	l.CheckOnce(t, sink)
}

// A part of the batch is acked: the answer counts the part, and is not 200.
func TestPartlyAckedIsATimeout(t *testing.T) {
	t.Parallel()
	// Windows of one event pass one by one, 400 ms each: the timeout is between two of them.
	sink := harness.StartSink(t, lumbersink.Delay(400*time.Millisecond))
	b := harness.StartBeat(t, harness.Settings{
		Sink:   sink.Addr(),
		Rtbeat: map[string]any{"timeout": 2},
		Output: map[string]any{"bulk_max_size": 1},
	})
	l := harness.NewLedger(t)

	batch := harness.NewBatch("partly", 20)
	a := l.Post(t.Context(), b.Addr, batch)

	requireTimeout(t, a, len(batch))
	require.Positive(t, a.Body.Acked)
	require.Less(t, a.Body.Acked, len(batch))
	l.CheckOnce(t, sink)
}

// The sink received a window, and its ack was lost with the connection. The output sends it again, and the answer follows the
// acknowledged copy.
func TestCutConnectionIsNoAck(t *testing.T) {
	t.Parallel()
	const messages = 20
	sink := harness.StartSink(t, lumbersink.CutAfter(7))
	b := harness.StartBeat(t, harness.Settings{
		Sink:   sink.Addr(),
		Rtbeat: map[string]any{"timeout": 15},
		Output: map[string]any{"bulk_max_size": 3, "backoff.init": "100ms", "backoff.max": "200ms"},
	})
	l := harness.NewLedger(t)

	requireDelivered(t, l.Post(t.Context(), b.Addr, harness.NewBatch("cut", messages)), messages)
	require.Greater(t, sink.Received(), messages, "the cut had no effect")
	l.Check(t, sink)

	// The same with every window lost for a while.
	sink.SetPolicy(lumbersink.Refuse())
	answer := l.Go(t.Context(), b.Addr, harness.NewBatch("refused", messages))
	harness.Await(t, prompt, "the batch inside", func() bool { return b.Metric("rtbeat_batches_received") == 2 })
	require.Empty(t, answer)
	sink.SetPolicy(lumbersink.Immediate())
	requireDelivered(t, <-answer, messages)
	l.Check(t, sink)
}

// Publishing blocks while libbeat's queue is full. The timeout must hold there too.
func TestTimeoutHoldsWhileTheQueueIsFull(t *testing.T) {
	t.Parallel()
	const timeout = time.Second
	sink := harness.StartSink(t, lumbersink.Never())
	b := harness.StartBeat(t, harness.Settings{
		Sink:   sink.Addr(),
		Rtbeat: map[string]any{"timeout": 1},
		Queue:  map[string]any{"events": 64, "flush.min_events": 32, "flush.timeout": 0},
	})
	l := harness.NewLedger(t)

	// Several at once, then one after the other: each kind of wait (for a worker, in the queue) must end.
	var answers []<-chan harness.Answer
	batches := []harness.Batch{harness.NewBatch("full-0", 500), harness.NewBatch("full-1", 500), harness.NewBatch("full-2", 500), harness.NewBatch("full-3", 500)}
	for _, batch := range batches {
		answers = append(answers, l.Go(t.Context(), b.Addr, batch))
	}
	for _, answer := range answers {
		a := <-answer
		requireTimeout(t, a, 500)
		require.GreaterOrEqual(t, a.Took(), timeout)
		require.Less(t, a.Took(), timeout+slack)
	}
	again := l.Post(t.Context(), b.Addr, batches[0])
	requireTimeout(t, again, 500)
	require.Less(t, again.Took(), timeout+slack)

	harness.RecoverSink(sink)
	for _, batch := range batches {
		requireDelivered(t, l.Post(t.Context(), b.Addr, batch), len(batch))
	}
	l.CheckOnce(t, sink)
}
