package dedupe

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/batch"
)

func numberedKey(n int) (key batch.Key) {
	binary.BigEndian.PutUint64(key[:], uint64(n))
	return key
}

// The queue grows and shrinks by chunks, the numbers of its entries wrap, and it stays in order.
func TestTheOldestIsForgottenFirst(t *testing.T) {
	const limit = 2 * chunkLength
	d := NewWindow(time.Hour, limit)
	d.oldest = math.MaxUint32 - chunkLength
	oldest, newest := 0, 0 // [oldest, newest) is remembered
	for range 60 {
		for range 100 {
			d.Add(numberedKey(newest), time.Duration(newest))
			newest++
		}
		oldest = max(oldest, newest-limit)
		for range 40 {
			d.forgetOldest()
		}
		oldest += 40
		now := time.Duration(newest)
		require.Equal(t, newest-oldest, d.Len(now))
		for _, n := range []int{oldest - 1, newest} {
			require.False(t, d.Find(numberedKey(n), now), n)
		}
		for n := oldest; n < newest; n++ {
			require.True(t, d.Find(numberedKey(n), now), n)
		}
	}
	require.Equal(t, 10, d.Len(time.Hour+time.Duration(newest-10)))
}

// An entry older than the window is not found, forgotten or not.
func TestAnEntryOlderThanTheWindowIsNotFound(t *testing.T) {
	const window = time.Minute
	d := NewWindow(window, 100)
	d.Add(numberedKey(1), 0)
	d.Add(numberedKey(2), 0)
	d.Add(numberedKey(3), 0)
	d.Add(numberedKey(4), time.Second)
	requireFound := func(now time.Duration, want ...int) {
		t.Helper()
		var found []int
		for n := range 6 {
			if d.Find(numberedKey(n), now) {
				found = append(found, n)
			}
		}
		require.Equal(t, want, found)
		require.Equal(t, len(want), d.Len(now))
	}
	requireFound(window, 1, 2, 3, 4)
	requireFound(window+1, 4)

	// 3 is delivered again while its old entry is there, and outlives it.
	now := window + 2
	d.Add(numberedKey(3), now)
	require.Equal(t, 3, d.length, "1 and 2 are forgotten; the old 3 is not")
	requireFound(now, 3, 4)
	d.Add(numberedKey(5), now)
	require.Equal(t, 3, d.length)
	requireFound(now, 3, 4, 5)
	requireFound(now+window, 3, 5)
	requireFound(now + window + 1)
}

// Each call forgets a few entries at most, and moves none, however many there are.
func TestNoCallForgetsManyEntries(t *testing.T) {
	const entries, window = 100_000, time.Minute
	d := NewWindow(window, entries)
	d.Add(numberedKey(0), 0)
	first := d.entry(0)
	for n := 1; n < entries; n++ {
		d.Add(numberedKey(n), 0)
	}
	require.Same(t, first, d.entry(0), "it has moved")
	require.Equal(t, entries, d.Len(0))

	now := window + 1
	require.Zero(t, d.Len(now))
	require.Equal(t, entries, d.length, "counting forgets nothing")
	for n := range 100 {
		before, chunks := d.length, len(d.chunks)
		d.Add(numberedKey(n), now)
		require.Equal(t, forgetPerAdd-1, before-d.length, "forgotten less added")
		require.LessOrEqual(t, len(d.chunks), chunks+1)
		require.Equal(t, n+1, d.Len(now))
	}

	// In the end all entries are forgotten, and their memory is free.
	for n := range entries {
		d.Add(numberedKey(entries+n), now)
	}
	for n := range entries/(forgetPerAdd-1) + 1 {
		now += window + 1
		d.Add(numberedKey(-n-1), now)
	}
	require.LessOrEqual(t, d.length, forgetPerAdd)
	require.LessOrEqual(t, len(d.index), forgetPerAdd)
	require.LessOrEqual(t, len(d.chunks), 2)
}

// BenchmarkWindowBytes measures the memory of one remembered message, for docs/configuration.md.
func BenchmarkWindowBytes(b *testing.B) {
	for _, n := range []int{100_000, 200_000, 1 << 18, 300_000} {
		b.Run(fmt.Sprint("entries=", n), func(b *testing.B) {
			for b.Loop() {
				before := heapBytes()
				d := NewWindow(time.Hour, n)
				for i := range 5 * n {
					d.Add(numberedKey(i*0x9E3779B9), 0)
				}
				b.ReportMetric(float64(heapBytes()-before)/float64(n), "B/entry")
				d.Len(0)
			}
		})
	}
}
