package diskqueue

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/batch"
)

func TestAppendEndsWithItsContextAndWithTheQueue(t *testing.T) {
	s := settingsIn(t.TempDir())
	q := open(t, s)
	cause := errors.New("a cause")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	for range 20 { // the select may take either
		if _, _, err := q.Append(ctx, record("x"), nil, false); err != nil {
			require.ErrorIs(t, err, cause)
		}
	}
	var senders sync.WaitGroup
	var mu sync.Mutex
	stored := make(map[string]bool)
	for g := range 50 {
		senders.Go(func() {
			for i := 0; ; i++ {
				body := fmt.Sprint("body ", g, i)
				_, _, err := q.Append(t.Context(), record(body), nil, false)
				if err != nil {
					require.ErrorIs(t, err, ErrClosed)
					return
				}
				mu.Lock()
				stored[body] = true
				mu.Unlock()
			}
		})
	}
	require.Eventually(t, func() bool { return q.Stats().Batches > 200 }, 10*time.Second, time.Millisecond)
	require.NoError(t, q.Close())
	senders.Wait()
	_, _, err := q.Append(t.Context(), record("x"), nil, false)
	require.ErrorIs(t, err, ErrClosed)
	before := q.Stats().Batches

	q = open(t, s)
	found := bodies(t, q)
	require.Len(t, found, before)
	for _, body := range found {
		delete(stored, body)
	}
	require.Empty(t, stored)
	require.NoError(t, q.Close())
}

// Stats during Close leaves no file open.
func TestStatsDuringClose(t *testing.T) {
	s := settingsIn(t.TempDir())
	for range 20 {
		q := open(t, s)
		_, _, err := q.Append(t.Context(), record("x"), nil, false)
		require.NoError(t, err)
		var looking sync.WaitGroup
		for range 4 {
			looking.Go(func() {
				for range 50 {
					q.Stats()
				}
			})
		}
		require.NoError(t, q.Close())
		looking.Wait()
		for _, segment := range q.segments {
			require.Nil(t, segment.db)
			require.ErrorIs(t, segment.open(), errGone)
		}
	}
}

// An empty segment keeps its name. The next segment must have another name, else it would be removed with the empty one.
func TestASegmentAfterAnEmptyOne(t *testing.T) {
	s := settingsIn(t.TempDir())
	s.Dedupe.Window = 0 // no keys stay in the segment
	q := open(t, s)
	_, _, err := q.Append(t.Context(), record("small"), nil, false)
	require.NoError(t, err)
	for _, ref := range drain(t, q) {
		q.Delete(ref)
	}
	require.NoError(t, q.Close())

	q = open(t, s)
	large := strings.Repeat("x", 60<<20) // not in the first segment
	_, _, err = q.Append(t.Context(), record(large), nil, false)
	require.NoError(t, err)
	require.NoError(t, q.Close())

	q = open(t, s)
	found := bodies(t, q)
	require.Len(t, found, 1)
	require.True(t, found[0] == large) //nolint:testifylint // it is too large to be printed
	require.NoError(t, q.Close())
}

func TestOtherFilesStayAndIncompleteSegmentsGo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a [directory]", "b")
	q := open(t, settingsIn(dir))
	_, _, err := q.Append(t.Context(), record("x"), nil, false)
	require.NoError(t, err)
	require.NoError(t, q.Close())
	unfinished := segmentPath(dir, 7) + unfinishedSuffix
	others := []string{filepath.Join(dir, "7.db"), filepath.Join(dir, "notes.db"), segmentPath(dir, 8) + ".bak"}
	for _, path := range append(others, unfinished) {
		require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
	}
	q = open(t, settingsIn(dir))
	require.Equal(t, []string{"x"}, bodies(t, q))
	require.NoError(t, q.Close())
	require.NoFileExists(t, unfinished)
	for _, path := range others {
		require.FileExists(t, path)
	}
}

// Open reads the newest keys back, although older keys were moved to a newer segment.
func TestTheNewestKeysAreKnownAfterAReopening(t *testing.T) {
	s := settingsIn(t.TempDir())
	s.Dedupe.MaxEntries = 100
	q := open(t, s)
	q.segmentBytes = 64 << 10
	for i := range 500 {
		_, _, err := q.Append(t.Context(), record(fmt.Sprint(i, strings.Repeat("x", 1000))), []batch.Key{keyOf(fmt.Sprint(i))}, false)
		require.NoError(t, err)
		if ref, ok, err := q.Next(); i%100 > 5 && ok {
			require.NoError(t, err)
			q.Delete(ref)
		}
	}
	require.NoError(t, q.Close())
	q = open(t, s)
	for i := range 500 {
		require.Equal(t, i >= 400, q.window.Find(keyOf(fmt.Sprint(i)), time.Since(q.start)), i)
	}
	require.NoError(t, q.Close())
}

