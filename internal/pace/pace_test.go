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
		time.Sleep(step) // stands for work under fake time
		p.Step()
	}
	return time.Since(start)
}

func TestAShortComputationDoesNotRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := begun(1)
		require.Equal(t, head-step, compute(&p, head-step, step))
	})
}

func TestALongComputationRestsForTwiceAsLongAsItWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := begun(1)
		require.Equal(t, head+rest, compute(&p, head, step))
		require.Equal(t, 30*time.Millisecond, compute(&p, 10*time.Millisecond, step))
	})
}

// A rest takes longer under load, and with a coarse clock of the runtime.
func TestTheSliceIsHalfOfTheLastRest(t *testing.T) {
	for took, want := range map[time.Duration]time.Duration{0: shortest, rest * 3 / 2: rest * 3 / 4, time.Second: longest} {
		synctest.Test(t, func(t *testing.T) {
			p := begun(1)
			p.resumed = time.Now().Add(rest - took) // as if the sleep to come had taken that much longer
			p.rest()
			require.Equal(t, want, p.slice)
		})
	}
}

func TestWithSeveralProcessorsNothingRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := begun(2)
		require.Equal(t, time.Second, compute(&p, time.Second, step))
	})
}
