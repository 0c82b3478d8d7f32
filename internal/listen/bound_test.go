package listen

import (
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheLongestWaitingIsDisplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 4)
		first, _ := b.accept()
		second, conn := b.accept()
		third, _ := b.accept()
		fourth, slow := b.accept()

		time.Sleep(time.Minute)
		b.complete(conn)() // the second has ended a request after the others were accepted
		b.idle(conn)
		b.idle(slow) // a request that was refused before it was complete does not shorten the wait

		for i, victim := range []*fake{first, third, fourth, second} {
			require.Equal(t, uint64(i), b.bound.Displaced())
			require.False(t, victim.isClosed())
			b.accept()
			require.True(t, victim.isClosed())
			require.Equal(t, 4, b.bound.Open())
		}
		require.Equal(t, 4, b.bound.Limit())
	})
}

func TestCompleteRequestsAreNeverDisplaced(t *testing.T) {
	for name, free := range map[string]func(b *bench, conn net.Conn, done func()){
		"when one is closed":   func(_ *bench, conn net.Conn, _ func()) { _ = conn.Close() },
		"when one is idle":     func(b *bench, conn net.Conn, done func()) { done(); b.idle(conn) },
		"when one is answered": func(_ *bench, _ net.Conn, done func()) { done(); time.Sleep(answerGrace) },
	} {
		t.Run("Accept goes on "+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, 2)
				first, conn := b.accept()
				done := b.complete(conn)
				second, other := b.accept()
				defer b.complete(other)()

				accepted := b.accepting()
				synctest.Wait()
				require.Empty(t, accepted)
				require.False(t, first.isClosed() || second.isClosed())
				require.Equal(t, 2, b.bound.Open())

				free(b, conn, done)
				require.NoError(t, <-accepted)
				require.True(t, first.isClosed())
				require.False(t, second.isClosed())
				require.Equal(t, 2, b.bound.Open())
			})
		})
	}
}

func TestAnAnswerHasTimeToReachTheSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2)
		answered, conn := b.accept()
		_, other := b.accept()
		b.complete(conn)()
		doneLater := b.complete(other)

		start := time.Now()
		require.NoError(t, <-b.accepting())
		require.Equal(t, answerGrace, time.Since(start), "neither earlier nor later")
		require.True(t, answered.isClosed())

		// After answerGrace, the connection with the longest time since its answer or its accept is displaced.
		doneLater()
		time.Sleep(answerGrace)
		fresh, _ := b.accept() // displaces the connection accepted at the end of the first second, or the answered
		require.False(t, fresh.isClosed())
		require.Equal(t, uint64(2), b.bound.Displaced())
	})
}

func TestTheOlderOfAnsweredAndWaitingIsDisplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2)
		answered, conn := b.accept()
		b.complete(conn)()
		time.Sleep(answerGrace)
		waiting, _ := b.accept()
		_, third := b.accept()
		require.True(t, answered.isClosed())
		require.False(t, waiting.isClosed())

		b.complete(third)()
		time.Sleep(2 * answerGrace)
		b.accept()
		require.True(t, waiting.isClosed(), "it waits longer than the other was answered")
	})
}

func TestAnswerInTimeIsNotDisplacedBeforeWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2)
		answered, conn := b.accept()
		b.complete(conn)()
		time.Sleep(answerGrace - time.Nanosecond)
		waiting, _ := b.accept()
		b.accept()
		require.True(t, waiting.isClosed())
		require.False(t, answered.isClosed())
	})
}

func TestCloseEndsAWaitingAcceptWithItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 1)
		_, conn := b.accept()
		defer b.complete(conn)()
		late := newFake()
		b.queue.conns <- late
		ended := make(chan net.Conn, 1)
		go func() {
			accepted, _ := b.l.Accept()
			ended <- accepted
		}()
		synctest.Wait()
		require.Empty(t, ended)
		require.NoError(t, b.l.Close())
		require.NotNil(t, <-ended)
		require.False(t, late.isClosed(), "its sender gets an answer")
		require.Equal(t, 2, b.bound.Open())
		_, err := b.l.Accept()
		require.EqualError(t, err, "closed")
	})
}

func TestTwoListenersShareOneBound(t *testing.T) {
	b := newBench(t, 1)
	first, _ := b.accept()
	queue := newQueue()
	queue.conns <- newFake()
	_, err := b.bound.Listener(queue).Accept()
	require.NoError(t, err)
	require.True(t, first.isClosed())
	require.Equal(t, 1, b.bound.Open())
}

