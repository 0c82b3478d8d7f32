package inflight

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
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
	d := newRemembered(time.Hour, limit)
	d.oldest = math.MaxUint32 - chunkLength
	oldest, newest := 0, 0 // [oldest, newest) is remembered
	for range 60 {
		for range 100 {
			d.add(numberedKey(newest), time.Duration(newest))
			newest++
		}
		oldest = max(oldest, newest-limit)
		for range 40 {
			d.forgetOldest()
		}
		oldest += 40
		now := time.Duration(newest)
		require.Equal(t, newest-oldest, d.live(now))
		for _, n := range []int{oldest - 1, newest} {
			require.False(t, d.find(numberedKey(n), now), n)
		}
		for n := oldest; n < newest; n++ {
			require.True(t, d.find(numberedKey(n), now), n)
		}
	}
	require.Equal(t, 10, d.live(time.Hour+time.Duration(newest-10)))
}

// An entry older than the window is not found, forgotten or not.
func TestWhatIsOlderThanTheWindowIsNotFound(t *testing.T) {
	const window = time.Minute
	d := newRemembered(window, 100)
	d.add(numberedKey(1), 0)
	d.add(numberedKey(2), 0)
	d.add(numberedKey(3), 0)
	d.add(numberedKey(4), time.Second)
	requireFound := func(now time.Duration, want ...int) {
		t.Helper()
		var found []int
		for n := range 6 {
			if d.find(numberedKey(n), now) {
				found = append(found, n)
			}
		}
		require.Equal(t, want, found)
		require.Equal(t, len(want), d.live(now))
	}
	requireFound(window, 1, 2, 3, 4)
	requireFound(window+1, 4)

	// 3 is delivered again while its old entry is there, and outlives it.
	now := window + 2
	d.add(numberedKey(3), now)
	require.Equal(t, 3, d.length, "1 and 2 are forgotten; the old 3 is not")
	requireFound(now, 3, 4)
	d.add(numberedKey(5), now)
	require.Equal(t, 3, d.length)
	requireFound(now, 3, 4, 5)
	requireFound(now+window, 3, 5)
	requireFound(now + window + 1)
}

// No call forgets more than a few entries for each that it adds, and none moves entries, however many there are.
func TestNoCallForgetsManyEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const entries, window = 100_000, time.Minute
		r := NewRegistry(Settings{Join: true, Window: window, MaxEntries: entries})
		deliver := func(n int) {
			reservation, err := NewAdmission(1).Open(0)
			require.NoError(t, err)
			token, err := r.Claim([]batch.Message{{UUID: "u", Raw: fmt.Append(nil, n)}}, Origin{}, reservation)
			require.NoError(t, err)
			_, e, ok := token.Next()
			require.True(t, ok)
			r.Ack([]any{e})
			token.Withdraw()
		}
		deliver(0)
		first := r.delivered.entry(0)
		for n := 1; n < entries; n++ {
			r.delivered.add(numberedKey(n), r.now())
		}
		require.Same(t, first, r.delivered.entry(0), "it has moved")
		require.Equal(t, entries, r.Entries())

		time.Sleep(window + 1)
		require.Zero(t, r.Entries())
		require.Equal(t, entries, r.delivered.length, "counting forgets nothing")
		for n := range 100 {
			before, chunks := r.delivered.length, len(r.delivered.chunks)
			deliver(n) // 0 is not known any more
			require.Equal(t, forgetPerAdd-1, before-r.delivered.length, "forgotten, less what was added")
			require.LessOrEqual(t, len(r.delivered.chunks), chunks+1)
			require.Equal(t, n+1, r.Entries())
		}

		// In the end all of it is forgotten, and its memory given back.
		for n := range entries {
			r.delivered.add(numberedKey(entries+n), r.now())
		}
		time.Sleep(window + 1)
		for n := range entries/(forgetPerAdd-1) + 1 {
			r.delivered.add(numberedKey(-n), r.now())
			time.Sleep(window + 1)
		}
		require.LessOrEqual(t, r.delivered.length, forgetPerAdd)
		require.LessOrEqual(t, len(r.delivered.index), forgetPerAdd)
		require.LessOrEqual(t, len(r.delivered.chunks), 2)
	})
}

// What one remembered message costs, while others come and go: docs/configuration.md says so.
func BenchmarkRememberedBytes(b *testing.B) {
	for _, n := range []int{100_000, 200_000, 1 << 18, 300_000} {
		b.Run(fmt.Sprint("entries=", n), func(b *testing.B) {
			for b.Loop() {
				before := heapBytes()
				d := newRemembered(time.Hour, n)
				for i := range 5 * n {
					d.add(numberedKey(i*0x9E3779B9), 0)
				}
				b.ReportMetric(float64(heapBytes()-before)/float64(n), "B/entry")
				d.live(0)
			}
		})
	}
}
