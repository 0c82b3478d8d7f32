package diskqueue

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"time"

	"github.com/txn2/rtbeat/internal/batch"
)

const (
	// deleteAfter is how long a deletion waits for a batch to share its commit.
	deleteAfter = 20 * time.Millisecond
	// retryAfter is how long run waits after a failure until it tries whether there is room again.
	retryAfter = time.Second
	// groupBatches bounds what shares a commit, and so does an eighth of a segment, 8 MiB at most: a group has room in an
	// empty queue where each of its batches has.
	groupBatches = 256
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
			_ = q.commit(q.gather(p), 0)
		case <-q.wake:
			select {
			case p := <-q.appends:
				_ = q.commit(q.gather(p), 0)
			case <-time.After(deleteAfter):
				_ = q.commit(nil, 0)
			case <-q.closing:
				_ = q.commit(nil, 0)
				return
			}
		case <-retry.C:
			if q.isInTrouble() {
				q.setTrouble(q.commit(nil, q.refused))
			}
			last, _ := q.target(0) // no error
			q.closeIdle(last)
		case <-q.closing:
			_ = q.commit(nil, 0)
			return
		}
	}
}

// gather returns p and the batches that wait beside it.
func (q *Queue) gather(p *pending) []*pending {
	runtime.Gosched() // those that are about to append do so now, and not one commit later
	group, bytes := []*pending{p}, int64(len(p.record.Body))
	for len(group) < groupBatches && bytes < q.segmentBytes/8 {
		select {
		case p := <-q.appends:
			group = append(group, p)
			bytes += int64(len(p.record.Body))
		default:
			return group
		}
	}
	return group
}

// commit deletes what is to be deleted, and stores a group of batches. It makes room for so many bytes at least. The error is
// that of end, too.
func (q *Queue) commit(group []*pending, least int64) error {
	at := time.Now()
	fresh := q.findKnown(group)
	needed, refused := max(sizeOf(fresh), least), max(smallest(fresh), least, 1)
	edits := q.takeEdits()
	var last *segment
	d := drained{keys: slices.Clone(q.unsaved)}
	for i, s := range q.segments {
		if i == len(q.segments)-1 {
			last = s
		} else {
			q.drain(s, at, edits[s], &d)
		}
	}
	current, err := q.target(needed + sizeOfKeys(d.keys))
	if errors.Is(err, ErrFull) { // what is deleted may make room
		if last != nil {
			q.drain(last, at, edits[last], &d)
			last = nil
		}
		q.drop(d.segments)
		d.keys = newestOf(d.keys, q.settings.Dedupe.MaxEntries)
		q.unsaved, d.segments = d.keys, nil // until they are saved, a crash forgets that they are known
		if current, err = q.target(needed + sizeOfKeys(d.keys)); errors.Is(err, ErrFull) {
			d.keys = nil
			current, err = q.target(needed)
		}
	}
	if err != nil {
		fresh, d.segments = nil, nil
		if current, _ = q.target(sizeOfKeys(q.unsaved)); current != nil {
			d.keys = q.unsaved
		}
	}
	c := changes{at: at, group: fresh, moved: d.keys}
	if last != nil {
		c.edits = q.editMost(last, at, edits[last], last == current && !last.frozen)
	}
	if current != nil && len(c.edits)+len(c.group)+len(c.moved) > 0 {
		if applyErr := q.apply(current, c); applyErr != nil {
			err, d = applyErr, drained{} // the next commit drains them again
		} else if len(c.moved) > 0 {
			q.unsaved = nil
		}
	}
	if err != nil {
		q.refused = refused
	}
	q.end(group, err)
	q.drop(d.segments)
	q.closeIdle(current)
	return err
}

func (q *Queue) takeEdits() map[*segment][]edit {
	q.mu.Lock()
	defer q.mu.Unlock()
	edits := make(map[*segment][]edit)
	for _, e := range q.edits {
		edits[e.ref.segment] = append(edits[e.ref.segment], e)
	}
	q.edits = nil
	return edits
}

// drained are segments that hold no batches, and the keys in them that are to be kept.
type drained struct {
	segments []*segment
	keys     []stored
}

// drain makes the edits of a segment, and adds the segment to d when it holds no batches.
func (q *Queue) drain(s *segment, at time.Time, edits []edit, d *drained) {
	q.editMost(s, at, edits, false)
	if s.batches == 0 {
		d.segments = append(d.segments, s)
		d.keys = append(d.keys, s.keysSince(at.Add(-q.settings.Dedupe.Window))...)
	}
}

// newestOf leaves the first ones out, as long as the others have more keys than the limit.
func newestOf(keys []stored, limit int) []stored {
	n := 0
	for i, k := range slices.Backward(keys) {
		if n += countKeys(k.value); n > limit {
			return keys[i+1:]
		}
	}
	return keys
}

// editMost makes the edits of a segment. Each commit makes a part of them: the more a commit changes, the more pages it
// writes before it frees others. The last part may be left to the commit that stores batches.
func (q *Queue) editMost(s *segment, at time.Time, edits []edit, isLastLeft bool) (left []edit) {
	for len(edits) > 0 {
		part := edits[:min(len(edits), groupBatches)]
		if edits = edits[len(part):]; len(edits) == 0 && isLastLeft {
			return part
		}
		_ = q.apply(s, changes{at: at, edits: part}) // what is not deleted now is deleted with the whole segment
	}
	return nil
}

// findKnown notes in each batch which of its messages are known, and returns the batches with any other. Once damage was found,
// no message is known from before: a copy is better than a 200 for a message that is lost.
func (q *Queue) findKnown(group []*pending) (fresh []*pending) {
	now := time.Since(q.start)
	q.mu.Lock()
	isDamaged := q.isDamaged
	q.mu.Unlock()
	inGroup := make(map[batch.Key]struct{})
	for _, p := range group {
		p.isNew = len(p.keys) == 0
		for i, key := range p.keys {
			_, isRepeated := inGroup[key]
			isKnown := !isDamaged && q.known.Find(key, now)
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

// sizeOfValue is more than what a value of so many bytes takes. A large one begins a page.
func sizeOfValue(n int64) int64 {
	if n < largeValue {
		return n + n/8 + 64
	}
	return n + pageSize + 128
}

// end tells the appenders how their commit ended. Trouble tells the same by then.
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
	if isStored || err != nil {
		q.setTroubleLocked(err)
	}
	q.mu.Unlock()
	if isWaiting {
		select {
		case q.stored <- struct{}{}:
		default:
		}
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

func (q *Queue) isInTrouble() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.trouble != nil
}

func (q *Queue) setTrouble(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.setTroubleLocked(err)
}

func (q *Queue) setTroubleLocked(err error) {
	if (err == nil) != (q.trouble == nil) {
		q.since = time.Now()
	}
	q.trouble = err
}
