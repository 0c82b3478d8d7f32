package inflight_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/inflight"
)

func TestSealFailsWaitersAndIgnoresLaterAcks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		done, events := r.publish("a", "b")
		r.ack(events...)
		open, events := r.publish("c", "-d", "e")
		r.ack(events[0])
		deduped := r.claim("e")
		inQueue := r.claim("f")
		inQueue.Publish()
		waiting := make(chan error, 1)
		go func() { waiting <- wait(t, open, time.Hour) }()
		synctest.Wait()

		account := r.registry.Seal()
		require.ErrorIs(t, <-waiting, inflight.ErrSealed)
		require.Equal(t, inflight.Account{
			Delivered:      inflight.Tally{Batches: 1, Events: 3},
			Unacknowledged: inflight.Tally{Batches: 3, Events: 2},
		}, account)

		require.Zero(t, r.ack(events...), "a closing pipeline has dropped them")
		for _, token := range []*inflight.BatchAck{open, deduped, inQueue} {
			require.ErrorIs(t, wait(t, token, time.Second), inflight.ErrSealed)
			_, delivered := token.Withdraw()
			require.False(t, delivered)
		}
		drop(events[1], inflight.ErrDropped) // by a worker that was publishing it
		require.NoError(t, wait(t, done, time.Second), "a delivered batch stays delivered")
		r.requireEmpty()
	})
}

func TestASealedRegistryRefusesClaimsAndHandsNoMessageOver(t *testing.T) {
	r := newRig(t)
	token := r.claim("a")
	r.registry.Seal()
	require.Empty(t, handOver(token, 1))
	token.Publish()
	require.Zero(t, r.registry.QueueLength())
	_, err := r.tryClaim("b")
	require.ErrorIs(t, err, inflight.ErrSealed)
	r.requireEmpty()
}

func TestWaitEmptyWaitsForBatchesThatWereAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		token, events := r.publish("a")
		token.Withdraw() // answered 504; the event is in the pipeline still
		go func() {
			time.Sleep(3 * time.Second)
			r.ack(events...)
		}()
		start := time.Now()
		require.NoError(t, r.registry.WaitEmpty(t.Context()))
		require.Equal(t, 3*time.Second, time.Since(start))
	})
}

func TestWaitEmptyEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, events := r.publish("a")
		require.ErrorIs(t, r.waitEmpty(time.Second), errTimeout)
		r.ack(events...)
		require.NoError(t, r.waitEmpty(time.Second))
	})
}

func TestTakeReturnsBatchesInOrderUntilTheQueueIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		first, second, third := r.claim("a"), r.claim("b"), r.claim("c")
		for _, token := range []*inflight.BatchAck{first, second, third} {
			token.Publish()
		}
		require.Equal(t, 3, r.registry.QueueLength())
		require.Same(t, first, r.registry.Take())
		second.Withdraw()
		require.Equal(t, 1, r.registry.QueueLength(), "a withdrawn batch leaves the queue")
		require.Same(t, third, r.registry.Take())

		taken := make(chan *inflight.BatchAck)
		go func() { taken <- r.registry.Take() }()
		synctest.Wait()
		r.registry.CloseQueue()
		require.Nil(t, <-taken)
		late := r.claim("d")
		late.Publish()
		require.ErrorIs(t, wait(t, late, time.Second), inflight.ErrWithdrawn, "no worker will take it")
		for _, token := range []*inflight.BatchAck{first, third, late} {
			token.Withdraw()
		}
		r.requireEmpty()
	})
}

