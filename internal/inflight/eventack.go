package inflight

import "github.com/txn2/rtbeat/internal/batch"

// EventAck is what travels in beat.Event.Private: one message, and the batches that wait for it.
type EventAck struct {
	// The small fields stand together: 80 bytes for each message in flight, a size class of Go's allocator.
	key      messageKey
	state    state
	rejected bool            // the output gave it up
	batch    *BatchAck       // that publishes it
	waits    *wait           // the batches that wait for it, that one included
	size     int             // bytes in the body
	failure  *ProcessorError // of the processors; the publishing worker's alone

	// The message, until it is handed over or withdrawn.
	fields map[string]any
	uuid   string
}

// state is where a message stands.
type state uint8

const (
	queued     state = iota // waits for a worker
	handedOver              // a worker publishes it: the processors have it
	entered                 // the queue and the output have it
	gone                    // done, withdrawn, or dropped
)

// Key returns the key of the message. It is false for a message without a uuid, and where Settings ask for no keys. The
// key never changes: any goroutine may call Key.
func (e *EventAck) Key() (key batch.Key, ok bool) { return e.key.Key, e.key.has }

// Ack says that the output is done with events. It takes what libbeat brings back from
// beat.Event.Private and passes over what is no *EventAck. It returns how many of them count: none after Seal, because
// a closing pipeline reports what it drops as acknowledged, and none twice. rejected is how many of those the output gave
// up: libbeat reports them as acknowledged as well.
func (r *Registry) Ack(private []any) (counted, rejected int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sealed {
		return 0, 0
	}
	now := r.now()
	for _, p := range private {
		e, ok := p.(*EventAck)
		if !ok || !e.inPipeline() {
			continue
		}
		counted++
		if e.state == entered {
			r.progress = now
		}
		e.leaveLocked()
		if e.rejected {
			rejected++
		} else if e.key.ok {
			r.delivered.Add(e.key.Key, now)
		}
		for w := e.waits; w != nil; w = e.waits {
			t := w.batch
			w.endLocked()
			t.doneLocked(e)
		}
		e.batch.settleLocked()
	}
	r.account.Delivered.Events += counted - rejected
	r.account.Rejected += rejected
	return counted, rejected
}

// Enter says that the processors are done with the event, and that the output is to acknowledge it.
func (e *EventAck) Enter() {
	r := e.batch.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sealed || e.state != handedOver {
		return
	}
	e.state = entered
	if r.entered == 0 {
		r.progress = r.now() // until now there was nothing to acknowledge
	}
	r.entered++
}

// Filter says that a processor dropped the event: it is done, and no Ack is needed. It counts as filtered for the batch
// that brought it. Batches that joined it end with ErrJoinedFiltered, because the processors have not seen their
// requests. A processor may look at more than the message, such as the client's address. For the same reason the
// message is not remembered: the next attempt runs the processors, and makes no copy.
func (e *EventAck) Filter() {
	r := e.batch.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sealed || e.state != handedOver {
		return
	}
	e.leaveLocked()
	r.account.Delivered.Events++
	for w := e.waits; w != nil; w = e.waits {
		t := w.batch
		w.endLocked()
		if t != e.batch {
			t.resolveLocked(ErrJoinedFiltered)
			t.settleLocked()
			continue
		}
		t.progress.Filtered++
		t.doneLocked(e)
	}
	e.batch.settleLocked()
}

// SetFailure notes that a processor fails on the event; nil takes the note back. Only the worker that publishes the
// event may call it, and only until Enter, Filter or Drop.
func (e *EventAck) SetFailure(failure *ProcessorError) { e.failure = failure }

// Failure returns the note of SetFailure. The same rules hold.
func (e *EventAck) Failure() *ProcessorError { return e.failure }

// Reject says that the output has given the event up. It is not done by that either: libbeat reports its Ack like that of
// any other. The batches that wait for it end with ErrRejected then, and the message can be published by the next attempt.
func (e *EventAck) Reject() {
	r := e.batch.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	e.rejected = true
}

// Drop says that the event never entered the pipeline: ErrDropped, ErrUnpublishable, or a *ProcessorError. The batches
// that wait for it fail with that cause at once, and the message can be published by the next attempt.
func (e *EventAck) Drop(cause error) {
	r := e.batch.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sealed || !e.inPipeline() {
		return
	}
	e.leaveLocked()
	for w := e.waits; w != nil; w = e.waits {
		t := w.batch
		w.endLocked()
		t.resolveLocked(cause)
		t.settleLocked()
	}
	e.batch.settleLocked()
}

// inPipeline tells whether a worker has handed the event over, and it is not done.
func (e *EventAck) inPipeline() bool { return e.state == handedOver || e.state == entered }

// withdrawLocked takes back a message that no worker has handed over.
func (e *EventAck) withdrawLocked() {
	t := e.batch
	e.forgetLocked()
	e.fields, e.uuid = nil, ""
	t.queued--
	if t.queued == 0 {
		t.own = nil
		t.registry.leaveLineLocked(t)
		t.decodeSlot.leaveLocked()
	}
	t.settleLocked()
}

// leaveLocked ends the way of an event through the pipeline.
func (e *EventAck) leaveLocked() {
	r := e.batch.registry
	r.events--
	e.batch.leavePipelineLocked()
	if e.state == entered {
		r.entered--
	}
	e.forgetLocked()
}

// forgetLocked makes the message unknown, and no part of its batch any more.
func (e *EventAck) forgetLocked() {
	e.state = gone
	e.batch.unsettled--
	e.batch.bytes -= int64(e.size)
	if e.key.ok {
		e.batch.registry.forgetKeyLocked(e.key.Key)
	}
}
