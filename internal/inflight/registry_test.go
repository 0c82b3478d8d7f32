package inflight_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/inflight"
)

func TestSealFailsWaitersAndIgnoresLaterAcks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		done := r.publish(2, 100)
		done.Ack(2)
		open := r.publish(3, 300)
		open.Ack(1)
		waiting := make(chan error, 1)
		go func() { waiting <- wait(t, open, time.Hour) }()
		synctest.Wait()

		account := r.registry.Seal()
		require.ErrorIs(t, <-waiting, inflight.ErrSealed)
		require.Equal(t, inflight.Account{
			Delivered:      inflight.Tally{Batches: 1, Events: 3},
			Unacknowledged: inflight.Tally{Batches: 1, Events: 2},
		}, account)

		require.Zero(t, open.Ack(2), "what a closing pipeline reports as acknowledged was dropped")
		require.ErrorIs(t, wait(t, open, time.Second), inflight.ErrSealed)
		_, delivered := open.Withdraw()
		require.False(t, delivered)
		require.NoError(t, wait(t, done, time.Second), "what was delivered stays delivered")
		require.Zero(t, r.admission.Used())
		require.Zero(t, r.registry.Events())
	})
}

func TestSealedRegistryRefusesClaims(t *testing.T) {
	r := newRig(t)
	r.registry.Seal()
	reservation, err := r.admission.Open(1)
	require.NoError(t, err)
	_, err = r.registry.Claim(1, reservation)
	require.ErrorIs(t, err, inflight.ErrSealed)
}

func TestSealedTokenHandsNothingOver(t *testing.T) {
	r := newRig(t)
	token := r.claim(1, 1)
	r.registry.Seal()
	require.False(t, token.HandOver(100))
	token.Drop(inflight.ErrDropped) // a worker that was in the middle of it
	require.Zero(t, r.registry.Events())
}

func TestWaitEmptyWaitsForBatchesThatWereAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		token := r.publish(1, 100)
		token.Withdraw() // answered 504; the event is in the pipeline still
		go func() {
			time.Sleep(3 * time.Second)
			token.Ack(1)
		}()
		start := time.Now()
		require.NoError(t, r.registry.WaitEmpty(t.Context()))
		require.Equal(t, 3*time.Second, time.Since(start))
	})
}

func TestWaitEmptyEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		token := r.publish(1, 100)
		require.ErrorIs(t, waitEmpty(t, r, time.Second), errTimeout)
		token.Ack(1)
		require.NoError(t, waitEmpty(t, r, time.Second))
	})
}

// Many batches come and go from many goroutines, acknowledged, withdrawn and dropped at random moments; whatever the
// interleaving, nothing is held in the end and no waiter is told a delivery that was none.
func TestEveryInterleavingEndsEmpty(t *testing.T) {
	r := newRig(t)
	var workers sync.WaitGroup
	for worker := range 8 {
		workers.Go(func() {
			for i := range 300 {
				token := r.claim(4, 400)
				var acker sync.WaitGroup
				handed := 0
				acker.Go(func() {
					for token.HandOver(100) {
						handed++
						if worker == 0 && i%7 == 0 && handed == 4 {
							token.Drop(inflight.ErrDropped)
							continue
						}
						token.Ack(1)
					}
				})
				withdrawn, delivered := 0, false
				if i%2 == 0 {
					withdrawn, delivered = token.Withdraw()
				}
				acker.Wait()
				err := wait(t, token, time.Minute)
				if delivered {
					require.NoError(t, err)
				}
				if err == nil {
					require.Equal(t, 4, handed)
				} else {
					require.True(t, withdrawn > 0 || handed == 4, "failed without a reason: %v", err)
				}
			}
		})
	}
	workers.Wait()
	r.requireEmpty()
}
