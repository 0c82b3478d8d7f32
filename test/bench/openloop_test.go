package bench

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// step is one rate of the open loop.
type step struct {
	share float64 // of the rate that a closed loop of the same batches reached
	schedule
	timings
}

const (
	openSenders = 64
	// enoughRequests gives the 99.9th percentile a meaning.
	enoughRequests = 2000
)

// openLoops posts batches of 20 at fixed rates. most is the events a second that a closed loop of them reached.
func (b *bench) openLoops(most float64) (steps []*step) {
	twenty := load{senders: openSenders, messages: 20}
	senders := b.connect(b.beat(defaults), twenty)
	defer closeAll(senders)
	send := make([]func() error, len(senders))
	for i, s := range senders {
		send[i] = s.send
	}
	// The schedule sleeps in a system call. Go needs other threads at once for the senders.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for _, share := range []float64{0.1, 0.5, 0.8} {
		s := &step{share: share, schedule: schedule{rate: most * share / float64(twenty.messages)}}
		s.requests = int(s.rate * max(2*duration.Seconds(), 1))
		if !quick {
			s.requests = max(s.requests, enoughRequests)
		}
		before := b.sink.Received()
		var err error
		s.timings, err = s.run(b.t.Context(), sleepUntil, send)
		require.NoError(b.t, err, "open loop at %.0f %%", share*100)
		b.arrived(before, s.requests*twenty.messages)
		steps = append(steps, s)
		time.Sleep(time.Second) // the next rate starts with no work left over
	}
	return steps
}

// schedule says when each request of an open loop is meant to start: evenly, whatever happened to earlier requests.
type schedule struct {
	rate     float64 // requests a second
	requests int
}

// timings is how long the requests of an open loop took.
type timings struct {
	latencies []time.Duration // from the intended start to the answer
	lateness  []time.Duration // from the intended start to the actual start: the wait for a free sender, and the bench's delay
}

// run keeps the schedule with these senders. A request waits when no sender is free, and its wait counts. Without the wait, a
// blocked sender would leave out exactly the slow requests. sleep returns at a time, or when ctx ends.
func (s schedule) run(ctx context.Context, sleep func(context.Context, time.Time), send []func() error) (timings, error) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	due := make(chan time.Time, s.requests) // never full: the schedule never blocks
	found := make([]timings, len(send))
	var group sync.WaitGroup
	for n, send := range send {
		group.Go(func() {
			for intended := range due {
				if ctx.Err() != nil {
					return
				}
				started := time.Now()
				if err := send(); err != nil {
					end(err)
					return
				}
				found[n].latencies = append(found[n].latencies, time.Since(intended))
				found[n].lateness = append(found[n].lateness, started.Sub(intended))
			}
		})
	}
	start := time.Now()
	for i := 0; i < s.requests && ctx.Err() == nil; i++ {
		intended := start.Add(time.Duration(float64(i) / s.rate * float64(time.Second)))
		sleep(ctx, intended)
		due <- intended
	}
	close(due)
	group.Wait()

	var all timings
	for _, t := range found {
		all.latencies = append(all.latencies, t.latencies...)
		all.lateness = append(all.lateness, t.lateness...)
	}
	return all, context.Cause(ctx)
}
func sleepInBubble(_ context.Context, until time.Time) { time.Sleep(time.Until(until)) }

// The third of ten requests, one a second, takes five seconds and blocks the only sender. The requests after it wait.
func TestOpenLoopCountsTheWaitForABlockedSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		send := func() error {
			n++
			time.Sleep(10 * time.Millisecond)
			if n == 3 {
				time.Sleep(5*time.Second - 10*time.Millisecond)
			}
			return nil
		}
		start := time.Now()
		found, err := schedule{rate: 1, requests: 10}.run(t.Context(), sleepInBubble, []func() error{send})
		require.NoError(t, err)
		ms := func(values ...int) (want []time.Duration) {
			for _, v := range values {
				want = append(want, time.Duration(v)*time.Millisecond)
			}
			return want
		}
		require.Equal(t, ms(10, 10, 5000, 4010, 3020, 2030, 1040, 50, 10, 10), found.latencies)
		require.Equal(t, ms(0, 0, 0, 4000, 3010, 2020, 1030, 40, 0, 0), found.lateness)
		require.Equal(t, 9010*time.Millisecond, time.Since(start))
	})
}

func TestOpenLoopWithASenderFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		send := func() error {
			time.Sleep(300 * time.Millisecond)
			return nil
		}
		found, err := schedule{rate: 10, requests: 20}.run(t.Context(), sleepInBubble, []func() error{send, send, send, send})
		require.NoError(t, err)
		require.Len(t, found.latencies, 20)
		for _, took := range found.latencies {
			require.Equal(t, 300*time.Millisecond, took)
		}
	})
}

func TestOpenLoopEndsWithTheFirstFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("refused")
		start := time.Now()
		_, err := schedule{rate: 1, requests: 1000}.run(t.Context(), sleepInBubble, []func() error{func() error { return refused }})
		require.ErrorIs(t, err, refused)
		require.LessOrEqual(t, time.Since(start), time.Second)
	})
}

func TestSleepUntilEnds(t *testing.T) {
	start := time.Now()
	sleepUntil(t.Context(), start.Add(2*time.Millisecond))
	require.GreaterOrEqual(t, time.Since(start), 2*time.Millisecond)
	ended, end := context.WithCancel(t.Context())
	end()
	sleepUntil(ended, time.Now().Add(time.Hour))
}
