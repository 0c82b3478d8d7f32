package diskqueue

import (
	"os"
	"slices"
	"time"
)

// draining are the deletions of a commit.
type draining struct {
	at    time.Time
	edits map[*segment][]edit // that are not made yet
	empty []*segment          // segments without batches
	keys  []keysValue         // of the empty segments, and of segments that were removed before; they must be kept
}

// drain makes the edits of a segment, and adds the segment to d when it holds no batches.
func (q *Queue) drain(s *segment, d *draining) {
	q.editMost(s, d, false)
	if s.batches == 0 {
		d.empty = append(d.empty, s)
		d.keys = append(d.keys, s.keysSince(d.at.Add(-q.settings.Dedupe.Window))...)
	}
}

// newestOf leaves the oldest keys out, so that the others are no more than the limit.
func newestOf(keys []keysValue, limit int) []keysValue {
	n := 0
	for i, k := range slices.Backward(keys) {
		if n += countKeys(k.value); n > limit {
			return keys[i+1:]
		}
	}
	return keys
}

// editMost makes the edits of a segment in several commits: the more a commit changes, the more pages it writes before it frees
// others. With isLastLeft it returns the last part, for the commit that stores batches.
func (q *Queue) editMost(s *segment, d *draining, isLastLeft bool) (left []edit) {
	edits := d.edits[s]
	delete(d.edits, s)
	for len(edits) > 0 {
		part := edits[:min(len(edits), groupBatches)]
		if edits = edits[len(part):]; len(edits) == 0 && isLastLeft {
			return part
		}
		_ = q.apply(s, changes{at: d.at, edits: part}) // a batch that is not deleted now is deleted with the segment
	}
	return nil
}

// drop removes segments that hold nothing. If a power failure brings a file back, it holds nothing either.
func (q *Queue) drop(empty []*segment) {
	if len(empty) == 0 {
		return
	}
	q.mu.Lock()
	q.segments = slices.DeleteFunc(slices.Clone(q.segments), func(s *segment) bool { return slices.Contains(empty, s) })
	q.mu.Unlock()
	for _, s := range empty {
		s.end()
		_ = os.Remove(s.path) // the next start removes it
	}
}

// closeIdle closes segments that were not used for a while: few are open at a time.
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
