package inflight_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/txn2/rtbeat/internal/inflight"
)

func TestInFlightIsHighFromNineTenthsToThreeQuarters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := inflight.NewAdmission(1000)
		requireHigh := func(age time.Duration, times uint64, high bool) {
			t.Helper()
			gotAge, gotTimes, got := a.High()
			require.Equal(t, high, got)
			require.Equal(t, times, gotTimes)
			require.Equal(t, age, gotAge)
		}
		r := open(t, a, -1)
		require.NoError(t, r.Grow(899))
		requireHigh(0, 0, false)
		require.NoError(t, r.Grow(1))
		requireHigh(0, 1, true)
		time.Sleep(3 * time.Second)
		r.GiveBack(149)
		requireHigh(3*time.Second, 1, true)
		require.NoError(t, r.Grow(149))
		requireHigh(3*time.Second, 1, true)
		r.GiveBack(150)
		requireHigh(0, 1, false)
		require.NoError(t, r.Grow(149))
		requireHigh(0, 1, false)
		require.NoError(t, r.Grow(1))
		requireHigh(0, 2, true)
		r.Release()
		requireHigh(0, 2, false)
	})
}

// The eviction of a body ends high as well.
func TestEvictionEndsHigh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := inflight.NewAdmission(100)
		slow := open(t, a, 95)
		slow.BeginRead(func() {})
		require.NoError(t, slow.Grow(95))
		time.Sleep(2 * time.Second)
		_, _, high := a.High()
		require.True(t, high)
		open(t, a, 10)
		_, _, high = a.High()
		require.False(t, high)
		slow.Release()
	})
}

// For each limit, high depends on the bytes in flight alone.
func TestHighFollowsTheBytesInFlight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Int64Range(1, 300).Draw(t, "limit")
		a := inflight.NewAdmission(limit)
		r, err := a.Open(-1)
		require.NoError(t, err)
		want := false
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			n := rapid.Int64Range(0, limit).Draw(t, "n")
			if rapid.Bool().Draw(t, "grow") {
				_ = r.Grow(n) // an error beyond the limit changes nothing
			} else {
				r.GiveBack(n)
			}
			used := a.Used()
			switch {
			case used >= limit-limit/10:
				want = true
			case used <= limit-limit/4:
				want = false
			}
			_, _, high := a.High()
			require.Equal(t, want, high, "%d of %d", used, limit)
		}
	})
}

func TestHighIsReadWhileItChanges(t *testing.T) {
	a := inflight.NewAdmission(1000)
	var readers sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if age, times, high := a.High(); high && (times == 0 || age < 0) {
					panic("high without a beginning")
				}
			}
		})
	}
	r := open(t, a, -1)
	for range 2000 {
		require.NoError(t, r.Grow(950))
		r.GiveBack(950)
	}
	close(done)
	readers.Wait()
	_, times, high := a.High()
	require.False(t, high)
	require.EqualValues(t, 2000, times)
}
