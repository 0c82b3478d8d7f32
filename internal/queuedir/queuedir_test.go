package queuedir

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func opened(t *testing.T, path string) *Dir {
	t.Helper()
	d, err := Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

// libbeat writes to a segment as libbeat does: it makes the file if there is none, and empties it.
func libbeat(t *testing.T, path string, id uint64) {
	t.Helper()
	f, err := os.OpenFile(segmentPath(path, id), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	require.NoError(t, err)
	defer f.Close()
	for _, v := range []uint32{2, 0, 0, 16, 0, 0, 16} { // header, one event of four bytes
		require.NoError(t, binary.Write(f, binary.LittleEndian, v))
	}
}

func TestSyncHoldsEachSegmentBeforeItIsWrittenTo(t *testing.T) {
	path := t.TempDir()
	d := opened(t, path)
	d.Watch(1)
	require.ErrorContains(t, d.sync(), "no segment", "nothing was written, and yet acknowledged")
	d.Watch(1)
	for id := range uint64(4) {
		require.Equal(t, id, d.ahead[0].id)
		ahead, err := d.ahead[0].file.Stat()
		require.NoError(t, err)
		libbeat(t, path, id)
		require.NoError(t, d.Sync())
		require.Equal(t, id, d.current.id)
		now, err := os.Stat(segmentPath(path, id))
		require.NoError(t, err)
		require.True(t, os.SameFile(ahead, now), "the file that is held is the one that libbeat writes to")
	}
}

// The error of a failed write is told to those who have the file open then, and to nobody who opens it later.
func TestSyncRefusesASegmentThatItDidNotHoldInTime(t *testing.T) {
	path := t.TempDir()
	d := opened(t, path)
	d.Watch(3)
	for id := range uint64(3) {
		libbeat(t, path, id)
	}
	require.NoError(t, d.Sync(), "as many in one go as are held")
	require.EqualValues(t, 2, d.current.id)
	for id := range uint64(4) {
		libbeat(t, path, 3+id)
	}
	require.ErrorContains(t, d.Sync(), "segment 6 was written to before it was open here")
}

func TestSyncFindsASegmentThatWasNotExpected(t *testing.T) {
	path := t.TempDir()
	d := opened(t, path)
	d.Watch(1)
	libbeat(t, path, 7)
	require.NoError(t, d.Sync())
	require.EqualValues(t, 7, d.current.id)
	require.EqualValues(t, 8, d.ahead[0].id)
	require.NoFileExists(t, segmentPath(path, 0))
}

func TestSyncNeverRecovers(t *testing.T) {
	path := t.TempDir()
	d := opened(t, path)
	d.Watch(1)
	libbeat(t, path, 0)
	require.NoError(t, d.Sync())
	require.NoError(t, d.current.file.Close()) // stands for a disk that fails
	first := d.Sync()
	require.ErrorContains(t, first, "syncing segment 0")
	require.NoError(t, d.advance(&segment{0, mustOpen(t, segmentPath(path, 0))}))
	require.Equal(t, first, d.Sync())
}

func encoded(t *testing.T, numbers []uint32) []byte {
	t.Helper()
	text, err := binary.Append(nil, binary.LittleEndian, numbers)
	require.NoError(t, err)
	return text
}

func mustOpen(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	require.NoError(t, err)
	return f
}

func TestSyncTriesAgainToMakeASegmentAhead(t *testing.T) {
	path := t.TempDir()
	d := opened(t, path)
	d.Watch(1)
	libbeat(t, path, 0)
	require.NoError(t, d.Sync())
	d.closeAhead()
	d.next = 1 // as when the disk was full
	require.NoError(t, d.Sync())
	require.EqualValues(t, 1, d.ahead[0].id)
}

func TestTheNextSegmentAfterARestart(t *testing.T) {
	path := t.TempDir()
	libbeat(t, path, 3)
	libbeat(t, path, 12)
	require.NoError(t, os.WriteFile(segmentPath(path, 13), nil, 0o600)) // made ahead, and not used
	require.NoError(t, os.WriteFile(filepath.Join(path, "20.txt"), nil, 0o600))
	require.NoError(t, os.WriteFile(segmentPath(path, 30), []byte("damaged, and passed over by libbeat"), 0o600))
	d := opened(t, path)
	require.EqualValues(t, 13, d.first)
	require.NoFileExists(t, segmentPath(path, 13))
	d.Watch(1)
	libbeat(t, path, 13)
	require.NoError(t, d.Sync())
	require.EqualValues(t, 13, d.current.id)
}

func TestDirectoriesThatCannotBeUsed(t *testing.T) {
	home := t.TempDir()
	file := filepath.Join(home, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := Open(filepath.Join(file, "queue"))
	require.ErrorContains(t, err, "making it: ")
	_, err = Open(file)
	require.Error(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(home, stateName), 0o700))
	_, err = Open(home)
	require.ErrorContains(t, err, "writing to it: ")
}

func TestAPositionThatCannotBeReadIsLeftToLibbeat(t *testing.T) {
	for name, content := range map[string][]byte{"none": nil, "half": make([]byte, 10), "of another version": make([]byte, 28)} {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir()
			state := filepath.Join(path, stateName)
			require.NoError(t, os.WriteFile(state, content, 0o600))
			libbeat(t, path, 5)
			require.False(t, opened(t, path).Reset)
			left, err := os.ReadFile(state)
			require.NoError(t, err)
			require.Len(t, left, len(content))
		})
	}
}

func TestFixed(t *testing.T) {
	path := t.TempDir()
	for _, id := range []uint64{5, 6, 7} {
		libbeat(t, path, id)
	}
	// Of three events the second says that it is longer than the file.
	damaged := []uint32{2, 0, 0, 16, 0, 0, 16, 1 << 20, 0, 0, 16, 16, 0, 0, 16}
	require.NoError(t, os.WriteFile(segmentPath(path, 9), encoded(t, damaged), 0o600))
	at := func(segment, b, frame uint64) position { return position{1, segment, b, frame} }
	for name, c := range map[string]struct {
		ids      []uint64
		is, want position
	}{
		"no segment":                          {nil, at(7, 28, 1), at(0, 0, 0)},
		"the first":                           {[]uint64{5, 6}, at(5, 0, 0), at(5, 0, 0)},
		"at an event":                         {[]uint64{5, 6}, at(5, 12, 0), at(5, 12, 0)},
		"at an event, damage before it":       {[]uint64{9}, at(9, 44, 2), at(9, 44, 2)},
		"at an event that is cut off":         {[]uint64{9}, at(9, 28, 1), at(9, 28, 1)},
		"at the end of the last":              {[]uint64{7}, at(7, 28, 1), at(8, 0, 0)},
		"beyond the end":                      {[]uint64{7}, at(7, 500, 3), at(8, 0, 0)},
		"at the end of another":               {[]uint64{5, 6}, at(5, 28, 1), at(6, 0, 0)},
		"between events":                      {[]uint64{5, 6}, at(5, 20, 1), at(5, 0, 0)},
		"an older one is left":                {[]uint64{5, 6, 7}, at(6, 28, 1), at(6, 0, 0)},
		"in the one that comes next":          {[]uint64{5, 6, 7}, at(8, 28, 1), at(8, 0, 0)},
		"where libbeat would delete all":      {[]uint64{5, 6, 7}, at(9, 28, 1), at(0, 0, 0)},
		"older than all, which libbeat knows": {[]uint64{6, 7}, at(5, 28, 1), at(5, 28, 1)},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, c.is.fixed(path, c.ids)) })
	}
}
