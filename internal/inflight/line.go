package inflight

import (
	"time"

	"github.com/txn2/rtbeat/internal/batch"
)

// Publish puts the batch in line for a worker and returns at once; what is not the batch's to publish is left out. It
// leaves the line when nobody waits for any of its messages.
func (t *BatchAck) Publish() {
	t.registry.mu.Lock()
	defer t.registry.mu.Unlock()
	t.enterLineLocked()
}

func (t *BatchAck) enterLineLocked() {
	r := t.registry
	switch {
	case t.published || t.queued == 0 || r.sealed: // done already, nothing to do, or too late
	case r.closed:
		t.resolveLocked(ErrWithdrawn)
	default:
		t.entered = r.now()
		t.standInLineLocked()
	}
	t.published = true
}

// Take blocks until a batch is in the line, and returns the first. It returns nil when the line is closed. Admission bounds
// the line: each batch in it holds bytes.
func (r *Registry) Take() *BatchAck {
	r.mu.Lock()
	defer r.mu.Unlock()
	for !r.closed && r.line.Len() == 0 {
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
	for t.queued > 0 && !r.sealed {
		e, t.own = t.own[0], t.own[1:]
		if e.state != queued {
			continue
		}
		m = batch.Message{Fields: e.fields, UUID: e.uuid}
		e.fields, e.uuid = nil, "" // the pipeline owns it now
		e.state = handedOver
		t.queued--
		if t.queued == 0 {
			t.decodeSlot.leaveLocked()
		}
		r.handedOver++
		r.events++
		t.enterPipelineLocked()
		return m, e, true
	}
	t.own = nil
	return batch.Message{}, nil, false
}

// Waited is how long the batch was in line. Whoever has its first message handed over asks; first is false from the
// second time on, for a batch that gave way is in line more than once.
func (t *BatchAck) Waited() (inLine time.Duration, first bool) {
	r := t.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.started {
		return 0, false
	}
	t.started = true
	return r.now() - t.entered, true
}

const (
	// Turn is how many messages of a batch are to be published until it gives way to others: some milliseconds' work.
	Turn = 500
	// patience is how long a batch gives way at all. A batch of 30,000 messages would wait sixty times for the whole
	// line, and large batches would all be done at the same time, which is the latest: too late for all of them.
	patience = time.Second
)

// GiveWay puts a batch that was taken, and has messages left, behind those that are in line, and reports whether it did.
// If so, it is no longer the caller's: Take hands it out again. Call it after each Turn.
func (t *BatchAck) GiveWay() bool {
	r := t.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.queued == 0 || r.line.Len() == 0 || r.sealed || r.closed || r.now()-t.entered > patience {
		return false
	}
	t.standInLineLocked()
	return true
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

func (t *BatchAck) standInLineLocked() {
	r := t.registry
	t.place = r.line.PushBack(t)
	r.lineReady.Signal()
}

func (r *Registry) leaveLineLocked(t *BatchAck) {
	if t.place != nil {
		r.line.Remove(t.place)
		t.place = nil
	}
}
