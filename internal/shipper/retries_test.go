package shipper

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A batch that failed often does not delay a batch that is due before it.
func TestTheFirstRetryThatIsDueIsTakenFirst(t *testing.T) {
	now := time.Now()
	r := retries{due: make(chan struct{}, 1)}
	for _, failures := range []int{5, 1, 9, 3} {
		r.add(attempt{failures: failures}, now)
	}
	require.Equal(t, firstBackoff, r.nextIn(now))
	_, ok := r.take(now.Add(firstBackoff - 1))
	require.False(t, ok)
	for _, failures := range []int{1, 3, 5, 9} {
		a, ok := r.take(now.Add(lastBackoff))
		require.True(t, ok)
		require.Equal(t, failures, a.failures)
	}
	_, ok = r.take(now.Add(time.Hour))
	require.False(t, ok)
	require.Equal(t, time.Hour, r.nextIn(now))
}
