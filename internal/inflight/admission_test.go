package inflight_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/txn2/rtbeat/internal/inflight"
)

func open(t *testing.T, a *inflight.Admission, n int64) *inflight.Reservation {
	t.Helper()
	reservation, err := a.Open(n)
	require.NoError(t, err)
	return reservation
}

func TestAdmissionRefusesOverTheLimit(t *testing.T) {
	a := inflight.NewAdmission(100)
	first := open(t, a, 60)
	require.NoError(t, first.Grow(60))
	second := open(t, a, 40)
	require.NoError(t, second.Grow(40))
	require.ErrorIs(t, second.Grow(1), inflight.ErrFull)
	require.EqualValues(t, 100, a.Used(), "a refused byte is not counted")

	first.Release()
	first.Release()
	require.EqualValues(t, 40, a.Used(), "released once")
	require.NoError(t, second.Grow(60))
	require.ErrorIs(t, second.Grow(1), inflight.ErrTooLarge, "more than the limit")
	second.GiveBack(30)
	require.EqualValues(t, 70, a.Used())
	require.NoError(t, second.Grow(30))
}

func TestAdmissionRefusesAnAnnouncedLength(t *testing.T) {
	a := inflight.NewAdmission(100)
	first := open(t, a, 70)
	require.Zero(t, a.Used(), "an announcement takes no bytes")
	require.NoError(t, first.Grow(70))
	_, err := a.Open(31)
	require.ErrorIs(t, err, inflight.ErrFull)
	_, err = a.Open(30)
	require.NoError(t, err)
	require.NoError(t, first.Grow(30))
	_, err = a.Open(101)
	require.ErrorIs(t, err, inflight.ErrTooLarge)
	_, err = a.Open(-1)
	require.ErrorIs(t, err, inflight.ErrFull, "of unknown length, without space for a byte")
}

// Once full, Admission opens no reservation until an eighth is free. An open reservation may still grow.
func TestAdmissionDoesNotFlap(t *testing.T) {
	a := inflight.NewAdmission(100)
	reading := open(t, a, 10)
	waiting := open(t, a, 95)
	require.NoError(t, waiting.Grow(95))
	_, err := a.Open(10)
	require.ErrorIs(t, err, inflight.ErrFull)

	waiting.GiveBack(6)
	_, err = a.Open(1)
	require.ErrorIs(t, err, inflight.ErrFull, "89 of 100 are in flight")
	require.NoError(t, reading.Grow(10), "it was open before")
	waiting.GiveBack(11)
	_ = open(t, a, 1)
	require.EqualValues(t, 88, a.Used())

	require.ErrorIs(t, reading.Grow(13), inflight.ErrFull)
	_ = open(t, a, 1) // an eighth is free
	require.NoError(t, reading.Grow(12))
	require.ErrorIs(t, reading.Grow(1), inflight.ErrFull)
	waiting.GiveBack(11)
	_, err = a.Open(1)
	require.ErrorIs(t, err, inflight.ErrFull, "a body that did not fit makes it full as well")
}

// The bytes in flight are the sum of all reservations, and at most the limit.
func TestAdmissionKeepsItsLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Int64Range(1, 1000).Draw(t, "limit")
		a := inflight.NewAdmission(limit)
		held := map[*inflight.Reservation]int64{}
		var list []*inflight.Reservation
		sum := func() (n int64) {
			for _, h := range held {
				n += h
			}
			return n
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			n := rapid.Int64Range(0, limit+10).Draw(t, "n")
			if len(list) == 0 || rapid.Bool().Draw(t, "open") {
				before := a.Used()
				r, err := a.Open(n)
				switch {
				case err == nil:
					held[r], list = 0, append(list, r)
				case before <= limit-limit/8 && before+max(n, 1) <= limit:
					t.Fatalf("refused %d beside %d of %d", n, before, limit)
				}
				continue
			}
			r := rapid.SampledFrom(list).Draw(t, "r")
			switch rapid.IntRange(0, 2).Draw(t, "step") {
			case 0:
				if err := r.Grow(n); err == nil {
					held[r] += n
				} else if sum()+n <= limit {
					t.Fatalf("no space for %d beside %d of %d", n, sum(), limit)
				}
			case 1:
				r.GiveBack(n)
				held[r] -= min(n, held[r])
			case 2:
				r.Release()
				held[r] = 0
			}
			if a.Used() != sum() || a.Used() > limit {
				t.Fatalf("%d used, %d held, of %d", a.Used(), sum(), limit)
			}
		}
	})
}

