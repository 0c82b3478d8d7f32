package inflight

import (
	"container/list"
	"context"
	"time"

	"github.com/txn2/rtbeat/internal/batch"
)

// BatchAck is the token of one batch. Its handler waits for it.
//
// The token is *resolved* when the answer is known: every message is acknowledged, or there is a cause why that will not happen.
// It is *settled* when the output is done with every message that the batch published, or they were withdrawn. Then the
// registry forgets the token, and the reservation is released. A batch that timed out settles long after its answer.
type BatchAck struct {
	Origin

	registry    *Registry
	reservation *Reservation
	resolved    chan struct{} // closed when all messages are done, or with cause
	cause       error         // why the batch will not become delivered; written once, before resolved is closed

	// Guarded by the registry's lock.
	progress    Progress
	waits       []wait                      // for each message that was not delivered before, until the batch is answered
	own         []*EventAck                 // the messages that the batch publishes, and no worker has taken
	invalid     map[*EventAck]batch.Message // of own: messages that are not valid, with their bytes
	unpublished int                         // of own: no worker has taken them, and they are not withdrawn
	published   bool                        // was put in the queue
	queueElem   *list.Element               // in the queue
	decodeSlot  *DecodeSlot                 // until unpublished is 0
	queuedAt    time.Duration               // when it was put in the queue first
	queueWait   time.Duration               // from queuedAt until a worker took it first
	takes       int                         // by workers
	run         int                         // messages that a worker has taken since it took the batch
	answered    bool

	receivedAt time.Duration // the time of the request, on the registry's clock
	piped      int           // its events in the pipeline
	rank       int           // in Registry.oldest, while piped is not 0

	unsettled int   // events that the batch publishes, neither done nor withdrawn
	bytes     int64 // of the unsettled events
}

// Progress is how far a batch is at one moment.
type Progress struct {
	Messages         int // in the batch
	Acked            int // the output has acknowledged them, or a processor dropped them
	Rejected         int // the output has given them up
	Filtered         int // of Acked: dropped by a processor, for this batch
	DedupedInFlight  int // of Messages: in flight already, so not published again
	DedupedDelivered int // of Messages: delivered before
}

// Deduped is the number of messages that were not published again.
func (p Progress) Deduped() int { return p.DedupedInFlight + p.DedupedDelivered }

// wait says that a batch waits for an event. The waits of an event are a linked list, so that each can leave it.
type wait struct {
	batch      *BatchAck
	event      *EventAck // nil when it is over
	prev, next *wait
}

// waitForLocked adds a wait. t.waits has the capacity for it: pointers to waits must stay valid.
func (t *BatchAck) waitForLocked(e *EventAck) {
	t.waits = append(t.waits, wait{batch: t, event: e, next: e.waits})
	w := &t.waits[len(t.waits)-1]
	if e.waits != nil {
		e.waits.prev = w
	}
	e.waits = w
}

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

// Await blocks until the batch is resolved, or ctx ends (its cause). It returns nil once the output has acknowledged every message.
// The other resolutions are ErrRejected, ErrDropped, ErrUnpublishable, *ProcessorError, ErrJoinedFiltered, ErrWithdrawn and
// ErrSealed. Unless it returns nil, the batch is withdrawn, as by Withdraw; a delivery in between wins.
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

// Wait is Await without the withdrawal. When the batch is resolved and ctx has ended, the resolution wins: it is a fact.
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

// Progress returns how far the batch is. After Withdraw it stays the same.
func (t *BatchAck) Progress() Progress {
	t.registry.mu.Lock()
	defer t.registry.mu.Unlock()
	return t.progress
}

// Withdraw ends the wait of the batch. Messages that no other batch waits for, and no worker has taken, are withdrawn; withdrawn
// is their number. Events in the pipeline stay in flight, with their bytes. delivered tells whether the batch was delivered
// after all. More calls withdraw nothing.
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
			if e.waits == nil && e.state == unpublished {
				e.withdrawLocked()
				withdrawn++
			}
		}
		t.resolveLocked(ErrWithdrawn)
		t.waits = nil
		t.publishLocked() // a batch that was not published yet: others may wait for its messages
		t.settleLocked()
	}
	return withdrawn, t.cause == nil
}

// resolveLocked sets the answer, once. A nil cause means delivered.
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

// doneLocked counts a message that the output or a processor is done with. The last one resolves the batch.
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

// settleLocked shrinks the reservation of an answered batch to its events in the pipeline. It forgets a batch that has none.
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
