package diskqueue

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Batches that arrive together have space in an empty queue if each of them has.
func TestAGroupHasSpaceInAnEmptyQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settingsIn(filepath.Join(t.TempDir(), "queue"))
		s.MaxBytes = 16 << 20
		q := open(t, s)
		require.NoError(t, q.Close()) // run takes no batch from this test
		for range 5 {
			go func() { q.appends <- &pending{record: record(strings.Repeat("x", 3<<20))} }()
		}
		synctest.Wait()
		for n := 0; n < 5; {
			group := q.gather(<-q.appends)
			n += len(group)
			require.LessOrEqual(t, 2*sizeOf(group), int64(s.MaxBytes), len(group))
		}
	})
}

// Trouble lasts until a batch of the refused size has space. Otherwise readiness would change each second.
func TestTroubleLastsUntilARefusedBatchHasSpace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settingsIn(filepath.Join(t.TempDir(), "queue"))
		s.MaxBytes = smallestSegment
		q := open(t, s)
		var err error
		for err == nil {
			_, _, err = q.Append(t.Context(), record(strings.Repeat("x", 1<<20)), nil, false) // three of them leave half a megabyte
		}
		require.ErrorIs(t, err, ErrFull)
		time.Sleep(5 * retryAfter)
		_, err = q.Trouble()
		require.ErrorIs(t, err, ErrFull)

		_, _, err = q.Append(t.Context(), record("a small one"), nil, false)
		require.NoError(t, err)
		_, err = q.Trouble()
		require.NoError(t, err)
		require.NoError(t, q.Close())
	})
}

// An alert needs the age of the oldest batch, also if its file is damaged.
func TestAnUnreadableOldestBatchHasAnAge(t *testing.T) {
	for name, isRead := range map[string]bool{"read before": true, "never read": false} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			smallQueue(t, dir)
			q := open(t, settingsIn(dir))
			age := time.Duration(1) // of the next segment
			if isRead {
				age = q.Stats().Oldest
			}
			q.segments[0].close()
			require.NoError(t, os.Truncate(segmentFiles(t, dir)[0], 0))
			_, _, err := q.Next()
			require.ErrorAs(t, err, new(*DamagedError))
			require.GreaterOrEqual(t, q.Stats().Oldest, age)
			require.NoError(t, q.Close())
		})
	}
}