// Large batches leave the last quarter to small ones, with an announced length and without. A refused large batch does not make
// Admission full.
func TestAdmissionKeepsSpaceForSmallBatches(t *testing.T) {
	const mib = 1 << 20
	a := inflight.NewAdmission(32 * mib)
	alone := open(t, a, 32*mib)
	require.NoError(t, alone.Grow(30*mib), "alone, a batch may take all of it")
	alone.Release()

	first := open(t, a, 10*mib)
	require.NoError(t, first.Grow(10*mib))
	second := open(t, a, 14*mib)
	require.NoError(t, second.Grow(14*mib))
	require.ErrorIs(t, second.Grow(1), inflight.ErrFull)
	_, err := a.Open(mib)
	require.ErrorIs(t, err, inflight.ErrFull)
	unannounced := open(t, a, -1)
	require.NoError(t, unannounced.Grow(mib/2))
	require.ErrorIs(t, unannounced.Grow(1), inflight.ErrFull, "half a MiB is small, more is not")

	for range 15 {
		require.NoError(t, open(t, a, mib/2).Grow(mib/2))
	}
	require.EqualValues(t, 32*mib, a.Used())
	_, err = a.Open(1)
	require.ErrorIs(t, err, inflight.ErrFull)
}

func TestAdmissionEvictsTheSlowestBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := inflight.NewAdmission(100)
		stopped := ""
		reading := func(name string, n int64) *inflight.Reservation {
			r := open(t, a, n)
			r.BeginRead(func() { stopped += name })
			require.NoError(t, r.Grow(n))
			time.Sleep(time.Millisecond)
			return r
		}
		complete := open(t, a, 10)
		complete.BeginRead(func() { stopped += "complete" })
		require.NoError(t, complete.Grow(10))
		time.Sleep(time.Millisecond)
		first, second, third := reading("1", 40), reading("2", 20), reading("3", 30)
		require.True(t, complete.EndRead())
		_, err := a.Open(1)
		require.ErrorIs(t, err, inflight.ErrFull, "none of them is slow yet")

		time.Sleep(time.Second - 2*time.Millisecond)
		small := open(t, a, 20)
		require.Equal(t, "1", stopped)
		require.EqualValues(t, 60, a.Used())
		require.ErrorIs(t, first.Grow(1), inflight.ErrFull)
		require.False(t, first.EndRead())
		require.NoError(t, small.Grow(20))

		require.True(t, third.EndRead())
		time.Sleep(time.Millisecond)
		require.NoError(t, small.Grow(40), "the second body is evicted")
		require.Equal(t, "12", stopped)
		require.EqualValues(t, 100, a.Used())
		time.Sleep(time.Hour)
		_, err = a.Open(1)
		require.ErrorIs(t, err, inflight.ErrFull, "a complete body is not evicted")
		require.Equal(t, "12", stopped)
		for _, r := range []*inflight.Reservation{complete, first, second, third, small} {
			r.Release()
		}
		require.Zero(t, a.Used())
	})
}

func TestTheSlowestBodyDoesNotEvictOthersForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := inflight.NewAdmission(100)
		oldest, other := open(t, a, 50), open(t, a, 50)
		stopped := 0
		oldest.BeginRead(func() { stopped++ })
		other.BeginRead(func() { require.Fail(t, "it is younger") })
		require.NoError(t, oldest.Grow(50))
		require.NoError(t, other.Grow(50))
		time.Sleep(2 * time.Second)
		require.ErrorIs(t, oldest.Grow(1), inflight.ErrFull)
		require.Equal(t, 1, stopped)
		require.EqualValues(t, 50, a.Used())
		oldest.Release()
		other.Release()
	})
}

// No body is evicted for a batch that does not fit even then.
func TestNoBodyIsEvictedInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := inflight.NewAdmission(100)
		waiting, slow := open(t, a, 60), open(t, a, 30)
		require.NoError(t, waiting.Grow(60))
		slow.BeginRead(func() { require.Fail(t, "its eviction frees too little") })
		require.NoError(t, slow.Grow(30))
		time.Sleep(2 * time.Second)
		_, err := a.Open(50)
		require.ErrorIs(t, err, inflight.ErrFull)
		require.EqualValues(t, 90, a.Used())
		require.True(t, slow.EndRead())
	})
}
