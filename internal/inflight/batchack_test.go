package inflight_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/inflight"
)

// unnamed is n messages without a uuid.
func unnamed(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint("-", i)
	}
	return names
}

func TestAckBeforeAwait(t *testing.T) {
	r := newRig(t)
	token, events := r.publish(unnamed(3)...)
	require.Equal(t, 3, r.ack(events...))
	requireDelivered(t, token)
	require.Equal(t, inflight.Progress{Messages: 3, Acked: 3}, token.Progress())
	r.requireEmpty()
}

func TestAckWhileAwaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		token, events := r.publish("a")
		go func() {
			time.Sleep(800 * time.Millisecond)
			r.ack(events...)
		}()
		start := time.Now()
		require.NoError(t, wait(t, token, 5*time.Second))
		require.Equal(t, 800*time.Millisecond, time.Since(start))
		r.requireEmpty()
	})
}

func TestPartialAcksResolveWithTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		token, events := r.publish(unnamed(20)...)
		for i := range 19 {
			r.ack(events[i])
			require.Equal(t, i+1, token.Progress().Acked)
			requireWaiting(t, token)
		}
		require.EqualValues(t, 20*size, r.admission.Used(), "bytes are held until the last event is done")
		r.ack(events[19])
		requireDelivered(t, token)
		r.requireEmpty()
	})
}

func TestBytesAreHeldUntilAnAckAfterTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		token, events := r.publish("a", "-b")
		require.ErrorIs(t, wait(t, token, 5*time.Second), errTimeout)
		withdrawn, delivered := token.Withdraw()
		require.Zero(t, withdrawn, "all events are in the pipeline")
		require.False(t, delivered)
		require.EqualValues(t, 2*size, r.admission.Used(), "the answer does not give bytes back")
		require.Equal(t, 2, r.registry.Events())

		require.Equal(t, 2, r.ack(events...))
		r.requireEmpty()
		require.Equal(t, inflight.Tally{Batches: 0, Events: 2}, r.registry.Seal().Delivered)
	})
}

func TestAckBetweenTimeoutAndWithdrawalIsADelivery(t *testing.T) {
	for range 50 { // a select chooses either at random
		r := newRig(t)
		token, events := r.publish("a", "b")
		ctx := &endsAndActs{Context: t.Context(), act: func() { r.ack(events...) }}
		withdrawn, err := token.Await(ctx)
		require.NoError(t, err)
		require.Zero(t, withdrawn)
		r.requireEmpty()
	}
}

// endsAndActs is a context that ends, and calls act, in the first call of Done.
type endsAndActs struct {
	context.Context //nolint:containedctx // it is a context itself, with an end of its own
	act             func()
}

func (c *endsAndActs) Done() <-chan struct{} {
	c.act()
	ended := make(chan struct{})
	close(ended)
	return ended
}

func (*endsAndActs) Err() error { return context.DeadlineExceeded }

func TestAwaitWithdrawsAtTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		token := r.claim("a", "b", "-c")
		events := handOver(token, 1)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errTimeout)
		defer cancel()
		withdrawn, err := token.Await(ctx)
		require.ErrorIs(t, err, errTimeout)
		require.Equal(t, 2, withdrawn)
		require.EqualValues(t, size, r.admission.Used())
		r.ack(events...)
		r.requireEmpty()
	})
}

func TestDeliveryWinsOverAnEndedContext(t *testing.T) {
	r := newRig(t)
	token, events := r.publish("a")
	r.ack(events...)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 { // a select would choose either at random
		require.NoError(t, token.Wait(ctx))
	}
}

func TestWithdrawBeforeAnythingWasHandedOver(t *testing.T) {
	r := newRig(t)
	token := r.claim("a", "b", "-c", "-d", "e")
	token.Publish()
	withdrawn, delivered := token.Withdraw()
	require.Equal(t, 5, withdrawn)
	require.False(t, delivered)
	require.Empty(t, handOver(token, 5), "a withdrawn message must not be published")
	require.ErrorIs(t, wait(t, token, time.Second), inflight.ErrWithdrawn)
	require.Zero(t, r.registry.DedupeEntries(), "a withdrawn message is not deduped")
	r.requireEmpty()
}

