package inflight_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/inflight"
)

var errTimeout = errors.New("timeout")

// rig is a registry with an admission of 10,000 bytes.
type rig struct {
	t         *testing.T
	admission *inflight.Admission
	registry  *inflight.Registry
}

func newRig(t *testing.T) *rig {
	t.Helper()
	return &rig{t: t, admission: inflight.NewAdmission(10_000), registry: inflight.NewRegistry()}
}

// claim takes n messages of bytes in all in.
func (r *rig) claim(n int, bytes int64) *inflight.BatchAck {
	r.t.Helper()
	reservation, err := r.admission.Open(bytes)
	require.NoError(r.t, err)
	require.NoError(r.t, reservation.Grow(bytes))
	token, err := r.registry.Claim(n, reservation)
	require.NoError(r.t, err)
	return token
}

// publish claims n messages and hands all of them over.
func (r *rig) publish(n int, bytes int64) *inflight.BatchAck {
	r.t.Helper()
	token := r.claim(n, bytes)
	handOver(r.t, token, n)
	return token
}

func handOver(t *testing.T, token *inflight.BatchAck, n int) {
	t.Helper()
	for range n {
		require.True(t, token.HandOver(100))
	}
}

// requireEmpty is the invariant at the end of every story: nothing is held any more.
func (r *rig) requireEmpty() {
	r.t.Helper()
	require.Zero(r.t, r.admission.Used(), "bytes in flight")
	require.Zero(r.t, r.registry.Events(), "events in flight")
	ctx, cancel := context.WithTimeoutCause(r.t.Context(), time.Millisecond, errTimeout)
	defer cancel()
	require.NoError(r.t, r.registry.WaitEmpty(ctx), "registry empty")
}

func wait(t *testing.T, token *inflight.BatchAck, timeout time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), timeout, errTimeout)
	defer cancel()
	return token.Wait(ctx)
}

func TestAckBeforeAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		token := r.publish(3, 300)
		require.Equal(t, 3, token.Ack(3))
		require.NoError(t, wait(t, token, time.Second))
		require.Equal(t, inflight.Progress{Messages: 3, Acked: 3}, token.Progress())
		r.requireEmpty()
	})
}

func TestAckWhileAwaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		token := r.publish(1, 100)
		go func() {
			time.Sleep(800 * time.Millisecond)
			token.Ack(1)
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
		token := r.publish(20, 200)
		for i := range 19 {
			token.Ack(1)
			require.Equal(t, i+1, token.Progress().Acked)
			require.ErrorIs(t, wait(t, token, time.Millisecond), errTimeout)
		}
		require.EqualValues(t, 200, r.admission.Used(), "bytes are held until the last event is done")
		token.Ack(1)
		require.NoError(t, wait(t, token, time.Millisecond))
		r.requireEmpty()
	})
}

func TestAckAfterTimeoutKeepsTheBytesUntilThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		token := r.publish(2, 400)
		require.ErrorIs(t, wait(t, token, 5*time.Second), errTimeout)
		withdrawn, delivered := token.Withdraw()
		require.Zero(t, withdrawn, "all of it is in the pipeline")
		require.False(t, delivered)
		require.EqualValues(t, 400, r.admission.Used(), "the answer does not give bytes back")
		require.EqualValues(t, 2, r.registry.Events())

		token.Ack(2)
		r.requireEmpty()
		require.Equal(t, inflight.Tally{Batches: 1, Events: 2}, r.registry.Seal().Delivered)
	})
}

func TestAckBetweenTimeoutAndWithdrawalIsADelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		token := r.publish(2, 400)
		require.ErrorIs(t, wait(t, token, time.Second), errTimeout)
		token.Ack(2)
		_, delivered := token.Withdraw()
		require.True(t, delivered)
		r.requireEmpty()
	})
}

func TestDeliveryWinsOverAnEndedContext(t *testing.T) {
	r := newRig(t)
	token := r.publish(1, 1)
	token.Ack(1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 { // a select would choose either at random
		require.NoError(t, token.Wait(ctx))
	}
}

func TestWithdrawBeforeAnythingWasHandedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		token := r.claim(5, 500)
		withdrawn, delivered := token.Withdraw()
		require.Equal(t, 5, withdrawn)
		require.False(t, delivered)
		require.False(t, token.HandOver(100), "a withdrawn message must not be published")
		require.ErrorIs(t, wait(t, token, time.Second), inflight.ErrWithdrawn)
		r.requireEmpty()
	})
}

func TestWithdrawInTheMiddleKeepsTheShareOfWhatThePipelineHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		token := r.claim(10, 1000)
		handOver(t, token, 3)
		withdrawn, _ := token.Withdraw()
		require.Equal(t, 7, withdrawn)
		require.EqualValues(t, 300, r.admission.Used())
		again, _ := token.Withdraw()
		require.Zero(t, again, "withdrawn once")

		token.Ack(2)
		require.EqualValues(t, 300, r.admission.Used())
		token.Ack(1)
		require.ErrorIs(t, wait(t, token, time.Second), inflight.ErrWithdrawn, "seven messages were not delivered")
		r.requireEmpty()
		require.Zero(t, r.registry.Seal().Delivered.Batches)
	})
}

// A queue full of the large messages of batches whose small ones were withdrawn must not look small.
func TestWithdrawKeepsTheBytesOfWhatThePipelineHas(t *testing.T) {
	r := newRig(t)
	token := r.claim(3, 1000)
	require.True(t, token.HandOver(940))
	token.Withdraw()
	require.EqualValues(t, 940, r.admission.Used())
	token.Ack(1)
	r.requireEmpty()
}

func TestFilteredAtHeadAndTail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		token := r.claim(4, 400)
		for _, dropped := range []bool{true, false, false, true} {
			require.True(t, token.HandOver(100))
			if dropped {
				token.Filter()
			}
		}
		token.Ack(1) // the head, reported at once
		require.Equal(t, inflight.Progress{Messages: 4, Acked: 1, Filtered: 1}, token.Progress())
		token.Ack(3) // two acknowledged and the tail with them
		require.NoError(t, wait(t, token, time.Second))
		require.Equal(t, inflight.Progress{Messages: 4, Acked: 4, Filtered: 2}, token.Progress())
		r.requireEmpty()
	})
}

func TestDroppedOnPublishFailsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		token := r.claim(3, 300)
		handOver(t, token, 2)
		token.Drop(inflight.ErrDropped)
		start := time.Now()
		require.ErrorIs(t, wait(t, token, time.Hour), inflight.ErrDropped)
		require.Zero(t, time.Since(start), "no waiting for a timeout")
		require.False(t, token.HandOver(100))
		require.EqualValues(t, 300, r.admission.Used(), "one event is still in the pipeline")

		token.Ack(1)
		_, delivered := token.Withdraw()
		require.False(t, delivered)
		require.ErrorIs(t, wait(t, token, time.Second), inflight.ErrDropped, "the first cause stays")
		r.requireEmpty()
	})
}

func TestAcksBeyondWhatWasHandedOverDoNotCount(t *testing.T) {
	r := newRig(t)
	token := r.claim(3, 3)
	handOver(t, token, 1)
	require.Equal(t, 1, token.Ack(5))
	require.Equal(t, 1, token.Progress().Acked)
	require.Zero(t, r.registry.Events())
	require.ErrorIs(t, wait(t, token, time.Millisecond), errTimeout, "two messages were never handed over")
}
