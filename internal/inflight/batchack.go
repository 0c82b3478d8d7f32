package inflight

import (
	"container/list"
	"context"
	"time"
)

// BatchAck is the token of one batch: what its handler waits on.
//
// Two moments matter. The token is *resolved* when the waiter's answer is known: every message acknowledged, or a
// cause why that will not happen. It is *settled* when the output is done with all that the batch published, or it was
// withdrawn: then the registry forgets the token and its bytes are given back. A batch that timed out is settled long
// after it was answered.
type BatchAck struct {
	Origin

	registry    *Registry
	reservation *Reservation
	resolved    chan struct{} // closed when all messages are done, or with cause
	cause       error         // why the batch will not become delivered; written once, before resolved is closed

	// Guarded by the registry's lock.
	progress   Progress
	waits      []wait        // for each message that was not delivered before, until the batch is answered
	own        []*EventAck   // what is the batch's to publish and no worker has looked at
	queued     int           // of own: not withdrawn
	published  bool          // was put in line
	place      *list.Element // in line
	decodeSlot *DecodeSlot   // until queued is 0
	entered    time.Duration // when it was put in the queue first
	wait       time.Duration // until it was taken first
	takes      int           // by workers
	run        int           // messages handed over since it was taken
	answered   bool

	received time.Duration // when the batch came in, on the registry's clock
	piped    int           // events of it that the pipeline has
	rank     int           // among the batches that have such events (oldest.go)

	unsettled int   // events that are or were own, neither done nor withdrawn
	bytes     int64 // of those
}

// Progress is what is known of a batch at one moment.
type Progress struct {
	Messages  int // in the batch
	Acked     int // the output has acknowledged them, or a processor dropped them
	Rejected  int // the output has given them up
	Filtered  int // of Acked: dropped by a processor, for this batch
	InFlight  int // found in flight when the batch came: joined, not published again
	Delivered int // found delivered when the batch came
}

// Coalesced is the number of messages that were not published again.
func (p Progress) Coalesced() int { return p.InFlight + p.Delivered }

// wait says that a batch waits for an event. The waits of an event are a list, so that any of them can be taken out.
type wait struct {
	batch      *BatchAck
	event      *EventAck // nil when it is over
	prev, next *wait
}

// waitForLocked adds a wait. There is room for it: pointers to waits must stay valid.
func (t *BatchAck) waitForLocked(e *EventAck) {
	t.waits = append(t.waits, wait{batch: t, event: e, next: e.waits})
	w := &t.waits[len(t.waits)-1]
	if e.waits != nil {
		e.waits.prev = w
	}
	e.waits = w
}

// endLocked takes a wait out of the list of its event.
func (w *wait) endLocked() {
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		w.event.waits = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	}
	*w = wait{}
}

// Await blocks until the output has acknowledged every message (nil), the batch can no longer become delivered
// (ErrRejected, ErrDropped, ErrUnpublishable, *ProcessorError, ErrJoinedFiltered, ErrWithdrawn, ErrSealed), or ctx ends
// (its cause). Unless it returns nil, the batch is withdrawn, as by Withdraw; delivery wins when it comes in between.
func (t *BatchAck) Await(ctx context.Context) (withdrawn int, err error) {
	if err = t.Wait(ctx); err == nil {
		return 0, nil
	}
	withdrawn, delivered := t.Withdraw()
	if delivered {
		return 0, nil
	}
	return withdrawn, err
}

// Wait is Await without the withdrawal. When several ends are there at once, delivery wins: it is a fact.
func (t *BatchAck) Wait(ctx context.Context) error {
	select {
	case <-t.resolved:
	default:
		select {
		case <-t.resolved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return t.cause
}

// Progress tells how far the batch has come. After Withdraw it stays as it is.
func (t *BatchAck) Progress() Progress {
	t.registry.mu.Lock()
	defer t.registry.mu.Unlock()
	return t.progress
}

// Withdraw ends the batch's waiting. Messages that no other batch waits for, and that no worker has handed over, are
// taken back; withdrawn is their number. What the pipeline has stays in flight, with its bytes. delivered tells whether
// the batch was delivered after all. More calls take nothing back.
func (t *BatchAck) Withdraw() (withdrawn int, delivered bool) {
	r := t.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	if !t.answered {
		t.answered = true
		for i := range t.waits {
			w := &t.waits[i]
			e := w.event
			if e == nil {
				continue
			}
			w.endLocked()
			if e.waits == nil && e.state == queued {
				e.withdrawLocked()
				withdrawn++
			}
		}
		t.resolveLocked(ErrWithdrawn)
		t.waits = nil
		t.enterLineLocked() // had it not been published, others would wait in vain for what is still queued
		t.settleLocked()
	}
	return withdrawn, t.cause == nil
}

// resolveLocked fixes the waiter's answer, once: nil means delivered.
func (t *BatchAck) resolveLocked(cause error) {
	select {
	case <-t.resolved:
		return
	default:
	}
	t.cause = cause
	close(t.resolved)
	if cause == nil {
		t.registry.account.Delivered.Batches++
	}
}

// doneLocked counts a message that the output, or a processor, is done with. The batch is resolved by its last one.
func (t *BatchAck) doneLocked(e *EventAck) {
	if e.rejected {
		t.progress.Rejected++
	} else {
		t.progress.Acked++
	}
	if t.progress.Acked+t.progress.Rejected < t.progress.Messages {
		return
	}
	var cause error
	if t.progress.Rejected > 0 {
		cause = ErrRejected
	}
	t.resolveLocked(cause)
	t.settleLocked()
}

// settleLocked gives back what the batch need not hold any more, once it is answered, and notices that nothing of it is
// left, here or in the pipeline. It may do so more than once.
func (t *BatchAck) settleLocked() {
	select {
	case <-t.resolved:
	default:
		return
	}
	if t.unsettled > 0 {
		if t.answered {
			t.reservation.shrink(t.bytes)
		}
		return
	}
	t.reservation.Release()
	t.registry.forgetLocked(t)
}
