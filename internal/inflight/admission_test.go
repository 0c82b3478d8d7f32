package inflight_test

import (
	"testing"

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
	require.ErrorIs(t, second.Grow(1), inflight.ErrTooLarge, "there will never be room for it")
	second.GiveBack(30)
	require.EqualValues(t, 70, a.Used())
	require.NoError(t, second.Grow(30))
}

func TestAdmissionKnowsFromTheAnnouncedLength(t *testing.T) {
	a := inflight.NewAdmission(100)
	first := open(t, a, 70)
	require.Zero(t, a.Used(), "a promise costs nothing")
	require.NoError(t, first.Grow(70))
	_, err := a.Open(31)
	require.ErrorIs(t, err, inflight.ErrFull)
	_, err = a.Open(30)
	require.NoError(t, err)
	require.NoError(t, first.Grow(30))
	_, err = a.Open(101)
	require.ErrorIs(t, err, inflight.ErrTooLarge)
	_, err = a.Open(-1)
	require.ErrorIs(t, err, inflight.ErrFull, "of unknown length, and there is no room for a byte")
}

// Once full, nothing is let in until an eighth is free; who is in already may go on.
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
	require.NoError(t, reading.Grow(10), "it was let in before")
	waiting.GiveBack(11)
	_ = open(t, a, 1)
	require.EqualValues(t, 88, a.Used())

	require.ErrorIs(t, reading.Grow(13), inflight.ErrFull)
	_ = open(t, a, 1) // less is in flight, whatever did not fit
	require.NoError(t, reading.Grow(12))
	require.ErrorIs(t, reading.Grow(1), inflight.ErrFull)
	waiting.GiveBack(11)
	_, err = a.Open(1)
	require.ErrorIs(t, err, inflight.ErrFull, "a body that did not fit closes the door as well")
}

// Whatever happens, no more is in flight than the limit, and nothing is left of what was given back.
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
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				if err := r.Grow(n); err == nil {
					held[r] += n
				} else if sum()+n <= limit {
					t.Fatalf("no room for %d beside %d of %d", n, sum(), limit)
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
