package intake

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// fillBacklog sends bodies of one size until the backlog is full, and as many more as are to wait.
func fillBacklog(r *rig, size int, waiting int) (calls []*call) {
	limit := backlogLimit
	if size > largeBody {
		limit = largeBacklogLimit
	}
	for range runtime.GOMAXPROCS(0)*limit/size + waiting {
		calls = append(calls, r.start(r.request(batchOf(size))))
		synctest.Wait()
	}
	return calls
}

// decoded is how many batches have been decoded.
func (r *rig) decoded() int {
	synctest.Wait()
	r.metrics.mu.Lock()
	defer r.metrics.mu.Unlock()
	return r.metrics.batches
}

func ample(l *limits) { l.InFlight, l.MaxBody = 1<<30, 4<<20 }

func TestWhatCanOnlyWaitStaysUndecoded(t *testing.T) {
	for _, size := range []int{largeBody / 2, largeBody, 2 * largeBody} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, ample)
				calls := fillBacklog(r, size, 3)
				require.Equal(t, len(calls)-3, r.decoded())
				for i := range 3 {
					first := r.take()
					require.Equal(t, len(calls)-3+i, r.decoded())
					first.handOverAll()
					require.Equal(t, len(calls)-3+i+1, r.decoded(), "before it is acknowledged")
					first.ack(1)
				}
				r.deliverAll()
				for _, c := range calls {
					c.requireAnswer(delivered)
				}
			})
		})
	}
}

func TestBodiesOfOtherSizesDoNotWaitInTheSameBacklog(t *testing.T) {
	for _, full := range []int{largeBody, 2 * largeBody} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, ample)
			calls := fillBacklog(r, full, 1)
			decoded := r.decoded()
			require.Equal(t, len(calls)-1, decoded)
			for _, other := range []int{smallBody, 3*largeBody - full} {
				calls = append(calls, r.start(r.request(batchOf(other))))
				synctest.Wait()
				decoded++
				require.Equal(t, decoded, r.decoded())
			}
			r.deliverAll()
			for _, c := range calls {
				c.requireAnswer(delivered)
			}
		})
	}
}

// Whatever waits, the sender hears what it would hear without.
func TestWhileTheOutputTakesNothingWaitingBodiesAreAnsweredAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ample, func(l *limits) { l.Registry.StallAfter = 0 })
		calls := fillBacklog(r, largeBody, 1)
		malformed := r.start(r.request(strings.Repeat(" ", smallBody) + `{"messages":[{}}`))
		malformed.requireAnswer(malformedJSON)
		require.Equal(t, 250*time.Millisecond, malformed.took)
		for _, c := range calls {
			require.Contains(t, c.requireAnswer(ackTimeout), `"messages":1`)
			require.Equal(t, 5*time.Second, c.took)
		}
	})
}

// One message in 100 ms: nothing stands still, but the body's turn does not come.
func TestABodyWaitsInTheBacklogForHalfOfTheTimeoutAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ample, func(l *limits) { l.MaxMessages = 1000 })
		slow := r.start(r.request(`{"messages":[{}` + strings.Repeat(",{}", 99) + strings.Repeat(" ", smallBody) + `]}`))
		busy := r.take()
		calls := fillBacklog(r, largeBody, 1)
		decoded := r.decoded()
		for range 24 {
			time.Sleep(100 * time.Millisecond)
			busy.handOver(1)
		}
		require.Equal(t, decoded, r.decoded())
		time.Sleep(100 * time.Millisecond)
		require.Equal(t, decoded+1, r.decoded())
		busy.deliver()
		r.deliverAll()
		slow.requireAnswer(delivered)
		for _, c := range calls {
			c.requireAnswer(delivered)
		}
	})
}

// Else a body that waited long to be decompressed would wait here for all that is left, and be refused undecoded.
func TestDecompressingCountsForTheWaitInTheBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		h := &handler{backlog: r.registry.NewBacklog(1), timeout: 400 * time.Millisecond} // half is less than a standstill
		defer h.backlog.Enter(t.Context(), 1).Leave()
		for _, spent := range []time.Duration{0, 150 * time.Millisecond, 300 * time.Millisecond} {
			began := time.Now()
			h.enterBacklog(t.Context(), began.Add(-spent), smallBody+1).Leave()
			require.Equal(t, max(0, 200*time.Millisecond-spent), time.Since(began))
		}
	})
}

func TestAStopEndsTheWaitInTheBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ample)
		calls := fillBacklog(r, largeBody, 0)
		waiting := r.start(r.request(batchOf(largeBody)).WithContext(r.server.http.BaseContext(nil)))
		waiting.requireWaiting()
		r.server.abort(errStopping)
		waiting.requireAnswer(stopping)
		require.Zero(t, waiting.took)
		r.deliverAll()
		for _, c := range calls {
			c.requireAnswer(delivered)
		}
	})
}

// A stop, or a sender that gives up, may end hundreds of waits at once: decoding all those bodies would take longer than
// the answers may, and publish batches that nobody waits for.
func TestWhatNobodyWaitsForIsNotDecoded(t *testing.T) {
	for want, cause := range map[outcome]error{stopping: errStopping, clientGone: context.Canceled} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, ample)
			calls := fillBacklog(r, largeBody, 0)
			decoded := r.decoded()
			ctx, end := context.WithCancelCause(t.Context())
			short := r.start(r.request(batchOf(smallBody + 1)).WithContext(ctx))
			long := r.start(r.request(batchOf(largeBody)).WithContext(ctx))
			short.requireWaiting()
			long.requireWaiting()
			end(cause)
			short.wait()
			long.wait()
			require.Equal(t, decoded, r.decoded())
			require.Equal(t, 2, r.metrics.answered()[labels(want)])
			r.deliverAll()
			for _, c := range calls {
				c.requireAnswer(delivered)
			}
		})
	}
}

func TestARefusedBodyLeavesTheBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ample)
		r.deliverAll()
		for range runtime.GOMAXPROCS(0) * backlogLimit / smallBody {
			r.do(r.request(strings.Repeat(" ", smallBody) + "{}")).requireAnswer(wrongShape)
		}
		c := r.do(r.request(batchOf(largeBody)))
		c.requireAnswer(delivered)
		require.Zero(t, c.took)
	})
}