// A segment is removed to make space for a batch that is too large even then. Its keys are kept.
func TestKeysOfASegmentThatIsRemovedToMakeSpace(t *testing.T) {
	s := settingsIn(t.TempDir())
	s.MaxBytes = 800 << 10
	q := open(t, s)
	q.segmentBytes = 256 << 10
	for i := range 3 { // a segment each
		_, _, err := q.Append(t.Context(), record(strings.Repeat("x", 100<<10)), []batch.Key{keyOf(fmt.Sprint(i))}, false)
		require.NoError(t, err)
	}
	require.Len(t, segmentFiles(t, s.Path), 3)
	for _, ref := range drain(t, q)[:2] {
		q.Delete(ref)
	}
	_, _, err := q.Append(t.Context(), record(strings.Repeat("x", 300<<10)), []batch.Key{keyOf("large")}, false)
	require.ErrorIs(t, err, ErrFull)
	require.Len(t, segmentFiles(t, s.Path), 1)
	require.NoError(t, q.Close())
	q = open(t, s)
	for i := range 3 {
		require.True(t, q.window.Find(keyOf(fmt.Sprint(i)), time.Since(q.start)), i)
	}
	require.False(t, q.window.Find(keyOf("large"), time.Since(q.start)))
	require.NoError(t, q.Close())
}

func TestSetSkip(t *testing.T) {
	s := settingsIn(t.TempDir())
	s.MaxBytes = smallestSegment
	q := open(t, s)
	var want []string
	for _, size := range []int{10, 5000, 1 << 20} {
		for _, name := range []string{"deleted", "edited", "neither"} {
			_, _, err := q.Append(t.Context(), record(fmt.Sprint(name, strings.Repeat("x", size))), nil, false)
			require.NoError(t, err)
		}
	}
	for i, ref := range drain(t, q) {
		if i%3 < 2 {
			q.SetSkip(ref, []int{1, 3})
		}
		if i%3 == 0 {
			q.Delete(ref)
			q.SetSkip(ref, []int{2})
		}
	}
	require.Eventually(t, func() bool { return q.Stats().Batches == 6 }, 10*time.Second, time.Millisecond)
	require.NoError(t, q.Close())
	require.LessOrEqual(t, filesIn(t, q), int64(s.MaxBytes), "no segment gets longer for SetSkip")
	q = open(t, s)
	for i, ref := range drain(t, q) {
		r, err := q.Load(ref)
		require.NoError(t, err)
		if i%2 == 1 {
			require.Empty(t, r.Skip)
			continue
		}
		want = append(want, fmt.Sprint(r.Skip))
	}
	require.Equal(t, []string{"[1 3]", "[1 3]"}, want[:2])
	require.NoError(t, q.Close())
}

// The keys that wait for space are no more than Dedupe.MaxEntries, however long the queue is full.
func TestKeysWithoutSegmentAreBounded(t *testing.T) {
	s := settingsIn(t.TempDir())
	s.MaxBytes, s.Dedupe.MaxEntries = 1<<20, 30_000
	q := open(t, s)
	q.segmentBytes = 256 << 10
	n := 0
	for range 3 {
		for {
			keys := make([]batch.Key, 2000)
			for i := range keys {
				keys[i] = keyOf(fmt.Sprint(n, " ", i))
			}
			n++
			if _, _, err := q.Append(t.Context(), record("x"), keys, false); err != nil {
				require.ErrorIs(t, err, ErrFull)
				break
			}
		}
		for _, ref := range drain(t, q) {
			q.Delete(ref)
		}
		require.Eventually(t, func() bool { return q.Stats().Batches == 0 }, 10*time.Second, time.Millisecond)
	}
	require.NoError(t, q.Close())
	kept := 0
	for _, k := range q.keysWithoutSegment {
		kept += countKeys(k.value)
	}
	require.Positive(t, kept)
	require.LessOrEqual(t, kept, s.Dedupe.MaxEntries)
}

// The counters of bytes do not go back, although SetSkip makes a batch longer.
func TestCountersDoNotGoBack(t *testing.T) {
	q := open(t, settingsIn(t.TempDir()))
	ref, _, err := q.Append(t.Context(), record("A"), nil, true)
	require.NoError(t, err)
	q.SetSkip(ref, []int{0})
	require.Eventually(t, func() bool { r, err := q.Load(ref); return err == nil && len(r.Skip) == 1 }, 10*time.Second, time.Millisecond)
	before := q.Stats()
	q.Delete(ref)
	require.Eventually(t, func() bool { return q.Stats().Batches == 0 }, 10*time.Second, time.Millisecond)
	after := q.Stats()
	require.Zero(t, after.Bytes)
	require.GreaterOrEqual(t, after.Stored, before.Stored)
	require.Equal(t, after.Stored, after.Deleted)
	require.NoError(t, q.Close())
}

// A batch without a key for each of its messages, or without messages, is stored.
func TestABatchWithoutKeys(t *testing.T) {
	q := open(t, settingsIn(t.TempDir()))
	for _, keys := range [][]batch.Key{nil, {}, {{}}, {{}, {}}} {
		_, known, err := q.Append(t.Context(), record("x"), keys, false)
		require.NoError(t, err)
		require.Empty(t, known)
	}
	require.Len(t, drain(t, q), 4)
	require.NoError(t, q.Close())
}