func TestCompleteAfterDisplacementFails(t *testing.T) {
	b := newBench(t, 1)
	_, conn := b.accept()
	ctx := b.bound.ConnContext(t.Context(), conn)
	b.accept()
	done, ok := b.bound.Complete(ctx)
	require.False(t, ok)
	done()
	require.Equal(t, 1, b.bound.Open())
	require.NoError(t, conn.Close(), "net/http closes it, too")
	require.Equal(t, 1, b.bound.Open(), "and it is counted down once")

	_, conn = b.accept()
	require.NoError(t, conn.Close())
	_, ok = b.bound.Complete(b.bound.ConnContext(t.Context(), conn))
	require.False(t, ok)
	require.Equal(t, uint64(2), b.bound.Displaced())
}

func TestDoneOnceIsEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 1)
		f, conn := b.accept()
		first, second := b.complete(conn), b.complete(conn)
		first()
		first()
		b.idle(conn) // the other request is not answered yet
		accepted := b.accepting()
		time.Sleep(2 * answerGrace)
		synctest.Wait()
		require.Empty(t, accepted)
		require.False(t, f.isClosed())
		second()
		b.idle(conn)
		require.NoError(t, <-accepted)
	})
}

func TestDoneAfterTheEnd(t *testing.T) {
	b := newBench(t, 1)
	f, conn := b.accept()
	done := b.complete(conn)
	require.NoError(t, conn.Close())
	done() // the handler ends after its connection
	b.idle(conn)
	require.Equal(t, 0, b.bound.Open())
	require.Zero(t, b.bound.answered.Len())
	require.Zero(t, b.bound.waiting.Len())
	require.Len(t, f.closed, 1)
}

// Under races, no connection with a complete request is closed, and the count of open connections is right.
func TestBoundUnderRaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, goroutines, rounds = 4, 16, 300
		b := newBench(t, limit)
		var cut, over, lost atomic.Int64
		var all sync.WaitGroup
		for seed := range uint64(goroutines) {
			all.Go(func() {
				random := rand.New(rand.NewPCG(seed, 1))
				l := b.bound.Listener(b.queue)
				for range rounds {
					f := newFake()
					b.queue.conns <- f
					conn, err := l.Accept() // not always f: all goroutines share the queue
					if err != nil {
						t.Error(err)
						return
					}
					inner, _ := bounded(conn).Conn.(*fake)
					if b.bound.Open() > limit {
						over.Add(1)
					}
					for range random.IntN(3) {
						runtime.Gosched()
					}
					done, ok := b.bound.Complete(b.bound.ConnContext(t.Context(), conn))
					for range random.IntN(3) {
						runtime.Gosched()
					}
					if !ok {
						lost.Add(1)
					} else if inner.isClosed() {
						cut.Add(1)
					}
					done()
					if random.IntN(2) == 0 {
						b.idle(conn)
					}
					if random.IntN(2) == 0 {
						_ = conn.Close()
					}
				}
			})
		}
		all.Wait()
		require.Zero(t, cut.Load())
		require.Zero(t, over.Load())
		linked := b.bound.waiting.Len() + b.bound.answered.Len()
		require.Equal(t, linked, b.bound.Open())
		require.LessOrEqual(t, linked, limit)
		t.Logf("%d displaced, %d of them before they were complete", b.bound.Displaced(), lost.Load())
	})
}

func TestNoLimitOnlyCounts(t *testing.T) {
	b := newBench(t, 0)
	for i := range 100 {
		require.Equal(t, i, b.bound.Open())
		f, _ := b.accept()
		require.False(t, f.isClosed())
	}
	require.Zero(t, b.bound.Displaced())
}

func TestConnectionsWithoutABoundAreIgnored(t *testing.T) {
	b := NewBound(1)
	ctx := t.Context()
	require.Equal(t, ctx, b.ConnContext(ctx, newFake()))
	done, ok := b.Complete(ctx)
	require.True(t, ok)
	done()
	b.ConnState(newFake(), http.StateIdle)

	queue := newQueue()
	require.NoError(t, queue.Close())
	_, err := b.Listener(queue).Accept()
	require.EqualError(t, err, "closed")
	require.Zero(t, b.Open())
}
