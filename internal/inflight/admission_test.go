package inflight_test

import (
	"testing"

	"github.com/stretchr/testify/require"

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
}

func TestAdmissionKnowsFromTheAnnouncedLength(t *testing.T) {
	a := inflight.NewAdmission(100)
	first := open(t, a, 90)
	require.Zero(t, a.Used(), "a promise costs nothing")
	require.NoError(t, first.Grow(90))
	_, err := a.Open(11)
	require.ErrorIs(t, err, inflight.ErrFull)
	_, err = a.Open(10)
	require.NoError(t, err)
	require.NoError(t, first.Grow(10))
	_, err = a.Open(-1)
	require.ErrorIs(t, err, inflight.ErrFull, "of unknown length, and there is no room for a byte")
}

func TestAdmissionTakesOneLargerThanTheLimitWhenAlone(t *testing.T) {
	a := inflight.NewAdmission(100)
	large := open(t, a, 250)
	require.NoError(t, large.Grow(64))
	require.NoError(t, large.Grow(186))
	require.EqualValues(t, 250, a.Used())
	_, err := a.Open(1)
	require.ErrorIs(t, err, inflight.ErrFull)
	large.Release()

	small := open(t, a, 1)
	require.NoError(t, small.Grow(1))
	_, err = a.Open(250)
	require.ErrorIs(t, err, inflight.ErrFull, "not while something else is in flight")
}