func TestABatchGivesWayToOthersInTheQueue(t *testing.T) {
	r := newRig(t)
	long, other := r.claim("a", "b", "c"), r.claim("d")
	long.Publish()
	require.Same(t, long, r.registry.Take())
	_, first, _ := long.Next()
	require.False(t, long.GiveWay(), "the queue is empty")
	other.Publish()
	require.True(t, long.GiveWay())
	require.Equal(t, 2, r.registry.QueueLength())
	require.Same(t, other, r.registry.Take())
	require.Same(t, long, r.registry.Take())
	m, second, ok := long.Next()
	require.True(t, ok)
	require.Equal(t, "b", m.Fields["name"], "it goes on with its next message")
	other.Publish() // has no effect: once is enough
	require.False(t, long.GiveWay())

	last := r.claim("e")
	last.Publish()
	require.True(t, long.GiveWay())
	long.Withdraw()
	require.Equal(t, 1, r.registry.QueueLength(), "it leaves the queue")
	require.False(t, long.GiveWay(), "it has no messages left")
	for _, token := range []*inflight.BatchAck{other, last} {
		token.Withdraw()
	}
	r.ack(first, second)
	r.requireEmpty()
}

func TestASealedQueueTakesNoBatchBack(t *testing.T) {
	for name, end := range map[string]func(*inflight.Registry){
		"sealed": func(r *inflight.Registry) { r.Seal() },
		"closed": (*inflight.Registry).CloseQueue,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			long, other := r.claim("a", "b"), r.claim("c")
			long.Publish()
			require.Same(t, long, r.registry.Take())
			_, event, _ := long.Next()
			other.Publish()
			end(r.registry)
			require.False(t, long.GiveWay())
			other.Withdraw()
			long.Withdraw()
			r.ack(event, event)
			r.requireEmpty()
		})
	}
}

func TestAStallIsNoAckWhileTheOutputHasEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		stalled := func() (time.Duration, bool) { return r.registry.Stalled() }
		requireStall := func(want bool, wantAge time.Duration) {
			t.Helper()
			age, is := stalled()
			require.Equal(t, want, is)
			require.Equal(t, wantAge, age)
		}
		time.Sleep(time.Hour)
		requireStall(false, 0) // nothing is in flight
		waiting := r.claim("x")
		time.Sleep(time.Hour)
		requireStall(false, 0) // nothing is with the output

		_, first := r.publish("a")
		time.Sleep(20 * time.Second)
		token, events := r.publish("b", "c", "d")
		processing := r.claim("e")
		dropped := handOver(processing, 1)
		time.Sleep(10*time.Second - 1)
		requireStall(false, 30*time.Second-1)
		time.Sleep(time.Nanosecond)
		requireStall(true, 30*time.Second)

		_, err := r.tryClaim("a", "new")
		require.Equal(t, &inflight.StalledError{Age: 30 * time.Second}, err)
		_, err = r.tryClaim("-1")
		require.ErrorAs(t, err, new(*inflight.StalledError), "without a uuid it is new each time")
		repeated := r.claim("c", "b", "b")

		filter(dropped[0])
		requireStall(true, 30*time.Second) // a processor works without the output
		r.ack(first...)
		requireStall(false, 0)
		r.claim("new").Withdraw()
		r.ack(events...)
		requireDelivered(t, token)
		requireDelivered(t, repeated)
		requireStall(false, 0)
		waiting.Withdraw()
		r.requireEmpty()
	})
}

// Processors that are busy all the time, and drop every event, are no stall of the output.
func TestBusyProcessorsAreNoStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, previous := r.publish("a")
		r.ack(previous...)
		previous = handOver(r.claim("-"), 1)
		for range 100 {
			time.Sleep(time.Second)
			next := handOver(r.claim("-"), 1)
			filter(previous[0])
			previous = next
			age, stalled := r.registry.Stalled()
			require.False(t, stalled)
			require.Zero(t, age)
		}
	})
}

func TestStallAfterZeroIsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(s *inflight.Settings) { s.StallAfter = 0 })
		_, events := r.publish("a")
		time.Sleep(24 * time.Hour)
		age, stalled := r.registry.Stalled()
		require.False(t, stalled)
		require.Equal(t, 24*time.Hour, age)
		r.claim("b").Withdraw()
		r.ack(events...)
	})
}
