package publish_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elastic/beats/v7/libbeat/publisher"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/inflight"
	"github.com/txn2/rtbeat/internal/pipelinetest"
)

const smallQueue = "queue.mem: {events: 32, flush.min_events: 16}"

func TestFullQueueBlocksNoBatchThatIsWithdrawn(t *testing.T) {
	output := &pipelinetest.Output{}
	r := newRig(t, output, 2, 16, smallQueue)
	var tokens []*inflight.BatchAck
	for range 6 {
		tokens = append(tokens, r.publish(numbered(200)...))
	}
	// Two workers fill libbeat's queue and block. The other four batches wait in the queue.
	require.Eventually(t, func() bool { return r.registry.QueueLength() == 4 && r.registry.Events() >= 32 }, patience, time.Millisecond)

	handed := 0
	for _, token := range tokens {
		withdrawn, delivered := token.Withdraw()
		require.False(t, delivered)
		handed += 200 - withdrawn
	}
	require.Zero(t, r.registry.QueueLength())
	// The queue, its input channel (20, memqueue/broker.go), and one event for each worker.
	require.LessOrEqual(t, handed, 32+20+2)
	require.Equal(t, handed, r.registry.Events())

	// The output works again: it gets the events that were handed over, and no others.
	arrived := 0
	for arrived < handed {
		window := output.Next()
		arrived += len(window.Events())
		window.ACK()
	}
	require.Equal(t, handed, arrived)
	r.requireEmpty()
}

func TestRetriesAgainstADeadOutputAreBounded(t *testing.T) {
	output := &pipelinetest.Output{}
	r := newRig(t, output, 2, 16, smallQueue)
	first := r.publish(numbered(100)...)
	second := r.publish(numbered(100)...)
	require.Eventually(t, func() bool { return r.registry.Events() >= 32 }, patience, time.Millisecond)
	first.Withdraw()
	second.Withdraw()
	held := r.admission.Used()
	for range 500 {
		r.publish(numbered(100)...).Withdraw()
	}
	require.Zero(t, r.registry.QueueLength())
	one, err := batch.Decode([]byte(`[{"n":99}]`), batch.Options{})
	require.NoError(t, err)
	more := int64(2 * one.Messages[0].Weight) // each of the two workers may have handed over one more event
	require.LessOrEqual(t, r.admission.Used(), held+more, "bytes")
	require.LessOrEqual(t, r.registry.Events(), 32+20+2)
}

// A closing pipeline reports dropped events as acknowledged.
func TestClosingThePipelineResolvesNoBatch(t *testing.T) {
	output := &pipelinetest.Output{}
	r := newRig(t, output, 1, 16, "")
	token := r.publish(numbered(5)...)
	var windows []publisher.Batch
	for held := 0; held < 5; {
		window := output.Next()
		held += len(window.Events())
		windows = append(windows, window)
	}
	account := r.registry.Seal()
	require.Equal(t, inflight.Tally{Batches: 1, Events: 5}, account.Unacknowledged)
	for _, window := range windows {
		window.Drop() // as the closing consumer does (libbeat/publisher/pipeline/consumer.go)
	}
	r.close()
	ctx, cancel := r.patient()
	defer cancel()
	require.ErrorIs(t, token.Wait(ctx), inflight.ErrSealed)
	require.Zero(t, r.count("rtbeat_events_acked_total"), "nothing was acknowledged")
}

func TestCloseEndsAWorkerThatIsBlockedOnAFullQueue(t *testing.T) {
	r := newRig(t, &pipelinetest.Output{}, 2, 16, smallQueue)
	token := r.publish(numbered(200)...)
	require.Eventually(t, func() bool { return r.registry.Events() >= 32 }, patience, time.Millisecond)
	r.close() // waits for the workers
	ctx, cancel := r.patient()
	defer cancel()
	require.ErrorIs(t, token.Wait(ctx), inflight.ErrSealed)
}

func TestEventsRefusedByAClosingClientFailTheirBatchAtOnce(t *testing.T) {
	r := newRig(t, &pipelinetest.Output{}, 1, 16, smallQueue)
	token := r.publish(numbered(200)...)
	require.Eventually(t, func() bool { return r.registry.Events() >= 32 }, patience, time.Millisecond)
	r.publisher.Close() // without Seal, as if the pipeline closed by itself
	require.NoError(t, r.closePipeline())
	ctx, cancel := r.patient()
	defer cancel()
	require.ErrorIs(t, token.Wait(ctx), inflight.ErrDropped)
	require.Positive(t, r.count("rtbeat_events_dropped_total"))
}

// extract_array of libbeat panics at a null. No message of a sender may end the process.
func TestAProcessorThatPanicsFailsItsBatchOnly(t *testing.T) {
	r := newRig(t, &pipelinetest.Output{OnBatch: ackAll}, 1, 16,
		`processors: [{extract_array: {field: rxtxMsg.a, mappings: {b: 0}, ignore_missing: true, fail_on_error: false}}]`)
	before := r.publish(numbered(5)...)
	broken := r.publish(`{"n":1}`, `{"a":null}`, `{"n":2}`)
	after := r.publish(numbered(5)...)
	ctx, cancel := r.patient()
	defer cancel()
	require.ErrorIs(t, broken.Wait(ctx), inflight.ErrUnpublishable)
	broken.Withdraw()
	for _, token := range []*inflight.BatchAck{before, after} {
		r.requireDelivered(token, inflight.Progress{Messages: 5, Acked: 5})
	}
	require.Equal(t, 1, r.count("rtbeat_events_dropped_total"))
	r.requireEmpty()
}

func TestABatchAfterCloseIsWithdrawn(t *testing.T) {
	r := newRig(t, &pipelinetest.Output{OnBatch: ackAll}, 1, 16, "")
	r.publisher.Close()
	ctx, cancel := r.patient()
	defer cancel()
	token := r.publish(numbered(3)...)
	require.ErrorIs(t, token.Wait(ctx), inflight.ErrWithdrawn)
	token.Withdraw()
	r.requireEmpty()
}
