package diskqueue

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/txn2/rtbeat/internal/batch"
)

const (
	// deleteAfter is how long a deletion waits for a batch to share its commit.
	deleteAfter = 20 * time.Millisecond
	// retryAfter is how long run waits after a failure until it tries whether there is room again.
	retryAfter = time.Second
	// groupBatches and groupBytes bound what shares a commit.
	groupBatches = 256
	groupBytes   = 8 << 20
	// forgetPerCommit is how many batches' keys one commit removes. A commit adds fewer where it adds many: then they have
	// their own segment soon.
	forgetPerCommit = groupBatches + 1
)

// pending is a batch that waits for its commit.
type pending struct {
	record  Record
	keys    []batch.Key
	take    bool // the caller of Append ships it
	ref     Ref  // of the stored batch
	isNew   bool // a message of it is not known
	depends bool // a message of it is in another batch of the same commit
	err     error
	done    chan struct{}
}

// Append stores a batch, and returns when it is on the disk. keys are those of its messages; the zero key is none. Messages
// that were stored within the window are known: they are noted in the record, and a batch of known messages alone is not
// stored again; then ref is zero. known are their indexes.
//
// take says that the caller ships the batch that ref leads to, unless there is an error: Next does not return it.
//
// The error is ErrFull, ErrClosed, the cause of ctx, or that of a write; then nothing is stored. But a batch whose ctx has ended
// may be: its body must not be changed any more.
func (q *Queue) Append(ctx context.Context, r Record, keys []batch.Key, take bool) (ref Ref, known []int, err error) {
	p := &pending{record: r, keys: keys, take: take, done: make(chan struct{})}
	select {
	case q.appends <- p:
	case <-q.ended:
		return Ref{}, nil, ErrClosed
	case <-ctx.Done():
		return Ref{}, nil, context.Cause(ctx)
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		if !q.abandon(p) {
			return Ref{}, nil, context.Cause(ctx)
		}
	}
	return p.ref, p.record.Known, p.err
}

// abandon tells run that nobody waits for the commit any more, and whether that comes too late.
func (q *Queue) abandon(p *pending) (isDone bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case <-p.done:
		return true
	default:
		p.take = false
		return false
	}
}

// run makes the commits, until Close.
func (q *Queue) run() {
	defer close(q.ended)
	retry := time.NewTicker(retryAfter)
	defer retry.Stop()
	for {
		select {
		case p := <-q.appends:
			q.commit(q.gather(p))
		case <-q.wake:
			select {
			case p := <-q.appends:
				q.commit(q.gather(p))
			case <-time.After(deleteAfter):
				q.commit(nil)
			case <-q.closing:
				q.commit(nil)
				return
			}
		case <-retry.C:
			if _, err := q.Trouble(); err != nil {
				_, err = q.target(q.refused)
				q.setTrouble(err)
			}
		case <-q.closing:
			q.commit(nil)
			return
		}
	}
}

// gather returns p and the batches that wait beside it.
func (q *Queue) gather(p *pending) []*pending {
	runtime.Gosched() // those that are about to append do so now, and not one commit later
	group, bytes := []*pending{p}, len(p.record.Body)
	for len(group) < groupBatches && bytes < groupBytes {
		select {
		case p := <-q.appends:
			group = append(group, p)
			bytes += len(p.record.Body)
		default:
			return group
		}
	}
	return group
}

