package inflight

import (
	"context"
	"sync"
)

// BatchAck is the token of one batch: what travels in beat.Event.Private, and what the handler waits on. It counts
// the batch's messages from the hand-over to the pipeline until the output is done with them.
//
// Two moments matter. The token is *resolved* when the waiter's answer is known: every message acknowledged, or a
// cause why that will not happen. It is *settled* when nothing of the batch is left in the process: then the
// registry forgets it and its bytes are given back. A batch that timed out is settled long after it was answered.
type BatchAck struct {
	registry    *Registry
	reservation *Reservation
	total       int

	mu        sync.Mutex
	handed    int   // given to the pipeline
	size      int64 // bytes of what was given to the pipeline
	done      int   // acknowledged by the output, or filtered by a processor; done <= handed
	filtered  int   // of done or of what will be: dropped by a processor
	lost      int   // handed over, but never entered the pipeline
	withdrawn bool
	cause     error // why the batch will not become delivered; the first cause stays
	settled   bool

	resolved chan struct{} // closed when all messages are done, or with cause
}

// Progress is what is known of a batch at one moment.
type Progress struct {
	Messages int // in the batch
	Acked    int // the output is done with them, filtered ones included
	Filtered int // of Acked: dropped by a processor
}

// Wait blocks until the output is done with every message (nil), the batch can no longer become delivered
// (ErrDropped, ErrUnpublishable, ErrWithdrawn, ErrSealed), or ctx ends (its cause). When several are true at once,
// delivery wins: it is a fact.
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
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.cause
}

// Progress tells how far the batch has come.
func (t *BatchAck) Progress() Progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	// A filtered event is counted on its way into the pipeline, its turn among the acks comes later.
	return Progress{Messages: t.total, Acked: t.done, Filtered: min(t.filtered, t.done)}
}

// HandOver counts one more message, of size bytes, as given to the pipeline. It returns false when the batch was
// withdrawn or has failed, or all of it is given: then nothing must be published.
func (t *BatchAck) HandOver(size int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.withdrawn || t.cause != nil || t.handed == t.total {
		return false
	}
	t.handed++
	t.size += int64(size)
	t.registry.events.Add(1)
	return true
}

// Withdraw takes back what was not handed over yet and returns how many messages that were, and whether the batch
// was delivered after all in the meantime. What the pipeline has stays in flight, with its bytes.
func (t *BatchAck) Withdraw() (withdrawn int, delivered bool) {
	t.mu.Lock()
	if !t.withdrawn {
		t.withdrawn = true
		withdrawn = t.total - t.handed
	}
	if withdrawn > 0 {
		t.reservation.shrink(t.size)
		t.resolveLocked(ErrWithdrawn)
	}
	delivered = t.done == t.total
	settled := t.settleLocked()
	t.mu.Unlock()
	t.after(settled)
	return withdrawn, delivered
}

// Ack says that the output, or a processor, is done with n more messages. It returns how many of them count: none
// after the token has been sealed, because a closing pipeline reports what it drops as acknowledged.
func (t *BatchAck) Ack(n int) int {
	t.mu.Lock()
	if t.settled {
		t.mu.Unlock()
		return 0
	}
	n = min(n, t.handed-t.lost-t.done)
	t.done += n
	delivered := t.done == t.total
	if delivered {
		t.resolveLocked(nil)
	}
	settled := t.settleLocked()
	t.registry.acknowledged(n, delivered) // under the lock, so that Seal finds each event on one side of its account
	t.mu.Unlock()
	t.after(settled)
	return n
}

// Filter says that a processor dropped one message that was handed over. It is not done by that: its Ack comes in
// order with those of its neighbours.
func (t *BatchAck) Filter() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.filtered++
}

// Drop says that one message that was handed over never entered the pipeline: ErrDropped, or ErrUnpublishable. The
// batch fails with that cause at once.
func (t *BatchAck) Drop(cause error) {
	t.mu.Lock()
	if t.settled {
		t.mu.Unlock()
		return
	}
	t.lost++
	t.resolveLocked(cause)
	settled := t.settleLocked()
	t.registry.events.Add(-1)
	t.mu.Unlock()
	t.after(settled)
}

// seal ends the token: the waiter gets ErrSealed, and no acknowledgement counts from here on. It returns how many
// events were still unacknowledged, and false when the token had settled before.
func (t *BatchAck) seal() (events int, ok bool) {
	t.mu.Lock()
	if t.settled {
		t.mu.Unlock()
		return 0, false
	}
	t.resolveLocked(ErrSealed)
	t.settled = true
	events = t.handed - t.lost - t.done
	t.mu.Unlock()
	t.registry.events.Add(-int64(events))
	t.reservation.Release()
	return events, true
}

// resolveLocked fixes the waiter's answer, once: nil means delivered.
func (t *BatchAck) resolveLocked(cause error) {
	select {
	case <-t.resolved:
	default:
		t.cause = cause
		close(t.resolved)
	}
}

// settleLocked notices, once, that nothing of the batch is left: everything handed over is accounted for, and no
// more will be handed over.
func (t *BatchAck) settleLocked() bool {
	closed := t.withdrawn || t.cause != nil || t.handed == t.total
	if t.settled || !closed || t.done+t.lost < t.handed {
		return false
	}
	t.settled = true
	return true
}

// after does what follows from settling, outside the token's lock: the registry's lock comes first elsewhere.
func (t *BatchAck) after(settled bool) {
	if !settled {
		return
	}
	t.reservation.Release()
	t.registry.forget(t)
}
