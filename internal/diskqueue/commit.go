package diskqueue

import (
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
	ticker := time.NewTicker(retryAfter)
	defer ticker.Stop()
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
		case <-ticker.C:
			q.retry()
			q.closeIdle(q.lastSegment())
			continue
		case <-q.closing:
			q.commit(nil)
			return
		}
		q.commit(group)
	}
}

// retry looks for space again after a failure.
func (q *Queue) retry() {
	q.mu.Lock()
	isInTrouble := q.trouble != nil
	q.mu.Unlock()
	if isInTrouble {
		q.probe = q.refused
		q.commit(nil)
		q.probe = 0
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

// commit deletes the delivered batches and stores a group, in the last segment or a new one. Without space for a new one it removes
// the segments without batches first; until their keys are saved, a crash forgets them. end gives each Append the error.
func (q *Queue) commit(group []*pending) {
	fresh := q.findKnown(group)
	d := draining{at: time.Now(), edits: q.takeEdits(), keys: slices.Clone(q.keysWithoutSegment)}
	last := q.lastSegment()
	for _, s := range q.segments {
		if s != last {
			q.drain(s, &d)
		}
	}
	target, spaceErr := q.segmentFor(max(sizeOf(fresh), q.probe), &d)
	c := changes{at: d.at, moved: d.keys}
	if spaceErr == nil {
		c.group = fresh
	}
	if last != nil {
		c.edits = q.editMost(last, &d, last == target && !last.frozen)
	}
	err := q.write(target, c)
	if err != nil {
		d.empty = nil // the next commit drains them again
	} else {
		err = spaceErr
	}
	if err != nil {
		q.refused = max(smallest(fresh), q.probe, 1)
	}
	q.end(group, err)
	q.drop(d.empty)
	q.closeIdle(target)
}

// write makes the changes, if there are any. The moved keys are saved then.
func (q *Queue) write(target *segment, c changes) error {
	if target == nil || len(c.edits)+len(c.group)+len(c.moved) == 0 {
		return nil
	}
	if err := q.apply(target, c); err != nil {
		return err
	}
	if len(c.moved) > 0 {
		q.keysWithoutSegment = nil
	}
	return nil
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

// end gives the appenders the result of their commit. Trouble returns it before Append returns.
func (q *Queue) end(group []*pending, err error) {
	now, isStored, isWaiting := time.Since(q.start), false, false
	q.mu.Lock()
	for _, p := range group {
		if p.isNew || p.depends {
			p.err = err
		}
		if p.isNew && err == nil {
			for _, key := range p.newKeys() {
				q.window.Add(key, now)
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
	if isStored || q.probe > 0 || err != nil {
		if (err == nil) != (q.trouble == nil) {
			q.since = time.Now()
		}
		q.trouble = err
	}
	q.mu.Unlock()
	if isWaiting {
		select {
		case q.added <- struct{}{}:
		default:
		}
	}
}