// commit deletes what is to be deleted, and stores a group of batches.
func (q *Queue) commit(group []*pending) {
	at := time.Now()
	fresh := q.findKnown(group)
	current, err := q.target(sizeOf(fresh))
	if err != nil { // what is deleted may make room
		fresh = nil
	}
	q.mu.Lock()
	segments := q.segments
	deletes := make(map[*segment][]Ref)
	for _, ref := range q.deletes {
		deletes[ref.segment] = append(deletes[ref.segment], ref)
	}
	updates := make(map[*segment][]update)
	for _, u := range q.updates {
		updates[u.ref.segment] = append(updates[u.ref.segment], u)
	}
	q.deletes, q.updates = nil, nil
	q.mu.Unlock()

	var moved []stored
	var drained []*segment
	for _, s := range segments {
		if s == current {
			continue
		}
		if len(deletes[s])+len(updates[s]) > 0 {
			_ = q.apply(s, changes{deletes: deletes[s], updates: updates[s]}) // then it is deleted with the whole segment
		}
		if s.batches == 0 {
			drained = append(drained, s)
			moved = append(moved, s.keysSince(at.Add(-q.settings.Window))...)
		}
	}
	if current != nil && len(fresh)+len(deletes[current])+len(updates[current])+len(moved) > 0 {
		applyErr := q.apply(current, changes{at, deletes[current], updates[current], fresh, moved})
		if err == nil {
			err = applyErr
		}
	}
	q.end(group, err)
	q.drop(drained)
	q.closeIdle(current)
}

// findKnown notes in each batch which of its messages are known, and returns the batches with any other.
func (q *Queue) findKnown(group []*pending) (fresh []*pending) {
	now := time.Since(q.start)
	inGroup := make(map[batch.Key]struct{})
	for _, p := range group {
		p.isNew = p.keys == nil
		for i, key := range p.keys {
			_, isRepeated := inGroup[key]
			isKnown := q.known.Find(key, now)
			switch {
			case key == batch.Key{}:
				p.isNew = true
			case isKnown, isRepeated:
				p.record.Known = append(p.record.Known, i)
				p.depends = p.depends || !isKnown
			default:
				p.isNew = true
				inGroup[key] = struct{}{}
			}
		}
		if p.isNew {
			fresh = append(fresh, p)
		}
	}
	return fresh
}

// sizeOf is what batches take at most when they are stored, without the pages of the database.
func sizeOf(group []*pending) (size int64) {
	for _, p := range group {
		size += int64(len(p.record.Body)+len(p.keys)*keyBytes) + p.record.headerBytes()
	}
	return size
}

// target returns the segment that has room for so many bytes: the last one, or a new one. For no bytes it returns the last one
// as it is, nil where there is none.
func (q *Queue) target(size int64) (*segment, error) {
	q.mu.Lock()
	var last *segment
	var files int64
	for _, last = range q.segments {
		files += last.size
	}
	q.mu.Unlock()
	if size == 0 || last != nil && !last.frozen && last.bytes+size <= last.room {
		return last, nil
	}
	return q.newSegment(size, files)
}

