package inflight_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/inflight"
)

// entering is a body that enters a gate.
type entering struct {
	slot    *inflight.DecodeSlot
	after   time.Duration
	entered bool
}

// enter lets a body of 10 bytes enter. Call it in a bubble; the fields may be read after synctest.Wait.
func enter(ctx context.Context, b *inflight.Gate) *entering {
	e := &entering{}
	start := time.Now()
	go func() {
		e.slot = b.Enter(ctx, 10)
		e.after, e.entered = time.Since(start), true
	}()
	synctest.Wait()
	return e
}

// inGate returns, for each body, whether it has entered.
func inGate(bodies ...*entering) (in []bool) {
	synctest.Wait()
	for _, e := range bodies {
		in = append(in, e.entered)
	}
	return in
}

func TestBodiesEnterTheGateInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newRig(t).registry.NewGate(15)
		first, second, third, fourth := enter(t.Context(), b), enter(t.Context(), b), enter(t.Context(), b), enter(t.Context(), b)
		require.Equal(t, []bool{true, true, false, false}, inGate(first, second, third, fourth))
		second.slot.Leave()
		require.Equal(t, []bool{true, false}, inGate(third, fourth))
		second.slot.Leave()
		require.Equal(t, []bool{false}, inGate(fourth), "it has left already")
		first.slot.Leave()
		require.Equal(t, []bool{true}, inGate(fourth))
		third.slot.Leave()
		fourth.slot.Leave()
		require.True(t, enter(t.Context(), b).entered)
		require.True(t, enter(t.Context(), b).entered)
		(*inflight.DecodeSlot)(nil).Leave()
	})
}

func TestABatchLeavesTheGateWhenNoMessageWaitsForAWorker(t *testing.T) {
	for name, leave := range map[string]func(r *rig, token *inflight.BatchAck){
		"handed over": func(_ *rig, token *inflight.BatchAck) { handOver(token, 2) },
		"withdrawn":   func(_ *rig, token *inflight.BatchAck) { token.Withdraw() },
		"in part":     func(_ *rig, token *inflight.BatchAck) { handOver(token, 1); token.Withdraw() },
		"sealed":      func(r *rig, _ *inflight.BatchAck) { r.registry.Seal() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				b := r.registry.NewGate(10)
				first, next := enter(t.Context(), b), enter(t.Context(), b)
				token := r.claim("a", "b")
				token.Attach(first.slot)
				token.Publish()
				require.Equal(t, []bool{false}, inGate(next))
				leave(r, token)
				require.Equal(t, []bool{true}, inGate(next))
				token.Withdraw()
				r.registry.Seal()
			})
		})
	}
}

func TestADedupedBatchLeavesTheGateAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		b := r.registry.NewGate(10)
		r.claim("a").Publish()
		first, next := enter(t.Context(), b), enter(t.Context(), b)
		r.claim("a").Attach(first.slot)
		require.Equal(t, []bool{true}, inGate(next))
		r.registry.Seal()
	})
}

// Workers may take no message at all, or one now and then.
func TestTheGateOpensWhenNothingIsHandedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		b := r.registry.NewGate(10)
		token := r.claim("a", "b", "c", "d", "e")
		token.Attach(enter(t.Context(), b).slot)
		waiting := []*entering{enter(t.Context(), b), enter(t.Context(), b)}
		for range 4 {
			time.Sleep(200 * time.Millisecond)
			require.Equal(t, []bool{false, false}, inGate(waiting...))
			handOver(token, 1)
		}
		time.Sleep(600 * time.Millisecond)
		require.Equal(t, []bool{true, true}, inGate(waiting...))
		later := enter(t.Context(), b)
		time.Sleep(time.Second)
		require.Equal(t, []bool{true}, inGate(later))
		require.Equal(t, 250*time.Millisecond, later.after)
		r.registry.Seal()
	})
}

func TestABodyEntersTheGateWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newRig(t).registry.NewGate(10)
		first := enter(t.Context(), b)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		waiting := slices.Repeat([]*entering{nil}, 3)
		for i := range waiting {
			waiting[i] = enter(ctx, b)
		}
		time.Sleep(100 * time.Millisecond)
		require.Equal(t, []bool{true, true, true}, inGate(waiting...))
		next := enter(t.Context(), b)
		for _, e := range waiting {
			e.slot.Leave()
		}
		require.Equal(t, []bool{false}, inGate(next), "bodies beyond the limit count as well")
		first.slot.Leave()
		require.Equal(t, []bool{true}, inGate(next))
	})
}
