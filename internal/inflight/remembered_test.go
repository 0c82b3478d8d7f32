package inflight

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/batch"
)

func numberedKey(n int) (key batch.Key) {
	binary.BigEndian.PutUint64(key[:], uint64(n))
	return key
}

// The ring wraps, grows while it is wrapped, and stays in order.
func TestTheOldestIsForgottenFirstHoweverTheRingLies(t *testing.T) {
	d := newRemembered(time.Hour, 1900)
	oldest, newest := 0, 0 // [oldest, newest) is remembered
	for range 30 {
		for range 100 {
			d.add(numberedKey(newest), newest%3 == 0, time.Duration(newest))
			newest++
		}
		for range 40 {
			d.forgetOldest()
		}
		oldest += 40
		require.Equal(t, newest-oldest, d.len())
		for _, n := range []int{oldest - 1, newest} {
			_, ok := d.find(numberedKey(n))
			require.False(t, ok, n)
		}
		for n := oldest; n < newest; n++ {
			filtered, ok := d.find(numberedKey(n))
			require.True(t, ok, n)
			require.Equal(t, n%3 == 0, filtered)
		}
	}
	d.expire(time.Hour + time.Duration(newest-10))
	require.Equal(t, 10, d.len())
}

// What one remembered message costs, while others come and go: docs/configuration.md says so.
func BenchmarkRememberedBytes(b *testing.B) {
	for _, n := range []int{100_000, 200_000, 1 << 18, 300_000} {
		b.Run(fmt.Sprint("entries=", n), func(b *testing.B) {
			for b.Loop() {
				before := heapBytes()
				d := newRemembered(time.Hour, n)
				for i := range 5 * n {
					d.add(numberedKey(i*0x9E3779B9), false, 0)
				}
				b.ReportMetric(float64(heapBytes()-before)/float64(n), "B/entry")
				d.expire(2 * time.Hour)
			}
		})
	}
}
