package inflight

import (
	"time"

	"github.com/txn2/rtbeat/internal/batch"
)

// Publish puts the batch in the queue for the workers, and returns at once. Deduped messages are left out. The batch leaves the
// queue when no batch waits for any of its messages.
func (t *BatchAck) Publish() {
	t.registry.mu.Lock()
	defer t.registry.mu.Unlock()
	t.publishLocked()
}

func (t *BatchAck) publishLocked() {
	r := t.registry
	switch {
	case t.published || t.unpublished == 0 || r.sealed: // nothing to publish, or too late
	case r.closed:
		t.resolveLocked(ErrWithdrawn)
	default:
		t.queuedAt = r.now()
		t.enqueueLocked()
	}
	t.published = true
}

const (
	// MaxRun is how many messages of a batch a worker takes before the batch gives way: some milliseconds' work.
	MaxRun = 500
	// patience is how long a batch gives way to others. Otherwise a batch of 30,000 messages would wait for the whole queue sixty
	// times, and large batches would all be done at the same time: too late.
	patience = time.Second
)

// Take blocks until a batch is in the queue, and returns the first. It returns nil when the queue is closed. Admission bounds
// the queue: each batch in it holds bytes.
func (r *Registry) Take() *BatchAck {
	r.mu.Lock()
	defer r.mu.Unlock()
	for !r.closed && r.queue.Len() == 0 {
		r.queueReady.Wait()
	}
	if r.closed {
		return nil
	}
	t := r.queue.Front().Value.(*BatchAck) //nolint:forcetypeassert // the list holds nothing else
	r.dequeueLocked(t)
	t.run = 0
	t.takes++
	if t.takes == 1 {
		t.queueWait = r.now() - t.queuedAt
	}
	return t
}

// QueueWait is how long the batch was in the queue until it was taken first. first is false when it was taken again since.
func (t *BatchAck) QueueWait() (wait time.Duration, first bool) {
	t.registry.mu.Lock()
	defer t.registry.mu.Unlock()
	return t.queueWait, t.takes == 1
}

// Next hands the batch's next message over to the caller, who must publish it or Drop it. A message that is not valid has its Failure
// and its bytes. It returns false when no message is
// left, or when the batch went back into the queue because others wait. Then the batch is no longer the caller's.
func (t *BatchAck) Next() (m batch.Message, e *EventAck, ok bool) {
	r := t.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	for t.unpublished > 0 && !r.sealed {
		if t.run > 0 && t.run%MaxRun == 0 && t.giveWayLocked() {
			return batch.Message{}, nil, false
		}
		e, t.own = t.own[0], t.own[1:]
		if e.state != unpublished {
			continue
		}
		invalid := t.invalid[e]
		delete(t.invalid, e)
		m = batch.Message{Fields: e.fields, ID: e.id, Failure: invalid.Failure, Raw: invalid.Raw}
		e.fields, e.id = nil, "" // the pipeline owns it now
		e.state = processing
		t.run++
		t.unpublished--
		if t.unpublished == 0 {
			t.decodeSlot.leaveLocked()
		}
		r.taken++
		r.events++
		t.enterPipelineLocked()
		return m, e, true
	}
	t.own = nil
	return batch.Message{}, nil, false
}

// QueueLength is the number of batches that wait for a worker.
func (r *Registry) QueueLength() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.queue.Len()
}

// CloseQueue ends Take, for all workers and for good. Batches in the queue stay open until they are withdrawn or sealed.
func (r *Registry) CloseQueue() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.queueReady.Broadcast()
}

// giveWayLocked puts a batch with messages left behind the others in the queue. It returns false when there are no others, or when
// the batch has given way for too long.
func (t *BatchAck) giveWayLocked() bool {
	r := t.registry
	if t.unpublished == 0 || t.queueElem != nil || r.queue.Len() == 0 || r.sealed || r.closed || r.now()-t.queuedAt > patience {
		return false
	}
	t.enqueueLocked()
	return true
}

func (t *BatchAck) enqueueLocked() {
	r := t.registry
	t.queueElem = r.queue.PushBack(t)
	r.queueReady.Signal()
}

func (r *Registry) dequeueLocked(t *BatchAck) {
	if t.queueElem != nil {
		r.queue.Remove(t.queueElem)
		t.queueElem = nil
	}
}
