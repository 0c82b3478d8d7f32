package diskqueue

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Stats opens a file only after a deletion from it: opening it reads all of it, and a stalled output leaves it closed.
func TestStatsKeepsTheAgeOfTheOldestBatch(t *testing.T) {
	s := settingsIn(t.TempDir())
	q := open(t, s)
	add := func(age time.Duration) Ref {
		r := record("x")
		r.Origin.Received = time.Now().Add(-age)
		ref, _, err := q.Append(t.Context(), r, nil, false)
		require.NoError(t, err)
		return ref
	}
	requireOldest := func(age time.Duration, isRead bool) {
		t.Helper()
		file := q.segments[0]
		file.close()
		require.InDelta(t, age.Seconds(), q.Stats().Oldest.Seconds(), 60)
		file.use.RLock()
		defer file.use.RUnlock()
		require.Equal(t, isRead, file.db != nil)
	}
	first, second := add(5*time.Hour), add(4*time.Hour)
	third := add(3 * time.Hour)
	requireOldest(5*time.Hour, true)
	requireOldest(5*time.Hour, false)
	add(2 * time.Hour)
	requireOldest(5*time.Hour, false)

	remove := func(ref Ref) {
		left := q.Counts().Batches - 1
		q.Delete(ref)
		require.Eventually(t, func() bool { return q.Counts().Batches == left }, 10*time.Second, time.Millisecond)
	}
	remove(first)
	requireOldest(4*time.Hour, true)
	requireOldest(4*time.Hour, false)
	remove(third)
	requireOldest(4*time.Hour, true)
	remove(second)
	requireOldest(2*time.Hour, true)

	require.NoError(t, q.Close())
	q = open(t, s)
	requireOldest(2*time.Hour, true)
	requireOldest(2*time.Hour, false)
	require.NoError(t, q.Close())
	require.InDelta(t, (2 * time.Hour).Seconds(), q.Stats().Oldest.Seconds(), 60)
}
