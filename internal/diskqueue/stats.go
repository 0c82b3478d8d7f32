package diskqueue

import "time"

// Stats are the sizes of the queue, and the bytes of batches that went through it.
type Stats struct {
	Batches int           // not deleted
	Bytes   int64         // of these batches
	Oldest  time.Duration // since the oldest of these batches came in; 0 when there is none
	Files   int64         // bytes that the files take
	Limit   int64         // Settings.MaxBytes
	Stored  int64         // bytes of batches, since Open
	Deleted int64         // bytes of batches, since Open
}

// Counts returns Stats without Oldest. It takes a lock, and does not read the disk.
func (q *Queue) Counts() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := Stats{Limit: int64(q.settings.MaxBytes), Stored: q.storedBytes, Deleted: q.deletedBytes}
	for _, segment := range q.segments {
		s.Batches += segment.batches
		s.Bytes += segment.bytes
		s.Files += segment.size
	}
	return s
}

// Stats returns Counts and the age of the oldest batch. It reads the disk when that batch may be another one than at the last call.
// After Close it does not read the disk.
func (q *Queue) Stats() Stats {
	s := q.Counts()
	q.mu.Lock()
	segments := q.segments
	q.mu.Unlock()
	for _, segment := range segments {
		if received := q.oldest(segment); !received.IsZero() { // else the next segment has the oldest batch that can be read
			s.Oldest = max(time.Since(received), 0)
			break
		}
	}
	return s
}

// oldest returns when the first batch of a segment came in, or the zero time if there is none. It keeps the time until a batch is
// deleted from the segment: opening a file reads all of it. If the batch cannot be read, oldest returns the time that was read last,
// because an alert needs an age then.
func (q *Queue) oldest(s *segment) (received time.Time) {
	q.mu.Lock()
	holds, deletions, kept := s.batches > 0, s.deletions, s.oldest
	isCurrent := !kept.IsZero() && s.oldestAfter == deletions
	q.mu.Unlock()
	if !holds {
		return time.Time{}
	}
	if isCurrent {
		return kept
	}
	q.touch(s)
	err := s.view(batchesBucket, func(b values) error {
		header, _, err := decodeHeader(b.at(b.Cursor().First()))
		received = header.Origin.Received
		return err
	})
	q.mu.Lock()
	defer q.mu.Unlock()
	if err == nil {
		s.oldest, s.oldestAfter = received, deletions // a deletion meanwhile counts: the next call reads again
	}
	return s.oldest
}

// Trouble returns why batches are not stored, and since when: ErrFull, or the error of a write. run tries again each second. While
// batches are stored it returns nil, or the first *DamagedError of Next or Load.
func (q *Queue) Trouble() (age time.Duration, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.trouble != nil:
		return time.Since(q.since), q.trouble
	case q.damage != nil:
		return time.Since(q.damagedAt), q.damage
	default:
		return 0, nil
	}
}
