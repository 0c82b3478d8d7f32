package diskqueue

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"go.etcd.io/bbolt"
)

// changes are the changes of one commit in one segment.
type changes struct {
	at    time.Time
	edits []edit
	group []*pending
	moved []keysValue // keys from other segments
}

// edit removes a batch, or gives it another Header.Skip.
type edit struct {
	ref      Ref
	isDelete bool
	skip     []int
}

// keysValue is a value of the bucket of keys, and its number.
type keysValue struct {
	number uint64
	value  []byte
}

var errFrozen = errors.New("a commit failed before")

// apply makes a commit. A segment is never written again after a failed commit: fsync reports an error once, and the kernel may
// then show pages that the disk lacks, to which later pages would refer. A deletion there changes memory only. It lasts until the
// next process reads the segment again, or the segment is removed.
func (q *Queue) apply(s *segment, c changes) error {
	after := s.tally // only run changes it
	err := errFrozen
	if !s.frozen {
		err = s.with(func(db *bbolt.DB) error {
			return db.Update(func(tx *bbolt.Tx) error { return q.change(tx, s, &after, c) })
		})
	}
	if isNoSpace(err) {
		err = fmt.Errorf("%w: %w", ErrFull, err)
	}
	info, statErr := os.Stat(s.path)
	q.mu.Lock()
	defer q.mu.Unlock()
	if err != nil {
		s.frozen = true
		after = s.tally
	}
	q.storedBytes += after.bytes - s.bytes
	for _, e := range c.edits {
		if e.isDelete {
			after.batches--
			s.deletions++
			after.bytes -= e.ref.bytes
			q.deletedBytes += e.ref.bytes
		}
	}
	s.tally = after
	if statErr == nil {
		s.size = info.Size()
	}
	return err
}

// change makes the changes in a transaction. Its errors are bbolt's.
func (q *Queue) change(tx *bbolt.Tx, s *segment, after *tally, c changes) error {
	batches, err := valuesOf(tx, batchesBucket)
	if err != nil {
		return err
	}
	keys, err := valuesOf(tx, keysBucket)
	if err != nil {
		return err
	}
	if err := s.edit(batches, tx.Size(), c.edits); err != nil {
		return err
	}
	for _, p := range c.group {
		number := q.next
		q.next++
		value, err := p.record.encode(number)
		if err == nil {
			err = batches.put(number, value)
		}
		if err != nil {
			return err
		}
		after.batches++
		after.bytes += int64(len(value))
		after.last = number
		if p.ref, err = refOf(s, numberKey(number), value); err != nil {
			return err
		}
		if fresh := p.newKeys(); len(fresh) > 0 && q.settings.Dedupe.Window > 0 {
			c.moved = append(c.moved, keysValue{number, encodeKeys(number, c.at.UnixNano(), fresh)})
		}
	}
	for _, k := range c.moved {
		if keys.get(k.number) != nil { // moved before: a power failure has brought their segment back
			continue
		}
		if err := keys.put(k.number, k.value); err != nil {
			return err
		}
		after.keys += countKeys(k.value)
	}
	return q.forget(keys, after, c.at.Add(-q.settings.Dedupe.Window).UnixNano())
}

// edit makes edits. used is how many bytes of the file are in use. An edit other than a deletion is left out if it would make the
// file longer.
func (s *segment) edit(batches values, used int64, edits []edit) error {
	for _, e := range edits {
		value, err := batches.edited(e)
		if used += sizeOfValue(int64(len(value))); err == nil && (e.isDelete || value != nil && used <= s.size) {
			err = batches.replace(e.ref.Number, value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// forget removes keys that are older than the window, or too many.
func (q *Queue) forget(keys values, after *tally, oldest int64) error {
	for range forgetPerCommit {
		k, value := keys.Cursor().First()
		value = keys.at(k, value)
		if k == nil || after.keys <= q.settings.Dedupe.MaxEntries && timeOfKeys(value) > oldest {
			break
		}
		after.keys -= countKeys(value)
		if err := keys.replace(binary.BigEndian.Uint64(k), nil); err != nil {
			return err
		}
	}
	return nil
}
