package diskqueue

import (
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

func sizeOfKeys(keys []stored) (size int64) {
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

// target returns the segment with space for size bytes: the last segment, or a new one. For size 0 it returns the last segment,
// or nil.
func (q *Queue) target(size int64) (*segment, error) {
	var last *segment
	var files int64
	for _, last = range q.segments {
		files += last.size
	}
	if size == 0 || last != nil && !last.frozen && last.hasSpace(size) {
		return last, nil
	}
	return q.newSegment(size, files)
}

func (q *Queue) newSegment(size, files int64) (*segment, error) {
	length := max(q.segmentBytes, size*2)
	if files+length > int64(q.settings.MaxBytes) {
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
