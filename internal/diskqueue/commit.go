package diskqueue

import (
	"errors"
	"runtime"
	"slices"
	"time"
)

const (
	// deleteAfter is how long a deletion waits for a batch to share its commit.
	deleteAfter = 20 * time.Millisecond
	// retryAfter is how long run waits after a failure until it looks for space again.
	retryAfter = time.Second
	// groupBatches bounds the batches that share a commit. An eighth of a segment, 8 MiB at most, bounds their bytes: if each
	// batch of a group has space in an empty queue, the group has.
	groupBatches = 256
	// forgetPerCommit is how many values with old keys one commit removes at most. It is more than a group adds.
	forgetPerCommit = groupBatches + 1
)

// run makes the commits, until Close.
func (q *Queue) run() {
	defer close(q.ended)
	retry := time.NewTicker(retryAfter)
	defer retry.Stop()
	for {
		var group []*pending
		select {
		case p := <-q.appends:
			group = q.gather(p)
		case <-q.wake:
			select {
			case p := <-q.appends:
				group = q.gather(p)
			case <-time.After(deleteAfter):
			case <-q.closing:
			}
		case <-retry.C:
			q.mu.Lock()
			isInTrouble := q.trouble != nil
			q.mu.Unlock()
			if isInTrouble {
				q.commit(nil, q.refused)
			}
			last, _ := q.target(0) // no error
			q.closeIdle(last)
			continue
		case <-q.closing:
			q.commit(nil, 0)
			return
		}
		q.commit(group, 0)
	}
}

// gather returns p and the batches that wait beside it.
func (q *Queue) gather(p *pending) []*pending {
	runtime.Gosched() // a goroutine that is about to append does so now, and not one commit later
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

// commit makes the edits, and stores a group of batches. With least > 0 it tries whether least bytes have space.
func (q *Queue) commit(group []*pending, least int64) {
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
	if errors.Is(err, ErrFull) { // removing drained segments may make space
		if last != nil {
			q.drain(last, at, edits[last], &d)
			last = nil
		}
		q.drop(d.segments)
		d.keys = newestOf(d.keys, q.settings.Dedupe.MaxEntries)
		q.unsaved, d.segments = d.keys, nil // until they are saved, a crash forgets them
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
	q.end(group, err, least > 0)
	q.drop(d.segments)
	q.closeIdle(current)
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

// end gives the appenders the result of their commit. Trouble returns it before Append returns. isRetry says that the commit tried
// whether there is space again.
func (q *Queue) end(group []*pending, err error, isRetry bool) {
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
	if isStored || isRetry || err != nil {
		if (err == nil) != (q.trouble == nil) {
			q.since = time.Now()
		}
		q.trouble = err
	}
	q.mu.Unlock()
	if isWaiting {
		select {
		case q.stored <- struct{}{}:
		default:
		}
	}
}
