package diskqueue

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/txn2/rtbeat/internal/batch"
)

// descriptors are the open files of this process below a directory.
func descriptors(t testing.TB, dir string) (files []int) {
	t.Helper()
	const directory = "/proc/self/fd/"
	entries, err := os.ReadDir(directory)
	require.NoError(t, err)
	for _, entry := range entries {
		target, _ := os.Readlink(directory + entry.Name()) // the descriptor of ReadDir is closed
		if strings.HasPrefix(target, dir) && strings.HasSuffix(target, extension) {
			fd, err := strconv.Atoi(entry.Name())
			require.NoError(t, err)
			files = append(files, fd)
		}
	}
	return files
}

// replaceFiles redirects all writes to the open segments to another file.
func replaceFiles(t *testing.T, dir, other string, flag int) {
	t.Helper()
	file, err := os.OpenFile(other, flag, 0)
	require.NoError(t, err)
	open := descriptors(t, dir)
	require.NotEmpty(t, open)
	for _, fd := range open {
		require.NoError(t, unix.Dup3(int(file.Fd()), fd, unix.O_CLOEXEC))
	}
	require.NoError(t, file.Close())
}

// A segment is not written again after a failed commit, and keeps its batches.
func TestACommitThatFails(t *testing.T) {
	for other, want := range map[string]error{"/dev/full": ErrFull, "/dev/null": unix.EBADF} {
		t.Run(other, func(t *testing.T) {
			s := settingsIn(t.TempDir())
			q := open(t, s)
			_, _, err := q.Append(t.Context(), record("A"), []batch.Key{keyOf("A")}, false)
			require.NoError(t, err)
			flag := os.O_RDONLY
			if other == "/dev/full" {
				flag = os.O_RDWR
			}
			replaceFiles(t, s.Path, other, flag)
			_, known, err := q.Append(t.Context(), record("B"), []batch.Key{keyOf("B")}, false)
			require.ErrorIs(t, err, want)
			require.Empty(t, known)
			_, err = q.Trouble()
			require.ErrorIs(t, err, want)
			require.Equal(t, 1, q.Stats().Batches)
			require.Len(t, drain(t, q), 1)
			_, known, err = q.Append(t.Context(), record("B"), []batch.Key{keyOf("A"), keyOf("B")}, false)
			require.NoError(t, err)
			require.Equal(t, []int{0}, known, "B was not stored")
			require.True(t, noTrouble(q)())
			require.Len(t, segmentFiles(t, s.Path), 2)
			require.Equal(t, 2, q.Stats().Batches)
			refs := drain(t, q)
			require.Len(t, refs, 1)
			q.Delete(refs[0])
			require.Eventually(t, func() bool { return q.Stats().Batches == 1 }, 10*time.Second, time.Millisecond)
			require.NoError(t, q.Close())
			q = open(t, s)
			require.Equal(t, []string{"A"}, bodies(t, q))
			require.NoError(t, q.Close())
		})
	}
}

// A batch of such a segment is deleted with the file. Until then a restart delivers it again.
func TestDeletionsAfterACommitThatFailed(t *testing.T) {
	s := settingsIn(t.TempDir())
	q := open(t, s)
	for _, body := range []string{"A", "B"} {
		_, _, err := q.Append(t.Context(), record(body), []batch.Key{keyOf(body)}, false)
		require.NoError(t, err)
	}
	replaceFiles(t, s.Path, "/dev/full", os.O_RDWR)
	refs := drain(t, q)
	q.Delete(refs[0])
	require.Eventually(t, func() bool { return q.Stats().Batches == 1 }, 10*time.Second, time.Millisecond)
	_, _, err := q.Append(t.Context(), record("C"), nil, false)
	require.NoError(t, err)
	require.Len(t, drain(t, q), 1)
	require.Len(t, segmentFiles(t, s.Path), 2)
	q.Delete(refs[1])
	require.Eventually(t, func() bool { return len(segmentFiles(t, s.Path)) == 1 }, 10*time.Second, time.Millisecond)
	_, known, err := q.Append(t.Context(), record("D"), []batch.Key{keyOf("A"), keyOf("new")}, false)
	require.NoError(t, err)
	require.Equal(t, []int{0}, known)
	require.NoError(t, q.Close())
	q = open(t, s)
	require.Equal(t, []string{"C", "D"}, bodies(t, q))
	_, known, err = q.Append(t.Context(), record("E"), []batch.Key{keyOf("A"), keyOf("B"), keyOf("new 2")}, false)
	require.NoError(t, err)
	require.Equal(t, []int{0, 1}, known, "the keys were moved")
	require.NoError(t, q.Close())
}

// A deletion in such a segment does not hide why batches are not stored.
func TestADeletionKeepsTheTrouble(t *testing.T) {
	s := settingsIn(t.TempDir())
	s.MaxBytes = smallestSegment
	q := open(t, s)
	for _, body := range []string{"A", "B"} {
		_, _, err := q.Append(t.Context(), record(body), nil, false)
		require.NoError(t, err)
	}
	replaceFiles(t, s.Path, "/dev/full", os.O_RDWR)
	_, _, err := q.Append(t.Context(), record("C"), nil, false)
	require.ErrorIs(t, err, ErrFull)
	q.Delete(drain(t, q)[0])
	require.Eventually(t, func() bool { return q.Stats().Batches == 1 }, 10*time.Second, time.Millisecond)
	_, err = q.Trouble()
	require.ErrorIs(t, err, ErrFull)
	require.NoError(t, q.Close())
}

// Few segments are open, however many there are. Stats opens the oldest alone.
func TestFewSegmentsAreOpen(t *testing.T) {
	s := settingsIn(fastDir(t))
	q := open(t, s)
	q.segmentBytes = 256 << 10
	for i := range 1000 {
		_, _, err := q.Append(t.Context(), record(fmt.Sprint(i, strings.Repeat("x", 20_000))), nil, false)
		require.NoError(t, err)
	}
	require.Greater(t, len(segmentFiles(t, s.Path)), 80)
	require.NoError(t, q.Close())
	q = open(t, s)
	require.Empty(t, descriptors(t, s.Path))
	require.Equal(t, 1000, q.Stats().Batches)
	require.Len(t, descriptors(t, s.Path), 1)
	allocations := testing.AllocsPerRun(100, func() { q.Stats() })
	require.Less(t, allocations, 200.0)
	most := 0
	for ref, ok, err := q.Next(); ok; ref, ok, err = q.Next() {
		require.NoError(t, err)
		_, err = q.Load(ref)
		require.NoError(t, err)
		q.Delete(ref)
		if ref.Number%10 == 0 { // the disk is slower than this
			require.Eventually(t, func() bool { return q.Stats().Batches < 10 || q.isDeleted() }, 10*time.Second, time.Millisecond)
		}
		most = max(most, len(descriptors(t, s.Path)))
	}
	require.LessOrEqual(t, most, 4)
	require.NoError(t, q.Close())
}

// isDeleted tells whether run has made all edits.
func (q *Queue) isDeleted() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.edits) == 0
}
