package inflight

import "github.com/txn2/rtbeat/internal/batch"

// Publish puts the batch in line for a worker and returns at once; what is not the batch's to publish is left out. It
// leaves the line when nobody waits for any of its messages. Call it once.
func (t *BatchAck) Publish() {
	r := t.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case t.queued == 0 || r.sealed: // nothing to do, or too late
	case r.closed:
		t.resolveLocked(ErrWithdrawn)
	default:
		t.place = r.line.PushBack(t)
		r.lineReady.Signal()
	}
}

// Take blocks until there is a batch in line, and returns nil when the line is closed. The line is bounded by admission:
// each batch in it holds bytes.
func (r *Registry) Take() *BatchAck {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.line.Len() == 0 && !r.closed {
		r.lineReady.Wait()
	}
	if r.closed {
		return nil
	}
	t := r.line.Front().Value.(*BatchAck) //nolint:forcetypeassert // the list holds nothing else
	r.leaveLineLocked(t)
	return t
}

// Next hands the batch's next message over to the caller, who must publish it or Drop it, and returns false when none
// is left that somebody waits for.
func (t *BatchAck) Next() (m batch.Message, e *EventAck, ok bool) {
	r := t.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	for ; t.queued > 0 && !r.sealed; t.next++ {
		e = &t.events[t.next]
		if e.state != queued {
			continue
		}
		m = t.messages[t.next]
		t.messages[t.next] = batch.Message{} // the pipeline owns it now; do not keep it alive with its neighbours
		t.next++
		t.queued--
		e.state = handedOver
		if r.events == 0 {
			r.progress = r.now() // until now there was nothing to acknowledge
		}
		r.events++
		return m, e, true
	}
	return batch.Message{}, nil, false
}

// Queued is the number of batches that wait for a worker.
func (r *Registry) Queued() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.line.Len()
}

// CloseLine ends Take, for all workers and for good. Batches that are in line stay open until they are withdrawn or
// sealed.
func (r *Registry) CloseLine() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.lineReady.Broadcast()
}

func (r *Registry) leaveLineLocked(t *BatchAck) {
	if t.place != nil {
		r.line.Remove(t.place)
		t.place = nil
	}
}
