package pace

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

const step = 100 * time.Microsecond

func begun(processors int) (p Pace) {
	p.begin(processors)
	return p
}

// compute takes d in steps, and returns how long it took with its rests.
func compute(p *Pace, d, step time.Duration) time.Duration {
	start := time.Now()
	for range d / step {
		time.Sleep(step) // what passes for work where time is not real
		p.Step()
	}
	return time.Since(start)
}

func TestAShortComputationIsNotHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := begun(1)
		require.Equal(t, head, compute(&p, head, step))
	})
}

func TestALongOneRestsForAsLongAsItWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := begun(1)
		compute(&p, head, step)
		require.Equal(t, 20*time.Millisecond, compute(&p, 10*time.Millisecond, step))
	})
}

func TestWhatTookLongWasNotOwnWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := begun(1)
		compute(&p, head, step)
		require.Equal(t, time.Second+rest, compute(&p, time.Second, time.Second))
	})
}

func TestWaitingIsRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := begun(1)
		compute(&p, head, step)
		start := time.Now()
		for range 100 {
			time.Sleep(slice - time.Nanosecond)
			p.Rested()
			time.Sleep(time.Nanosecond)
			p.Step()
		}
		require.Equal(t, 100*slice, time.Since(start))
	})
}

func TestBesideOtherProcessorsNothingRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := begun(2)
		require.Equal(t, time.Second, compute(&p, time.Second, step))
	})
}
