package queuedir

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// position is what state.dat says: every event before it has been acknowledged by the output.
type position struct {
	Version uint32
	Segment uint64
	Byte    uint64
	Frame   uint64
}

// repair corrects the position where libbeat would misread it, and tells whether it moved back. libbeat writes its
// four numbers one after the other over the old ones (state_file.go), and trusts what it reads:
//
//   - A kill between two of these writes, as a segment is done with, leaves the number of the next segment beside an
//     offset into the one before: libbeat would skip that much of the next one. The one before is deleted only
//     afterwards, so it is still there then; and whenever one is, the offset is set to 0.
//   - A position in a segment that is gone, with none after it, makes libbeat number the segments from 0 again, and
//     skip what is new in them or delete it as delivered. Such a position is set to 0.
//   - A position that is not where an event begins: libbeat would drop the rest of the segment. It gets there by passing
//     over events that it cannot read, a lack of open files being enough. The whole segment is read again.
//   - A position at the end of the last segment is moved to the one that libbeat makes next. libbeat would count what
//     is delivered of that one as more of the last one (addFrames in acks.go), and deliver all of it again after a kill.
//
// What a position is moved back over is delivered again.
func repair(path string, ids []uint64) (back bool, err error) {
	name := filepath.Join(path, stateName)
	p, ok, err := readPosition(name)
	if err != nil || !ok {
		return false, err
	}
	fixed := p.fixed(path, ids)
	if fixed == p {
		return false, nil
	}
	return fixed.Segment <= p.Segment, writePosition(name, fixed)
}

func (p position) fixed(path string, ids []uint64) position {
	if len(ids) == 0 {
		return position{Version: p.Version}
	}
	start := position{Version: p.Version, Segment: p.Segment}
	oldest, newest := ids[0], ids[len(ids)-1]
	switch {
	case newest < p.Segment && newest+1 == p.Segment:
		return start
	case newest < p.Segment:
		return position{Version: p.Version}
	case oldest < p.Segment:
		return start
	case oldest > p.Segment || p.Byte == 0:
		return p
	}
	switch where(segmentPath(path, p.Segment), p.Byte) {
	case atEnd:
		start.Segment++
		return start
	case astray:
		return start
	default:
		return p
	}
}

// place is where an offset into a segment points.
type place int

const (
	atEvent place = iota
	atEnd         // nothing follows
	astray        // between the events
)

// where looks through a segment up to the offset. What it cannot read it calls an event: libbeat will say why.
func where(name string, offset uint64) place {
	f, err := os.Open(name) //nolint:gosec // a path from the configuration
	if err != nil {
		return atEvent
	}
	defer func() { _ = f.Close() }() // read only
	info, err := f.Stat()
	if err != nil {
		return atEvent
	}
	if uint64(info.Size()) <= offset { //nolint:gosec // not negative
		return atEnd
	}
	in := bufio.NewReaderSize(f, 1<<20)
	var header struct{ Version, Events, Options uint32 }
	if binary.Read(in, binary.LittleEndian, &header) != nil || header.Version != 2 || header.Options != 0 {
		return atEvent
	}
	for at := uint64(segmentHeader); ; {
		if at > offset {
			return astray
		}
		length, err := skip(in)
		if err != nil || at == offset {
			return atEvent // or damage before it, over which libbeat reads no more
		}
		at += length
	}
}

var errNoEvent = errors.New("no event")

// skip reads over one event and returns its length.
func skip(in *bufio.Reader) (uint64, error) {
	var length, again uint32
	if err := binary.Read(in, binary.LittleEndian, &length); err != nil {
		return 0, err
	}
	if length < frame {
		return 0, errNoEvent
	}
	if _, err := in.Discard(int(length) - 8); err != nil {
		return 0, err
	}
	if err := binary.Read(in, binary.LittleEndian, &again); err != nil {
		return 0, err
	}
	if again != length {
		return 0, errNoEvent
	}
	return uint64(length), nil
}

// frame is how many bytes surround an event: its length, a checksum, its length once more.
const frame = 12

// readPosition returns false where there is none yet: libbeat starts at the oldest segment then.
func readPosition(name string) (position, bool, error) {
	f, err := os.Open(name) //nolint:gosec // a path from the configuration
	if errors.Is(err, os.ErrNotExist) {
		return position{}, false, nil
	}
	if err != nil {
		return position{}, false, err
	}
	defer func() { _ = f.Close() }() // read only
	var p position
	err = binary.Read(f, binary.LittleEndian, &p)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || (err == nil && p.Version != 1) {
		return position{}, false, nil
	}
	return p, err == nil, err
}

// writePosition replaces state.dat in one step. On a full disk it writes over it, which needs no room.
func writePosition(name string, p position) error {
	err := replacePosition(name, p)
	if !full(err) {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY, 0) //nolint:gosec // a path from the configuration
	if err != nil {
		return err
	}
	return errors.Join(binary.Write(f, binary.LittleEndian, p), f.Sync(), f.Close())
}

// full tells whether there is no room, on the disk or for its owner.
func full(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

func replacePosition(name string, p position) error {
	f, err := os.CreateTemp(filepath.Dir(name), stateName+".new")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // fails when it has become state.dat
	err = errors.Join(binary.Write(f, binary.LittleEndian, p), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

// Pending tells whether events are left in a queue that nobody uses, for the log. It may say yes for a queue whose
// last events were acknowledged just before a kill.
func Pending(path string) bool {
	entries, err := os.ReadDir(path)
	if err != nil {
		return false
	}
	p, _, _ := readPosition(filepath.Join(path, stateName))
	for _, entry := range entries {
		id, ok := number(entry.Name())
		info, err := entry.Info()
		if !ok || err != nil || info.Size() <= segmentHeader {
			continue
		}
		if id > p.Segment || (id == p.Segment && info.Size() > int64(p.Byte)) { //nolint:gosec // no file is that long
			return true
		}
	}
	return false
}

// segmentHeader is how many bytes a segment has before its first event: version, number of events, options. An event
// has its length before it, and a checksum and its length once more behind it.
const segmentHeader = 12

// readable tells whether libbeat finds an event at the beginning of a segment. It passes over the others, and may
// give their number to a new one (scanExistingSegments in segments.go).
func readable(name string) bool {
	f, err := os.Open(name) //nolint:gosec // a path from the configuration
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // read only
	var header struct{ Version, Events, Options, Length uint32 }
	if binary.Read(f, binary.LittleEndian, &header) != nil || header.Version > 2 {
		return false
	}
	if header.Version < 2 || header.Events > 0 {
		return true
	}
	var again uint32
	_, err = f.Seek(segmentHeader+int64(header.Length)-4, io.SeekStart)
	return err == nil && binary.Read(f, binary.LittleEndian, &again) == nil && again == header.Length
}