func TestWithdrawKeepsTheEventsInThePipeline(t *testing.T) {
	r := newRig(t)
	token := r.claim(unnamed(10)...)
	events := handOver(token, 3)
	withdrawn, _ := token.Withdraw()
	require.Equal(t, 7, withdrawn)
	require.EqualValues(t, 3*size, r.admission.Used())
	again, _ := token.Withdraw()
	require.Zero(t, again, "withdrawn once")

	r.ack(events[:2]...)
	require.Equal(t, 1, r.registry.Events())
	r.ack(events[2])
	require.ErrorIs(t, wait(t, token, time.Second), inflight.ErrWithdrawn, "seven messages were not delivered")
	r.requireEmpty()
	require.Zero(t, r.registry.Seal().Delivered.Batches)
}

func TestFilteredAtHeadAndTail(t *testing.T) {
	r := newRig(t)
	token := r.claim(unnamed(4)...)
	events := handOver(token, 4)
	filter(events[0])
	filter(events[3])
	require.Equal(t, inflight.Progress{Messages: 4, Acked: 2, Filtered: 2}, token.Progress())
	requireWaiting(t, token)
	require.Equal(t, 2, r.ack(events...), "the two that no processor dropped")
	requireDelivered(t, token)
	require.Equal(t, inflight.Progress{Messages: 4, Acked: 4, Filtered: 2}, token.Progress())
	r.requireEmpty()
}

// A batch of filtered messages alone does not wait for the output, which may be stalled for other batches.
func TestAFilteredBatchIsDoneAtOnce(t *testing.T) {
	r := newRig(t)
	other, before := r.publish("a")
	token := r.claim("b", "c", "c")
	for _, e := range handOver(token, 3) {
		filter(e)
	}
	requireDelivered(t, token)
	require.Equal(t, inflight.Progress{Messages: 3, Acked: 3, Filtered: 3, DedupedInFlight: 1}, token.Progress())
	requireWaiting(t, other)
	require.EqualValues(t, size, r.admission.Used(), "the other's")
	r.ack(before...)
	requireDelivered(t, other)
	r.requireEmpty()
	require.Equal(t, inflight.Tally{Batches: 2, Events: 3}, r.registry.Seal().Delivered)
}

// A second report, or a report of another kind, counts nothing.
func TestAFilteredEventIsDoneOnce(t *testing.T) {
	r := newRig(t)
	token := r.claim("a", "b")
	events := handOver(token, 2)
	filter(events[0])
	filter(events[0])
	drop(events[0], inflight.ErrDropped)
	require.Zero(t, r.ack(events[0], events[0]))
	require.Equal(t, inflight.Progress{Messages: 2, Acked: 1, Filtered: 1}, token.Progress())
	requireWaiting(t, token)
	require.Equal(t, 1, r.ack(events...))
	requireDelivered(t, token)
	r.requireEmpty()
	require.Equal(t, inflight.Tally{Batches: 1, Events: 2}, r.registry.Seal().Delivered)
}

func TestDroppedOnPublishFailsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		token := r.claim("a", "b", "c")
		events := handOver(token, 2)
		drop(events[1], inflight.ErrDropped)
		start := time.Now()
		require.ErrorIs(t, wait(t, token, time.Hour), inflight.ErrDropped)
		require.Zero(t, time.Since(start), "no waiting for a timeout")

		withdrawn, delivered := token.Withdraw()
		require.Equal(t, 1, withdrawn)
		require.False(t, delivered)
		require.EqualValues(t, size, r.admission.Used(), "one event is still in the pipeline")
		require.Zero(t, r.ack(events[1]), "it never reached the output")
		require.Equal(t, 1, r.ack(events[0]))
		require.ErrorIs(t, wait(t, token, time.Second), inflight.ErrDropped, "the first cause stays")
		r.requireEmpty()
	})
}

func TestAnEventIsAckedOnceAndOnlyWhenHandedOver(t *testing.T) {
	r := newRig(t)
	token, events := r.publish("a", "b")
	require.Equal(t, 1, r.ack(events[0], events[0], nil, "something else"))
	require.Zero(t, r.ack(events[0]))
	require.Equal(t, inflight.Progress{Messages: 2, Acked: 1}, token.Progress())
	require.Equal(t, 1, r.registry.Events())
	requireWaiting(t, token)
	r.ack(events[1])
	requireDelivered(t, token)
	r.requireEmpty()
}
