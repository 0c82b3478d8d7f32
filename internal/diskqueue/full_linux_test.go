package diskqueue

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/txn2/rtbeat/internal/batch"
)

// smallDisk is a directory on a file system of its own.
func smallDisk(t *testing.T, bytes int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		t.Skipf("mounting a small file system takes root: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, 0)) })
	return dir
}

// fastDir is a directory in memory if there is one: a sync takes no time.
func fastDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "diskqueue") //nolint:usetesting // on another file system
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// fill appends batches until the queue is full.
func fill(t *testing.T, q *Queue, size int) (stored int) {
	t.Helper()
	for ; ; stored++ {
		_, _, err := q.Append(t.Context(), record(fmt.Sprint(stored, " ", strings.Repeat("x", size))), []batch.Key{keyOf(fmt.Sprint(size, " ", stored))}, false)
		if err != nil {
			require.ErrorIs(t, err, ErrFull)
			return stored
		}
	}
}

func noTrouble(q *Queue) func() bool {
	return func() bool { _, err := q.Trouble(); return err == nil }
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	for _, size := range []int{3000, 400_000, 40_000, 100}[:unlessShort(4, 2)] {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			dir := smallDisk(t, 6<<20)
			s := settingsIn(filepath.Join(dir, "queue"))
			s.Dedupe.MaxEntries = 1 << 20
			q := open(t, s)
			q.segmentBytes = 2 << 20
			stored := fill(t, q, size)
			require.Positive(t, stored)
			_, err := q.Trouble()
			require.ErrorIs(t, err, ErrFull)
			require.Equal(t, stored, q.Stats().Batches)
			filler, err := os.Create(filepath.Join(dir, "filler"))
			require.NoError(t, err)
			for block := make([]byte, pageSize); err == nil; {
				_, err = filler.Write(block)
			}
			require.ErrorIs(t, err, unix.ENOSPC)
			require.NoError(t, filler.Close())

			// A deletion needs no space.
			refs, left := drain(t, q), 0
			require.Len(t, refs, stored)
			for i, ref := range refs {
				if i%3 != 0 {
					q.Delete(ref)
				} else {
					left++
				}
			}
			require.Eventually(t, func() bool { return q.Stats().Batches == left }, 10*time.Second, time.Millisecond)
			require.NoError(t, q.Close())
			q = open(t, s)
			q.segmentBytes = 2 << 20
			require.Equal(t, left, q.Stats().Batches, "they are deleted on the disk")

			// The queue stores again once there is space.
			require.NoError(t, os.Remove(filler.Name()))
			for _, ref := range drain(t, q) {
				_, err := q.Load(ref)
				require.NoError(t, err)
				q.Delete(ref)
			}
			require.Eventually(t, noTrouble(q), 10*time.Second, time.Millisecond)
			known := 0
			for i := range stored {
				_, k, err := q.Append(t.Context(), record("again"), []batch.Key{keyOf(fmt.Sprint(size, " ", i))}, false)
				require.NoError(t, err)
				known += len(k)
			}
			require.Equal(t, stored, known)
			require.Positive(t, fill(t, q, size+1))
			require.NoError(t, q.Close())
		})
	}
}

// A full queue gets space again by deletions, also if all of it is one segment.
func TestMaxBytes(t *testing.T) {
	for _, size := range []int{100, 3000, 40_000, 1 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			s := settingsIn(fastDir(t))
			s.MaxBytes, s.Dedupe.MaxEntries = smallestSegment, 1<<20
			q := open(t, s)
			for range 3 {
				stored := fill(t, q, size)
				require.Positive(t, stored)
				if size > 1000 {
					require.Greater(t, stored*size, smallestSegment/2, "most of the file is used")
				}
				require.LessOrEqual(t, filesIn(t, q), int64(s.MaxBytes))
				refs := drain(t, q)
				require.Len(t, refs, stored)
				for i, ref := range refs {
					if i != stored/2 { // then another commit
						q.Delete(ref)
					}
				}
				require.Eventually(t, func() bool { return q.Stats().Batches == 1 }, 10*time.Second, time.Millisecond)
				require.LessOrEqual(t, filesIn(t, q), int64(s.MaxBytes))
				q.Delete(refs[stored/2])
				require.Eventually(t, noTrouble(q), 10*time.Second, time.Millisecond)
				require.LessOrEqual(t, filesIn(t, q), int64(s.MaxBytes))
				size++ // other keys
			}
			require.NoError(t, q.Close())
		})
	}
}
