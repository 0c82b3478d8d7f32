package diskqueue

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/dedupe"
	"github.com/txn2/rtbeat/internal/inflight"
)

func open(t testing.TB, s Settings) *Queue {
	t.Helper()
	q, err := Open(s)
	require.NoError(t, err)
	return q
}

// unlessShort returns the first number, and the second one with -short.
func unlessShort(whole, short int) int {
	if testing.Short() {
		return short
	}
	return whole
}

func settingsIn(dir string) Settings {
	return Settings{Path: dir, MaxBytes: 1 << 30, Dedupe: dedupe.Settings{Enabled: true, Window: time.Hour, MaxEntries: 1000}}
}

func record(body string) Record {
	return Record{
		Header: Header{Origin: inflight.Origin{Received: time.Now().UTC(), ClientIP: "192.0.2.1"}, Messages: 1, Weight: int64(len(body))},
		Body:   []byte(body),
	}
}

func keyOf(s string) (key batch.Key) {
	copy(key[:], s)
	return key
}

// drain calls Next until it returns no batch.
func drain(t testing.TB, q *Queue) (refs []Ref) {
	t.Helper()
	for {
		ref, ok, err := q.Next()
		require.NoError(t, err)
		if !ok {
			return refs
		}
		refs = append(refs, ref)
	}
}

func TestOpenFindsStoredBatchesAndNoDeletedOnes(t *testing.T) {
	dir := t.TempDir()
	q := open(t, settingsIn(dir))
	for i := range 10 {
		_, _, err := q.Append(t.Context(), record(fmt.Sprint("body ", i)), []batch.Key{keyOf(fmt.Sprint(i))}, false)
		require.NoError(t, err)
	}
	refs := drain(t, q)
	require.Len(t, refs, 10)
	for i, ref := range refs {
		r, err := q.Load(ref)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint("body ", i), string(r.Body))
		require.Equal(t, "192.0.2.1", r.Origin.ClientIP)
		if i%2 == 0 {
			q.Delete(ref)
		}
	}
	require.NoError(t, q.Close())

	q = open(t, settingsIn(dir))
	defer func() { require.NoError(t, q.Close()) }()
	require.Equal(t, 5, q.Stats().Batches)
	refs = drain(t, q)
	require.Len(t, refs, 5)
	for i, ref := range refs {
		r, err := q.Load(ref)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint("body ", 2*i+1), string(r.Body))
	}
	_, known, err := q.Append(t.Context(), record("again"), []batch.Key{keyOf("4"), keyOf("new")}, false)
	require.NoError(t, err)
	require.Equal(t, []int{0}, known, "delivered before the restart")
	refs = drain(t, q)
	require.Len(t, refs, 1)
	r, err := q.Load(refs[0])
	require.NoError(t, err)
	require.Equal(t, []int{0}, r.Skip)
}

func TestSegmentsAreMadeAndRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := settingsIn(dir)
	s.MaxBytes = 64 << 20
	q := open(t, s)
	body := string(bytes.Repeat([]byte("x"), 200<<10))
	stored := 0
	for ; ; stored++ {
		if _, _, err := q.Append(t.Context(), record(body), []batch.Key{keyOf(fmt.Sprint(stored))}, false); err != nil {
			require.ErrorIs(t, err, ErrFull)
			break
		}
	}
	require.Greater(t, stored, 200, "of 327 that fit into 64 MiB")
	_, err := q.Trouble()
	require.ErrorIs(t, err, ErrFull)
	require.NoError(t, q.Close())

	q = open(t, s)
	refs := drain(t, q)
	require.Len(t, refs, stored)
	for _, ref := range refs {
		_, err := q.Load(ref)
		require.NoError(t, err)
		q.Delete(ref)
	}
	require.Eventually(t, func() bool { return q.Stats().Batches == 0 }, 5*time.Second, time.Millisecond)
	require.Eventually(t, func() bool {
		files, err := filepath.Glob(filepath.Join(dir, "*.db"))
		require.NoError(t, err)
		return len(files) == 1
	}, 5*time.Second, time.Millisecond)
	_, known, err := q.Append(t.Context(), record("x"), []batch.Key{keyOf("0"), keyOf("17"), keyOf("n")}, false)
	require.NoError(t, err)
	require.Equal(t, []int{0, 1}, known, "the keys outlive their segments")
	require.NoError(t, q.Close())
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{300, 150_000} {
		for _, senders := range []int{1, 16} {
			b.Run(fmt.Sprintf("bytes=%d/senders=%d", size, senders), func(b *testing.B) {
				s := settingsIn(b.TempDir())
				s.MaxBytes, s.Dedupe.MaxEntries = 10<<30, 1<<18
				q := open(b, s)
				defer func() { require.NoError(b, q.Close()) }()
				ctx, cancel := context.WithCancel(b.Context())
				var drainer, g sync.WaitGroup
				drainer.Go(func() {
					for ctx.Err() == nil {
						for ref, ok, _ := q.Next(); ok; ref, ok, _ = q.Next() {
							_, _ = q.Load(ref)
							q.Delete(ref)
						}
						select {
						case <-q.Added():
						case <-ctx.Done():
						}
					}
				})
				body := string(bytes.Repeat([]byte("x"), size))
				work := make(chan int)
				for range senders {
					g.Go(func() {
						for n := range work {
							keys := make([]batch.Key, max(size/300, 1))
							for i := range keys {
								keys[i] = keyOf(fmt.Sprint(n, i))
							}
							_, _, err := q.Append(ctx, record(body), keys, false)
							require.NoError(b, err)
						}
					})
				}
				n := 0
				for b.Loop() {
					work <- n
					n++
				}
				close(work)
				g.Wait()
				cancel()
				drainer.Wait()
			})
		}
	}
}
