package diskqueue

import (
	"errors"
	"fmt"
	"maps"
	"time"
)

// Next returns the batch behind the batch that it returned last, or false when there is none. Added says when to call it
// again. Next passes over a damaged file. It returns the *DamagedError once, with the batch behind the file, and leaves the
// file as it is. After any other error the next call may succeed.
func (q *Queue) Next() (Ref, bool, error) {
	for {
		q.mu.Lock()
		segments, from, newest := q.segments, q.cursor+1, q.newest
		q.mu.Unlock()
		ref, ok, damage, err := q.find(segments, from, newest)
		if err != nil {
			return Ref{}, false, err
		}
		if ok {
			newest = ref.Number
		}
		isTaken := q.advance(newest, damage)
		switch {
		case damage != nil:
			return ref, ok && !isTaken, damage
		case !isTaken:
			return ref, ok, nil
		}
	}
}

// Added has a value when a batch was stored since its last value was read.
func (q *Queue) Added() <-chan struct{} { return q.added }

// advance moves the cursor, and keeps the first damage for Trouble. isTaken says that the caller of Append ships the batch at
// the cursor.
func (q *Queue) advance(to uint64, damage *DamagedError) (isTaken bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.noteDamageLocked(damage)
	_, isTaken = q.taken[to]
	q.cursor = max(q.cursor, to)
	maps.DeleteFunc(q.taken, func(number uint64, _ struct{}) bool { return number <= q.cursor })
	return isTaken
}

func (q *Queue) noteDamageLocked(damage *DamagedError) {
	if q.damage == nil && damage != nil {
		q.damage, q.damagedAt = damage, time.Now()
	}
}

// find returns the first batch with a number of at least from and at most newest. damage is of the first damaged file before it.
func (q *Queue) find(segments []*segment, from, newest uint64) (found Ref, ok bool, damage *DamagedError, err error) {
	for _, s := range segments {
		last, holds := q.touch(s)
		if !holds || last < from {
			continue
		}
		err := s.view(batchesBucket, func(b values) error {
			k, v := b.Cursor().Seek(numberKey(from))
			if k == nil {
				return nil
			}
			ref, err := refOf(s, k, b.at(k, v))
			found, ok = ref, err == nil && ref.Number <= min(last, newest)
			return err
		})
		passedOver, isDamaged := errors.AsType[*DamagedError](err)
		_, holds = q.touch(s)
		switch {
		case !holds: // it was removed meanwhile
		case isDamaged && damage == nil:
			damage = passedOver
		case isDamaged:
		case err != nil:
			return Ref{}, false, nil, fmt.Errorf("reading %s: %w", s.path, err)
		case ok:
			return found, true, damage, nil
		}
	}
	return Ref{}, false, damage, nil
}

// touch notes that a segment is used. It returns the number of the last batch, and whether the segment holds any. Batches that a
// failed commit has left in the file do not count.
func (q *Queue) touch(s *segment) (last uint64, holds bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s.used = time.Now()
	return s.last, s.batches > 0
}
