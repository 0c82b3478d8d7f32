//go:build e2e

package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
)

// slack is how much later than its timeout an answer may come on a loaded machine.
const slack = 4 * time.Second

// The sink has the events and says nothing: that is not a 200, and the sender hears so in time.
func TestStalledSinkIsATimeout(t *testing.T) {
	const timeout = time.Second
	sink := startSink(t, lumbersink.Never())
	b := startBeat(t, Settings{Sink: sink.Addr(), Rtbeat: map[string]any{"timeout": 1}})
	l := newLedger(t)

	batch := newBatch("stalled", 1)
	a := l.Post(t.Context(), b.Addr, batch)

	requireTimeout(t, a, len(batch))
	require.Zero(t, a.Body.Acked)
	require.GreaterOrEqual(t, a.Took(), timeout)
	require.Less(t, a.Took(), timeout+slack)
	require.Equal(t, len(batch), sink.Received(), "events at the sink")

	// The 504 took nothing back: once the sink works again, the same messages are confirmed.
	recoverSink(sink)
	requireDelivered(t, l.Post(t.Context(), b.Addr, batch), len(batch))
	l.Check(t, sink)
}

// A part of the batch is acked and the rest is not: the answer counts the part, and is no 200.
func TestPartlyAckedIsATimeout(t *testing.T) {
	// Windows of one event pass one by one, 400 ms each: the timeout falls between two of them.
	sink := startSink(t, lumbersink.Delay(400*time.Millisecond))
	b := startBeat(t, Settings{
		Sink:   sink.Addr(),
		Rtbeat: map[string]any{"timeout": 2},
		Output: map[string]any{"bulk_max_size": 1},
	})
	l := newLedger(t)

	batch := newBatch("partly", 20)
	a := l.Post(t.Context(), b.Addr, batch)

	requireTimeout(t, a, len(batch))
	require.Positive(t, a.Body.Acked)
	require.Less(t, a.Body.Acked, len(batch))
	l.Check(t, sink)
}

// The sink received and its ack was lost with the connection: the output sends again, and the answer is that of the
// copy that was acknowledged.
func TestCutConnectionIsNoAck(t *testing.T) {
	const messages = 20
	sink := startSink(t, lumbersink.CutAfter(7))
	b := startBeat(t, Settings{
		Sink:   sink.Addr(),
		Rtbeat: map[string]any{"timeout": 15},
		Output: map[string]any{"bulk_max_size": 3, "backoff.init": "100ms", "backoff.max": "200ms"},
	})
	l := newLedger(t)

	requireDelivered(t, l.Post(t.Context(), b.Addr, newBatch("cut", messages)), messages)
	require.Greater(t, sink.Received(), messages, "the cut met nothing")
	l.Check(t, sink)

	// The same with every window lost for a while.
	sink.SetPolicy(lumbersink.Refuse())
	answer := l.Go(t.Context(), b.Addr, newBatch("refused", messages))
	await(t, prompt, "the batch inside", func() bool { return b.Metric("rtbeat_batches_received") == 2 })
	require.Empty(t, answer)
	sink.SetPolicy(lumbersink.Immediate())
	requireDelivered(t, <-answer, messages)
	l.Check(t, sink)
}

// Publishing blocks while libbeat's queue is full; the time bound must hold there too.
func TestTimeoutHoldsWhileTheQueueIsFull(t *testing.T) {
	const timeout = time.Second
	sink := startSink(t, lumbersink.Never())
	b := startBeat(t, Settings{
		Sink:   sink.Addr(),
		Rtbeat: map[string]any{"timeout": 1},
		Queue:  map[string]any{"events": 64, "flush.min_events": 32, "flush.timeout": 0},
	})
	l := newLedger(t)

	// Several at once and one after the other: each kind of waiting (for a worker, in the queue) must end.
	var answers []<-chan Answer
	batches := []Batch{newBatch("full-0", 500), newBatch("full-1", 500), newBatch("full-2", 500), newBatch("full-3", 500)}
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

	recoverSink(sink)
	for _, batch := range batches {
		requireDelivered(t, l.Post(t.Context(), b.Addr, batch), len(batch))
	}
	l.Check(t, sink)
}
