package diskqueue

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Room for less than what was refused is no end of the trouble: readiness would say so each second, and refuse the next batch.
func TestTroubleLastsUntilThereIsRoomForWhatWasRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settingsIn(filepath.Join(t.TempDir(), "queue"))
		s.MaxBytes = smallestSegment
		q := open(t, s)
		var err error
		for err == nil {
			_, _, err = q.Append(t.Context(), record(strings.Repeat("x", 300<<10)), nil, false)
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
