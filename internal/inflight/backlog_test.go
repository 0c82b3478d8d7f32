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

// entering is a body that enters a backlog.
type entering struct {
	place   *inflight.Place
	after   time.Duration
	entered bool
}

// enter lets a body of 10 bytes enter. Call it in a bubble; the fields may be read after synctest.Wait.
func enter(ctx context.Context, b *inflight.Backlog) *entering {
	e := &entering{}
	start := time.Now()
	go func() {
		e.place = b.Enter(ctx, 10)
		e.after, e.entered = time.Since(start), true
	}()
	synctest.Wait()
	return e
}

// inBacklog tells which of the bodies are in.
func inBacklog(bodies ...*entering) (in []bool) {
	synctest.Wait()
	for _, e := range bodies {
		in = append(in, e.entered)
	}
	return in
}

func TestBodiesEnterTheBacklogInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newRig(t).registry.NewBacklog(15)
		first, second, third, fourth := enter(t.Context(), b), enter(t.Context(), b), enter(t.Context(), b), enter(t.Context(), b)
		require.Equal(t, []bool{true, true, false, false}, inBacklog(first, second, third, fourth))
		second.place.Leave()
		require.Equal(t, []bool{true, false}, inBacklog(third, fourth))
		second.place.Leave()
		require.Equal(t, []bool{false}, inBacklog(fourth), "it has left already")
		first.place.Leave()
		require.Equal(t, []bool{true}, inBacklog(fourth))
		third.place.Leave()
		fourth.place.Leave()
		require.True(t, enter(t.Context(), b).entered)
		require.True(t, enter(t.Context(), b).entered)
		(*inflight.Place)(nil).Leave()
	})
}

func TestABatchLeavesTheBacklogWhenNothingOfItWaitsForAWorker(t *testing.T) {
	for name, leave := range map[string]func(r *rig, token *inflight.BatchAck){
		"handed over": func(_ *rig, token *inflight.BatchAck) { handOver(token, 2) },
		"withdrawn":   func(_ *rig, token *inflight.BatchAck) { token.Withdraw() },
		"in part":     func(_ *rig, token *inflight.BatchAck) { handOver(token, 1); token.Withdraw() },
		"sealed":      func(r *rig, _ *inflight.BatchAck) { r.registry.Seal() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				b := r.registry.NewBacklog(10)
				first, next := enter(t.Context(), b), enter(t.Context(), b)
				token := r.claim("a", "b")
				token.Occupies(first.place)
				token.Publish()
				require.Equal(t, []bool{false}, inBacklog(next))
				leave(r, token)
				require.Equal(t, []bool{true}, inBacklog(next))
				token.Withdraw()
				r.registry.Seal()
			})
		})
	}
}

func TestABatchThatIsJoinedLeavesTheBacklogAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		b := r.registry.NewBacklog(10)
		r.claim("a").Publish()
		first, next := enter(t.Context(), b), enter(t.Context(), b)
		r.claim("a").Occupies(first.place)
		require.Equal(t, []bool{true}, inBacklog(next))
		r.registry.Seal()
	})
}

// The output may take nothing for ever, or one message now and then.
func TestTheBacklogOpensWhenNothingIsHandedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		b := r.registry.NewBacklog(10)
		token := r.claim("a", "b", "c", "d", "e")
		token.Occupies(enter(t.Context(), b).place)
		waiting := []*entering{enter(t.Context(), b), enter(t.Context(), b)}
		for range 4 {
			time.Sleep(200 * time.Millisecond)
			require.Equal(t, []bool{false, false}, inBacklog(waiting...))
			handOver(token, 1)
		}
		time.Sleep(600 * time.Millisecond)
		require.Equal(t, []bool{true, true}, inBacklog(waiting...))
		later := enter(t.Context(), b)
		time.Sleep(time.Second)
		require.Equal(t, []bool{true}, inBacklog(later))
		require.Equal(t, 250*time.Millisecond, later.after)
		r.registry.Seal()
	})
}

func TestABodyEntersTheBacklogWhenItsTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newRig(t).registry.NewBacklog(10)
		first := enter(t.Context(), b)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		waiting := slices.Repeat([]*entering{nil}, 3)
		for i := range waiting {
			waiting[i] = enter(ctx, b)
		}
		time.Sleep(100 * time.Millisecond)
		require.Equal(t, []bool{true, true, true}, inBacklog(waiting...))
		next := enter(t.Context(), b)
		for _, e := range waiting {
			e.place.Leave()
		}
		require.Equal(t, []bool{false}, inBacklog(next), "those counted as well")
		first.place.Leave()
		require.Equal(t, []bool{true}, inBacklog(next))
	})
}
