package inflight

import "github.com/txn2/rtbeat/internal/batch"

// EventAck is one message and the batches that wait for it. It travels in beat.Event.Private.
type EventAck struct {
	// The small fields are neighbors: 80 bytes for each message in flight, a size class of Go's allocator.
	key      messageKey
	state    state
	rejected bool            // the output gave it up
	batch    *BatchAck       // that publishes it
	waits    *wait           // the batches that wait for it, its publisher included
	size     int             // bytes in the body
	failure  *ProcessorError // of the processors; the publishing worker's alone

	// The message, until a worker takes it, or it is withdrawn.
	fields map[string]any
	id     string
}

type state uint8

const (
	unpublished state = iota // waits for a worker
	processing               // a worker publishes it: the processors have it
	atOutput                 // the queue and the output have it
	gone                     // done, withdrawn, or dropped
)

// Key returns the key of the message; false for a message without one, or if Settings ask for no keys. Any goroutine may call Key.
func (e *EventAck) Key() (key batch.Key, ok bool) { return e.key.Key, e.key.has }

// Ack says that the output is done with events. private are the values of beat.Event.Private; a value that is no *EventAck is
// skipped. counted is how many events were in the pipeline: no event counts twice, and none after Seal, because a closing
// pipeline reports dropped events as acknowledged. rejected is how many of the counted events the output gave up: libbeat
// reports them as acknowledged as well.
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
		if e.state == atOutput {
			r.lastAck = now
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

// ReachOutput says that the processors are done with the event, and that the output is to acknowledge it.
func (e *EventAck) ReachOutput() {
	r := e.batch.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sealed || e.state != processing {
		return
	}
	e.state = atOutput
	if r.atOutput == 0 {
		r.lastAck = r.now() // a stall is counted from here
	}
	r.atOutput++
}

// Filter says that a processor dropped the event. It is done, and no Ack follows. The batch that published it counts it as
// filtered. Other batches that wait for it end with ErrJoinedFiltered: the processors have not seen their requests, and may look
// at more than the message, such as the client's address. For the same reason the message is not deduped later: the next
// attempt runs the processors, and makes no copy.
func (e *EventAck) Filter() {
	r := e.batch.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sealed || e.state != processing {
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

// SetFailure notes that a processor fails on the event; nil removes the note. Only the worker that publishes the event may call
// it, and only until ReachOutput, Filter or Drop.
func (e *EventAck) SetFailure(failure *ProcessorError) { e.failure = failure }

// Failure returns the note of SetFailure. The same rules hold.
func (e *EventAck) Failure() *ProcessorError { return e.failure }

// Reject says that the output has given the event up. libbeat reports its Ack all the same. Then the batches that wait for it
// end with ErrRejected, and the next attempt can publish the message.
func (e *EventAck) Reject() {
	r := e.batch.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	e.rejected = true
}

// Drop says that the event never reached the output. cause is ErrDropped, ErrUnpublishable, or a *ProcessorError. The batches
// that wait for the event fail with it at once, and the next attempt can publish the message.
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
func (e *EventAck) inPipeline() bool { return e.state == processing || e.state == atOutput }

func (e *EventAck) withdrawLocked() {
	t := e.batch
	e.forgetLocked()
	e.fields, e.id = nil, ""
	delete(t.invalid, e)
	t.unpublished--
	if t.unpublished == 0 {
		t.own = nil
		t.registry.dequeueLocked(t)
		t.decodeSlot.leaveLocked()
	}
	t.settleLocked()
}

func (e *EventAck) leaveLocked() {
	r := e.batch.registry
	r.events--
	e.batch.leavePipelineLocked()
	if e.state == atOutput {
		r.atOutput--
	}
	e.forgetLocked()
}

// forgetLocked removes the message from its batch, and from the messages in flight.
func (e *EventAck) forgetLocked() {
	e.state = gone
	e.batch.unsettled--
	e.batch.bytes -= int64(e.size)
	if e.key.ok {
		e.batch.registry.forgetKeyLocked(e.key.Key)
	}
}
