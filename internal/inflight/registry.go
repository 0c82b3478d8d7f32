package inflight

import (
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/dedupe"
)

// Registry knows every token that is not settled, and every message that is in flight or was delivered lately. It is
// what a stop drains and seals.
type Registry struct {
	settings Settings
	start    time.Time // what times are counted from

	mu        sync.Mutex
	open      map[*BatchAck]struct{}
	known     map[batch.Key]*EventAck // in flight
	delivered dedupe.Window
	line      list.List // of *BatchAck, those that no worker took yet
	lineReady sync.Cond
	closed    bool // the line
	sealed    bool
	emptied   chan struct{} // made by WaitEmpty; closed when open becomes empty

	handedOver uint64        // messages, since the start
	events     int           // handed over and not done
	entered    int           // of those: past the processors, the output is to acknowledge them
	progress   time.Duration // when the output last acknowledged something, or had nothing to acknowledge
	oldest     oldest        // of the batches that have events in the pipeline
	mostKnown  int           // the length of known at its longest
	account    Account       // what Seal adds to
}

// Tally counts batches and events.
type Tally struct {
	Batches int
	Events  int
}

// Account is what Seal found: the figures of the last log line.
type Account struct {
	Delivered      Tally // batches whose every message was done while they waited; all events done, filtered ones included
	Rejected       int   // events that the output gave up
	Unacknowledged Tally // batches still open, and the events that the pipeline has
}

// NewRegistry returns an empty registry.
func NewRegistry(settings Settings) *Registry {
	r := &Registry{
		settings:  settings,
		start:     time.Now(),
		open:      make(map[*BatchAck]struct{}),
		known:     make(map[batch.Key]*EventAck),
		delivered: dedupe.NewWindow(settings.Dedupe.Window, settings.Dedupe.MaxEntries),
	}
	r.lineReady.L = &r.mu
	return r
}

// now is the time since the registry was made; it never goes back.
func (r *Registry) now() time.Duration { return time.Since(r.start) }

// Events is the number of events that the pipeline has and the output has not acknowledged.
func (r *Registry) Events() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events
}

// Underway is the number of batches that are not settled, that of their events that the pipeline has, and for how long
// the output has acknowledged none of those; 0 where it has none.
func (r *Registry) Underway() (batches, events int, silent time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	silent, _ = r.stalledLocked()
	return len(r.open), r.events, silent
}

// Entries is the number of delivered messages that are known. Those older than the window do not count, whether they are
// forgotten yet or not.
func (r *Registry) Entries() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.delivered.Len(r.now())
}

// Delivered returns the indexes of the messages that were delivered lately.
func (r *Registry) Delivered(messages []batch.Message) (indexes []int) {
	keys := r.keys(messages)
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, key := range keys {
		if key.ok && r.delivered.Find(key.Key, r.now()) {
			indexes = append(indexes, i)
		}
	}
	return indexes
}

// Limit is the configured bound of Entries.
func (r *Registry) Limit() int { return r.settings.Dedupe.MaxEntries }

// Stalled tells for how long the output has acknowledged nothing of what it has, and whether that is longer than it may.
func (r *Registry) Stalled() (age time.Duration, stalled bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stalledLocked()
}

func (r *Registry) stalledLocked() (age time.Duration, stalled bool) {
	if r.entered == 0 {
		return 0, false
	}
	age = r.now() - r.progress
	return age, r.settings.StallAfter > 0 && age >= r.settings.StallAfter
}

// WaitEmpty blocks until no token is open (nil) or ctx ends (its cause).
func (r *Registry) WaitEmpty(ctx context.Context) error {
	for {
		r.mu.Lock()
		if len(r.open) == 0 {
			r.mu.Unlock()
			return nil
		}
		if r.emptied == nil {
			r.emptied = make(chan struct{})
		}
		emptied := r.emptied
		r.mu.Unlock()
		select {
		case <-emptied:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Seal ends every open token with ErrSealed and refuses new ones. Acknowledgements that come later resolve nobody.
// It must come before the pipeline is closed: closing reports what it drops as acknowledged (ttlBatch.Drop in
// libbeat/publisher/pipeline/ttl_batch.go calls what ACK calls).
func (r *Registry) Seal() Account {
	r.mu.Lock()
	defer r.mu.Unlock()
	account := r.account
	account.Unacknowledged = Tally{Batches: len(r.open), Events: r.events}
	r.sealed = true
	r.events, r.entered, r.oldest = 0, 0, nil
	for t := range r.open {
		t.resolveLocked(ErrSealed)
		t.reservation.Release()
		r.leaveLineLocked(t)
		t.decodeSlot.leaveLocked()
		r.forgetLocked(t)
	}
	clear(r.known)
	return account
}

// largeKnown is the number of messages beyond which the memory of known is worth giving back.
const largeKnown = 1 << 16

// forgetKeyLocked makes a message that was in flight unknown. A map keeps the memory of its largest size.
func (r *Registry) forgetKeyLocked(key batch.Key) {
	delete(r.known, key)
	if len(r.known) == 0 && r.mostKnown > largeKnown {
		r.known, r.mostKnown = make(map[batch.Key]*EventAck), 0
	}
}

// forgetLocked removes a token that is settled.
func (r *Registry) forgetLocked(t *BatchAck) {
	delete(r.open, t)
	if len(r.open) == 0 && r.emptied != nil {
		close(r.emptied)
		r.emptied = nil
	}
}