func (q *Queue) newSegment(size, files int64) (*segment, error) {
	length := max(q.segmentBytes, size*2)
	if files+length > q.settings.MaxBytes {
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

// end says to those that wait how their commit ended.
func (q *Queue) end(group []*pending, err error) {
	now, isStored, isWaiting := time.Since(q.start), false, false
	q.mu.Lock()
	for _, p := range group {
		if p.isNew || p.depends {
			p.err = err
		}
		if p.isNew && err == nil {
			for _, key := range p.newKeys() {
				q.known.Add(key, now)
			}
			isStored = true
			switch {
			case !p.take:
				isWaiting = true
			case q.cursor == q.newest: // nothing else is behind it
				q.cursor = p.ref.Number
			default:
				q.taken[p.ref.Number] = struct{}{}
			}
			q.newest = p.ref.Number
		}
		close(p.done)
	}
	q.mu.Unlock()
	if isWaiting {
		select {
		case q.stored <- struct{}{}:
		default:
		}
	}
	if err != nil {
		q.refused = max(sizeOf(group), 1)
	}
	if isStored || err != nil {
		q.setTrouble(err)
	}
}

// newKeys are the keys of the messages that were not known.
func (p *pending) newKeys() (keys []batch.Key) {
	known := p.record.Known
	for i, key := range p.keys {
		switch {
		case len(known) > 0 && known[0] == i:
			known = known[1:]
		case key != batch.Key{}:
			keys = append(keys, key)
		}
	}
	return keys
}

func (q *Queue) setTrouble(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if (err == nil) != (q.trouble == nil) {
		q.since = time.Now()
	}
	q.trouble = err
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
		s.close()
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

// changes are what one commit changes in one segment.
type changes struct {
	at      time.Time
	deletes []Ref
	updates []update
	group   []*pending
	moved   []stored
}

// update is another Header.Known of a batch.
type update struct {
	ref   Ref
	known []int
}

// stored is a key of the database and its value.
type stored struct{ key, value []byte }

var errFrozen = errors.New("a commit failed before")

// apply makes a commit. A segment where one failed is not written again: the system may take for written what is not, and
// what is then written next to it refers to that (fsync reports an error once). What is deleted there is deleted in memory,
// until the segment is removed as a whole or read again by the next process.
func (q *Queue) apply(s *segment, c changes) error {
	after := s.tally // only run changes it
	err := errFrozen
	if !s.frozen {
		err = s.with(func(db *bbolt.DB) error {
			return db.Update(func(tx *bbolt.Tx) error { return q.change(tx, s, &after, c) })
		})
	}
	info, statErr := os.Stat(s.path)
	q.mu.Lock()
	defer q.mu.Unlock()
	if err != nil {
		s.frozen = true
		after = s.tally
		for _, ref := range c.deletes {
			after.batches--
			after.bytes -= ref.bytes
		}
	}
	gone := int64(0)
	for _, ref := range c.deletes {
		gone += ref.bytes
	}
	q.deletedBytes += gone
	q.storedBytes += after.bytes - s.bytes + gone
	s.tally = after
	if statErr == nil {
		s.size = info.Size()
	}
	return err
}

func (q *Queue) change(tx *bbolt.Tx, s *segment, after *tally, c changes) error {
	batches, keys := tx.Bucket(batchesBucket), tx.Bucket(keysBucket)
	sum := batches.Sequence()
	for _, ref := range c.deletes {
		value := batches.Get(numberKey(ref.Number))
		sum -= binary.BigEndian.Uint64(value)
		after.batches--
		after.bytes -= int64(len(value))
		if err := batches.Delete(numberKey(ref.Number)); err != nil {
			return err //nolint:wrapcheck // run says what it was doing
		}
	}
	for _, u := range c.updates {
		key := numberKey(u.ref.Number)
		value := batches.Get(key)
		if value == nil { // deleted
			continue
		}
		r, err := decode(u.ref.Number, value)
		if err != nil {
			return err
		}
		r.Known = u.known
		changed, err := r.encode(u.ref.Number)
		if err == nil {
			sum += binary.BigEndian.Uint64(changed) - binary.BigEndian.Uint64(value)
			after.bytes += int64(len(changed) - len(value))
			err = batches.Put(key, changed)
		}
		if err != nil {
			return err //nolint:wrapcheck // run says what it was doing
		}
	}
	for _, p := range c.group {
		number := q.next
		q.next++
		value, err := p.record.encode(number)
		if err == nil {
			err = batches.Put(numberKey(number), value)
		}
		if err != nil {
			return err //nolint:wrapcheck // run says what it was doing
		}
		sum += binary.BigEndian.Uint64(value)
		after.batches++
		after.bytes += int64(len(value))
		after.last = number
		if p.ref, err = refOf(s, numberKey(number), value); err != nil {
			return err
		}
		if value := encodeKeys(c.at.UnixNano(), p.newKeys()); countKeys(value) > 0 && q.settings.Window > 0 {
			c.moved = append(c.moved, stored{numberKey(number), value})
		}
	}
	for _, kept := range c.moved {
		if err := keys.Put(kept.key, kept.value); err != nil {
			return err //nolint:wrapcheck // run says what it was doing
		}
		after.keys += countKeys(kept.value)
	}
	for range forgetPerCommit {
		key, value := keys.Cursor().First()
		if key == nil || after.keys <= q.settings.MaxEntries && timeOfKeys(value) > c.at.Add(-q.settings.Window).UnixNano() {
			break
		}
		after.keys -= countKeys(value)
		if err := keys.Delete(key); err != nil {
			return err //nolint:wrapcheck // run says what it was doing
		}
	}
	return batches.SetSequence(sum) //nolint:wrapcheck // run says what it was doing
}
