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

const aboveLarge = 512 << 10

// fillGate sends bodies of one size until the gate is full, and then more of them, which wait.
func fillGate(r *rig, size, waiting int) (calls []*call) {
	gates := r.server.handler.gates
	counts := min(size, int(gates.largest))
	limit := runtime.GOMAXPROCS(0) * gatePerCore
	for range (limit+counts-1)/counts + waiting {
		calls = append(calls, r.start(r.request(batchOf(size))))
		synctest.Wait()
	}
	return calls
}

// decoded is how many batches have been decoded.
func (r *rig) decoded() int {
	synctest.Wait()
	return number(r.metrics.batches)
}

func ample(l *limits) { l.InFlight, l.MaxBody = 1<<30, 4<<20 }

func TestBodiesBeyondTheGateStayUndecoded(t *testing.T) {
	for _, size := range []int{64 << 10, largeBody, aboveLarge, 1 << 20, 2 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, ample)
				calls := fillGate(r, size, 3)
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

func TestASmallBodyDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ample)
		calls := fillGate(r, 64<<10, 1)
		decoded := r.decoded()
		require.Equal(t, len(calls)-1, decoded)
		calls = append(calls, r.start(r.request(batchOf(smallBody))))
		require.Equal(t, decoded+1, r.decoded())
		r.deliverAll()
		for _, c := range calls {
			c.requireAnswer(delivered)
		}
	})
}

// An ordinary body would wait for half of the timeout behind many large ones.
func TestAnOrdinaryBodyDoesNotWaitForLargeOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ample)
		calls := fillGate(r, aboveLarge, 3)
		decoded := r.decoded()
		calls = append(calls, r.start(r.request(batchOf(largeBody))))
		require.Equal(t, decoded+1, r.decoded())
		r.deliverAll()
		for _, c := range calls {
			c.requireAnswer(delivered)
		}
	})
}

// Others enter the gate beside a body of any size.
func TestALargeBodyDoesNotFillTheGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ample)
		var calls []*call
		for range gateShare {
			calls = append(calls, r.start(r.request(batchOf(4<<20))))
		}
		require.Equal(t, gateShare, r.decoded())
		calls = append(calls, r.start(r.request(batchOf(largeBody+1))))
		require.Equal(t, gateShare, r.decoded())
		r.deliverAll()
		for _, c := range calls {
			c.requireAnswer(delivered)
		}
	})
}

// The wait in the gate changes no answer.
func TestWaitingBodiesAreAnsweredWhileTheOutputTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ample, func(l *limits) { l.Registry.StallAfter = 0 })
		calls := fillGate(r, aboveLarge, 1)
		malformed := r.start(r.request(strings.Repeat(" ", aboveLarge) + `{"messages":[{}}`))
		malformed.requireAnswer(malformedJSON)
		require.Equal(t, 250*time.Millisecond, malformed.took)
		for _, c := range calls {
			require.Contains(t, c.requireAnswer(ackTimeout), `"messages":1`)
			require.Equal(t, 5*time.Second, c.took)
		}
	})
}

// The output takes one message in 100 ms, so the body does not enter.
func TestABodyWaitsInTheGateForHalfOfTheTimeoutAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ample, func(l *limits) { l.MaxMessages = 1000 })
		slow := r.start(r.request(`{"messages":[{}` + strings.Repeat(",{}", 99) + strings.Repeat(" ", smallBody) + `]}`))
		busy := r.take()
		calls := fillGate(r, aboveLarge, 1)
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

// After the deadline no body waits. Otherwise a body that waited long to be decompressed would wait for the rest of the timeout,
// and be refused undecoded.
func TestTheWaitInTheGateEndsAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gates{ordinary: newRig(t).registry.NewGate(1), largest: 1}
		defer g.ordinary.Enter(t.Context(), 1).Leave()
		for _, left := range []time.Duration{200 * time.Millisecond, 50 * time.Millisecond, 0, -100 * time.Millisecond} {
			began := time.Now()
			g.enter(t.Context(), began.Add(left), smallBody+1).Leave()
			require.Equal(t, max(0, left), time.Since(began))
		}
	})
}

func TestAStopEndsTheWaitInTheGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ample)
		calls := fillGate(r, aboveLarge, 0)
		waiting := r.start(r.request(batchOf(aboveLarge)).WithContext(r.server.http.BaseContext(nil)))
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

// A stop, or a sender that gives up, may end hundreds of waits at once. Decoding these bodies would take longer than the answers
// may, and publish batches that nobody waits for.
func TestABodyThatNobodyWaitsForIsNotDecoded(t *testing.T) {
	for want, cause := range map[outcome]error{stopping: errStopping, clientGone: context.Canceled} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, ample)
			calls := append(fillGate(r, aboveLarge, 0), fillGate(r, largeBody, 0)...)
			decoded := r.decoded()
			ctx, end := context.WithCancelCause(t.Context())
			short := r.start(r.request(batchOf(smallBody + 1)).WithContext(ctx))
			long := r.start(r.request(batchOf(aboveLarge)).WithContext(ctx))
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

func TestARefusedBodyLeavesTheGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ample)
		r.deliverAll()
		for range runtime.GOMAXPROCS(0) * gatePerCore / smallBody {
			r.do(r.request(strings.Repeat(" ", smallBody) + "17")).requireAnswer(wrongShape)
		}
		c := r.do(r.request(batchOf(2 * smallBody)))
		c.requireAnswer(delivered)
		require.Zero(t, c.took)
	})
}
