package inflight_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/inflight"
)

func reject(event any) { event.(*inflight.EventAck).Reject() }

// libbeat acknowledges a rejected event. No batch that waits for it is delivered, and a retry publishes it again.
func TestARejectedEventIsNotDelivered(t *testing.T) {
	r := newRig(t)
	token, events := r.publish("a", "b", "c")
	deduped, none := r.publish("b")
	require.Empty(t, none)
	other, others := r.publish("d")

	reject(events[1])
	requireWaiting(t, token)
	counted, rejected := r.registry.Ack(events[:2])
	require.Equal(t, []int{2, 1}, []int{counted, rejected})
	require.ErrorIs(t, deduped.Wait(t.Context()), inflight.ErrRejected)
	requireWaiting(t, token) // for c
	r.ack(events[2], others[0])
	require.ErrorIs(t, token.Wait(t.Context()), inflight.ErrRejected)
	require.Equal(t, inflight.Progress{Messages: 3, Acked: 2, Rejected: 1}, token.Progress())
	requireDelivered(t, other)
	_, delivered := token.Withdraw()
	require.False(t, delivered)
	deduped.Withdraw()
	r.requireEmpty()

	retry, again := r.publish("a", "b", "c")
	require.Len(t, again, 1, "b alone is published again")
	r.ack(again...)
	requireDelivered(t, retry)
	require.Equal(t, inflight.Progress{Messages: 3, Acked: 3, DedupedDelivered: 2}, retry.Progress())
	r.requireEmpty()

	account := r.registry.Seal()
	require.Equal(t, inflight.Account{Delivered: inflight.Tally{Batches: 2, Events: 4}, Rejected: 1}, account)
}

// A rejection after the answer changes nothing.
func TestARejectionAfterTheAnswer(t *testing.T) {
	r := newRig(t)
	token, events := r.publish("a")
	token.Withdraw() // 504
	reject(events[0])
	r.ack(events...)
	require.ErrorIs(t, token.Wait(t.Context()), inflight.ErrWithdrawn)
	r.requireEmpty()
	_, again := r.publish("a")
	require.Len(t, again, 1)
}
