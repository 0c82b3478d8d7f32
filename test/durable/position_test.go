//go:build !race

package durable

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/txn2/rtbeat/internal/queuedir"
)

const small = 1000 // bytes in a segment: three or four events

func numbered(from, to int) (events []map[string]any) {
	for i := from; i < to; i++ {
		events = append(events, map[string]any{"uuid": strconv.Itoa(i), "pad": fmt.Sprintf("%0200d", i)})
	}
	return events
}

func uuids(events []mapstr.M) (ids []int) {
	for _, fields := range events {
		uuid, _ := fields.GetValue("rxtxMsg.uuid")
		id, _ := strconv.Atoi(fmt.Sprint(uuid))
		ids = append(ids, id)
	}
	return ids
}

func upTo(from, to int) (ids []int) {
	for i := from; i < to; i++ {
		ids = append(ids, i)
	}
	return ids
}

// image copies the directory of a queue as a kill would leave it. The queue goes on meanwhile, and removes a segment that is
// done with when it comes to it: a copy that met this is no image of one moment, and is made again.
func image(t *testing.T, path string) string {
	t.Helper()
	for range 20 {
		to := t.TempDir()
		err := os.CopyFS(to, os.DirFS(path))
		if !errors.Is(err, fs.ErrNotExist) {
			require.NoError(t, err)
			return to
		}
	}
	require.FailNow(t, "segments vanish faster than they are copied")
	return ""
}

type position struct {
	Version              uint32
	Segment, Byte, Frame uint64
}

func stateOf(t *testing.T, path string) (p position) {
	t.Helper()
	f, err := os.Open(filepath.Join(path, "state.dat"))
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, binary.Read(f, binary.LittleEndian, &p))
	return p
}

func setState(t *testing.T, path string, p position) {
	t.Helper()
	f, err := os.Create(filepath.Join(path, "state.dat"))
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, binary.Write(f, binary.LittleEndian, p))
}

// restart is a start as rtbeat does it, after a kill: look after the directory, then have libbeat open it.
func restart(t *testing.T, path string, repair bool) *disk {
	t.Helper()
	if repair {
		dir, err := queuedir.Open(path)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, dir.Close()) })
	}
	return open(t, path, small)
}

// until reads up to this event.
func (d *disk) until(last int) []int {
	return uuids(d.readUntil(func(read []mapstr.M) bool {
		ids := uuids(read)
		return len(ids) > 0 && ids[len(ids)-1] == last
	}, 1, false, patience))
}

// A kill in the middle of writing the position, as the first segment is done with.
func TestATornPositionLosesNothing(t *testing.T) {
	d := open(t, t.TempDir(), small)
	d.write(numbered(0, 30)...)
	first := len(d.read(3, true))
	before := stateOf(t, d.path)
	torn := image(t, d.path)
	p := before
	p.Segment++ // the next write would have been that of the offset
	setState(t, torn, p)

	lost := uuids(restart(t, image(t, torn), false).read(30, false))
	require.False(t, contains(lost, upTo(5, 30)), "libbeat has mended it: %v", lost)
	whole := restart(t, torn, true).until(29)
	require.True(t, contains(whole, upTo(5, 30)), "%v, after %d", whole, first)
}

// Where no segment is left that the position is in, what is new would be taken for old.
func TestAPositionInASegmentThatIsGoneLosesNothing(t *testing.T) {
	path := t.TempDir()
	setState(t, path, position{Version: 1, Segment: 7, Byte: 600, Frame: 2})
	run := func(path string, repair bool) []int {
		d := restart(t, path, repair)
		d.write(numbered(0, 6)...)
		return uuids(d.read(6, false))
	}
	require.NotEqual(t, upTo(0, 6), run(image(t, path), false), "libbeat has mended it")
	require.Equal(t, upTo(0, 6), run(path, true))
}

// A start with everything delivered, some work, and a kill: only what was not acknowledged comes again.
func TestAKillAfterAnIdleStartCopiesLittle(t *testing.T) {
	run := func(path string, repair bool) []int {
		d := open(t, path, small)
		d.write(numbered(0, 2)...)
		require.Len(t, d.read(2, true), 2)
		d = restart(t, image(t, path), repair)
		d.write(numbered(2, 5)...)
		require.Len(t, d.read(2, true), 2)
		return uuids(restart(t, image(t, d.path), repair).read(5, false))
	}
	require.Equal(t, upTo(2, 5), run(t.TempDir(), false), "libbeat has mended it")
	require.Equal(t, upTo(4, 5), run(t.TempDir(), true))
}

// A position that is not where an event begins costs the rest of the segment.
func TestAPositionBetweenEventsLosesNothing(t *testing.T) {
	d := open(t, t.TempDir(), 10*small)
	d.write(numbered(0, 10)...)
	require.Len(t, d.read(3, true), 3)
	p := stateOf(t, d.path)
	p.Byte -= 10
	setState(t, d.path, p)
	require.Empty(t, uuids(restart(t, image(t, d.path), false).read(10, false)), "libbeat has mended it")
	require.Equal(t, upTo(0, 10), uuids(restart(t, image(t, d.path), true).read(10, false)))
}

// What a kill cut off is left out, and what follows it is not.
func TestATruncatedSegment(t *testing.T) {
	d := open(t, t.TempDir(), 10*small)
	d.write(numbered(0, 10)...)
	cut := image(t, d.path)
	segment := filepath.Join(cut, "0.seg")
	info, err := os.Stat(segment)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(segment, info.Size()-20))
	d = restart(t, cut, true)
	d.write(numbered(10, 15)...)
	require.Equal(t, append(upTo(0, 9), upTo(10, 15)...), uuids(d.read(20, true)))
	d = restart(t, image(t, cut), true)
	d.write(numbered(15, 16)...)
	require.Equal(t, upTo(15, 16), uuids(d.read(20, true)))
}

func TestEachPointOfAKillLosesNothing(t *testing.T) {
	d := open(t, t.TempDir(), small)
	d.write(numbered(0, 20)...)
	for delivered := range 19 {
		require.Len(t, d.read(1, true), 1)
		left := restart(t, image(t, d.path), true).until(19)
		require.Truef(t, contains(left, upTo(delivered+1, 20)), "after %d: %v", delivered+1, left)
	}
}

func TestPending(t *testing.T) {
	d := open(t, t.TempDir(), small)
	require.False(t, queuedir.Pending(d.path))
	require.False(t, queuedir.Pending(filepath.Join(d.path, "absent")))
	d.write(numbered(0, 5)...)
	require.True(t, queuedir.Pending(d.path))
	require.Len(t, d.read(5, true), 5)
	require.False(t, queuedir.Pending(d.path))
}

func TestOneProcessAtATime(t *testing.T) {
	path := t.TempDir()
	dir, err := queuedir.Open(path)
	require.NoError(t, err)
	_, err = queuedir.Open(path)
	require.ErrorContains(t, err, "another process uses it")
	require.NoError(t, dir.Close())
	dir, err = queuedir.Open(path)
	require.NoError(t, err)
	require.NoError(t, dir.Close())
}

func contains(all, some []int) bool {
	return !slices.ContainsFunc(some, func(id int) bool { return !slices.Contains(all, id) })
}
