package diskqueue

import (
	"fmt"
	"os"
	"slices"
	"time"
)

// smallest is what the smallest of the batches takes.
func smallest(group []*pending) (size int64) {
	for i := range group {
		if n := sizeOf(group[i : i+1]); i == 0 || n < size {
			size = n
		}
	}
	return size
}

// sizeOf is more than what batches take when they are stored.
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

// target returns the segment that has room for so many bytes: the last one, or a new one. For no bytes it returns the last one
// as it is, nil where there is none.
func (q *Queue) target(size int64) (*segment, error) {
	var last *segment
	var files int64
	for _, last = range q.segments {
		files += last.size
	}
	if size == 0 || last != nil && !last.frozen && last.hasRoom(size) {
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
	q.next++ // the next segment has another name, whatever comes of this one
	q.mu.Lock()
	defer q.mu.Unlock()
	q.segments = append(slices.Clone(q.segments), s)
	return s, nil
}

// drop removes segments that hold nothing. A file that stays there after a power failure holds nothing then as well.
func (q *Queue) drop(drained []*segment) {
	if len(drained) == 0 {
		return
	}
	q.mu.Lock()
	q.segments = slices.DeleteFunc(slices.Clone(q.segments), func(s *segment) bool { return slices.Contains(drained, s) })
	q.mu.Unlock()
	for _, s := range drained {
		s.end()
		_ = os.Remove(s.path) // the next start removes it
	}
}

// closeIdle closes segments that nobody has used for a while, so that few are open.
func (q *Queue) closeIdle(current *segment) {
	q.mu.Lock()
	var idle []*segment
	for _, s := range q.segments {
		if s != current && time.Since(s.used) > idleSegmentCloses {
			idle = append(idle, s)
		}
	}
	q.mu.Unlock()
	for _, s := range idle {
		s.close()
	}
}
