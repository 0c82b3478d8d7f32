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

const (
	// MaxRun is how many messages of a batch a worker takes before other batches have their time: some milliseconds' work.
	MaxRun = 500
	// patience is how long a batch goes back into the queue at all. A batch of 30,000 messages would wait sixty times for the
	// whole queue, and large batches would all be done at the same time, which is the latest: too late for all of them.
	patience = time.Second
)

// Take blocks until a batch is in the queue, and returns the first. It returns nil when the queue is closed. Admission bounds
// the queue: each batch in it holds bytes.
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
	t.run = 0
	t.takes++
	if t.takes == 1 {
		t.wait = r.now() - t.entered
	}
	return t
}

// QueueWait is how long the batch was in the queue until it was taken first. first is false when it was taken again since.
func (t *BatchAck) QueueWait() (wait time.Duration, first bool) {
	t.registry.mu.Lock()
	defer t.registry.mu.Unlock()
	return t.wait, t.takes == 1
}

// Next hands the batch's next message over to the caller, who must publish it or Drop it. It returns false when no message is
// left that somebody waits for, or when the batch has gone back into the queue, for the sake of others. Either way, the batch
// is no longer the caller's.
func (t *BatchAck) Next() (m batch.Message, e *EventAck, ok bool) {
	r := t.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	for t.queued > 0 && !r.sealed {
		if t.run > 0 && t.run%MaxRun == 0 && t.giveWayLocked() {
			return batch.Message{}, nil, false
		}
		e, t.own = t.own[0], t.own[1:]
		if e.state != queued {
			continue
		}
		m = batch.Message{Fields: e.fields, UUID: e.uuid}
		e.fields, e.uuid = nil, "" // the pipeline owns it now
		e.state = handedOver
		t.run++
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

// giveWayLocked puts a batch that was taken, and has messages left, behind those in the queue, unless there are none or it has
// given way for too long. It reports whether it did.
func (t *BatchAck) giveWayLocked() bool {
	r := t.registry
	if t.queued == 0 || t.place != nil || r.line.Len() == 0 || r.sealed || r.closed || r.now()-t.entered > patience {
		return false
	}
	t.standInLineLocked()
	return true
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
