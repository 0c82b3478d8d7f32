package diskqueue

import (
	"errors"
	"fmt"
	"slices"
)

// sizeOfValue is an upper bound of the space for a value of n bytes. A large value begins a page.
func sizeOfValue(n int64) int64 {
	if n < largeValue {
		return n + n/8 + 64
	}
	return n + pageSize + 128
}

// sizeOf is an upper bound of the space for batches.
func sizeOf(group []*pending) (size int64) {
	for _, p := range group {
		size += sizeOfValue(p.record.headerBytes()+int64(len(p.record.Body))) + sizeOfValue(int64(keysHeader+len(p.keys)*keyBytes))
	}
	return size
}

func sizeOfKeys(keys []keysValue) (size int64) {
	for _, k := range keys {
		size += sizeOfValue(int64(len(k.value)))
	}
	return size
}

// smallest is sizeOf the smallest of the batches.
func smallest(group []*pending) (size int64) {
	for i := range group {
		if n := sizeOf(group[i : i+1]); i == 0 || n < size {
			size = n
		}
	}
	return size
}

// segmentFor returns the segment for a commit, with space for needed bytes and for d.keys. Without space it removes the empty
// segments, and keeps their keys in memory until a segment has space for them. With an error it returns a segment for the last edits
// and for the keys in memory alone, or nil.
func (q *Queue) segmentFor(needed int64, d *draining) (*segment, error) {
	s, err := q.target(needed + sizeOfKeys(d.keys))
	if errors.Is(err, ErrFull) {
		if last := q.lastSegment(); last != nil {
			q.drain(last, d)
		}
		q.drop(d.empty)
		d.empty, d.keys = nil, newestOf(d.keys, q.settings.Dedupe.MaxEntries)
		q.keysWithoutSegment = d.keys // until they are saved, a crash forgets them
		s, err = q.target(needed + sizeOfKeys(d.keys))
	}
	if errors.Is(err, ErrFull) {
		d.keys = nil
		s, err = q.target(needed)
	}
	if err != nil {
		d.empty, d.keys = nil, q.keysWithoutSegment
		s, _ = q.target(sizeOfKeys(d.keys))
	}
	return s, err
}

// lastSegment returns nil when there is no segment.
func (q *Queue) lastSegment() *segment {
	if len(q.segments) == 0 {
		return nil
	}
	return q.segments[len(q.segments)-1]
}

// target returns the segment with space for size bytes: the last segment, or a new one. For size 0 it returns the last segment,
// or nil.
func (q *Queue) target(size int64) (*segment, error) {
	last := q.lastSegment()
	if size == 0 || last != nil && !last.frozen && last.hasSpace(size) {
		return last, nil
	}
	return q.newSegment(size)
}

func (q *Queue) newSegment(size int64) (*segment, error) {
	length := max(q.segmentBytes, size*2)
	if q.Counts().Files+length > int64(q.settings.MaxBytes) {
		return nil, ErrFull
	}
	s, err := createSegment(q.settings.Path, q.next, length)
	if isNoSpace(err) {
		return nil, fmt.Errorf("%w: %w", ErrFull, err)
	}
	if err != nil {
		return nil, err
	}
	q.next++ // the next segment needs another name, even if this one is dropped
	q.mu.Lock()
	defer q.mu.Unlock()
	q.segments = append(slices.Clone(q.segments), s)
	return s, nil
}
