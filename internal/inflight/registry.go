package inflight

import (
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/dedupe"
)

// Registry has every token that is not settled, and the keys of the messages that are in flight or were delivered lately. A stop
// drains and seals it.
type Registry struct {
	settings Settings
	start    time.Time // times are counted from here

	mu         sync.Mutex
	open       map[*BatchAck]struct{}
	pending    map[batch.Key]*EventAck // in flight
	delivered  dedupe.Window
	queue      list.List // of *BatchAck, for the workers
	queueReady sync.Cond
	closed     bool // the queue
	sealed     bool
	emptied    sync.Cond // open has become empty

	taken       uint64        // messages that workers have taken, since the start
	events      int           // that workers have taken and that are not done
	atOutput    int           // events that the output is to acknowledge
	lastAck     time.Duration // when the output last acknowledged something, or had nothing to acknowledge
	oldest      oldest        // of the batches that have events in the pipeline
	mostPending int           // the length of pending at its longest
	account     Account       // until Seal
}

// Tally counts batches and events.
type Tally struct {
	Batches int
	Events  int
}

// Account is the result of Seal: the figures of the last log line.
type Account struct {
	Delivered      Tally // batches that were delivered while they waited; all events done, filtered events included
	Rejected       int   // events that the output gave up
	Unacknowledged Tally // open batches, and events in the pipeline
}

// NewRegistry returns an empty registry.
func NewRegistry(settings Settings) *Registry {
	r := &Registry{
		settings:  settings,
		start:     time.Now(),
		open:      make(map[*BatchAck]struct{}),
		pending:   make(map[batch.Key]*EventAck),
		delivered: dedupe.NewWindow(settings.Dedupe.Window, settings.Dedupe.MaxEntries),
	}
	r.queueReady.L, r.emptied.L = &r.mu, &r.mu
	return r
}

// now is the time since the registry was made. It never goes back.
func (r *Registry) now() time.Duration { return time.Since(r.start) }

// Events is the number of events that the pipeline has and the output has not acknowledged.
func (r *Registry) Events() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events
}

// Underway is the number of batches that are not settled, and of their events in the pipeline. silent is how long the output has
// acknowledged none of these events; 0 when it has none.
func (r *Registry) Underway() (batches, events int, silent time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	silent, _ = r.stalledLocked()
	return len(r.open), r.events, silent
}

// DedupeEntries is the number of delivered messages that are deduped, without messages older than the window.
func (r *Registry) DedupeEntries() int {
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

// DedupeLimit is the configured bound of DedupeEntries.
func (r *Registry) DedupeLimit() int { return r.settings.Dedupe.MaxEntries }

// Stalled returns how long the output has acknowledged none of its events, and whether that is a stall.
func (r *Registry) Stalled() (age time.Duration, stalled bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stalledLocked()
}

func (r *Registry) stalledLocked() (age time.Duration, stalled bool) {
	if r.atOutput == 0 {
		return 0, false
	}
	age = r.now() - r.lastAck
	return age, r.settings.StallAfter > 0 && age >= r.settings.StallAfter
}

// WaitEmpty blocks until no token is open (nil) or ctx ends (its cause).
func (r *Registry) WaitEmpty(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.emptied.Broadcast()
	})()
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.open) > 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		r.emptied.Wait()
	}
	return nil
}

// Seal ends every open token with ErrSealed and refuses new ones. Later acknowledgements resolve no token. Seal must precede the
// closing of the pipeline, which reports dropped events as acknowledged (ttlBatch.Drop in
// libbeat/publisher/pipeline/ttl_batch.go).
func (r *Registry) Seal() Account {
	r.mu.Lock()
	defer r.mu.Unlock()
	account := r.account
	account.Unacknowledged = Tally{Batches: len(r.open), Events: r.events}
	r.sealed = true
	r.events, r.atOutput, r.oldest = 0, 0, nil
	for t := range r.open {
		t.resolveLocked(ErrSealed)
		t.reservation.Release()
		r.dequeueLocked(t)
		t.decodeSlot.leaveLocked()
		r.forgetLocked(t)
	}
	clear(r.pending)
	return account
}

// manyPending is the number of messages beyond which the memory of pending is worth giving back.
const manyPending = 1 << 16

// forgetKeyLocked removes a key from pending. A map keeps the memory of its largest size, so a large map is replaced.
func (r *Registry) forgetKeyLocked(key batch.Key) {
	delete(r.pending, key)
	if len(r.pending) == 0 && r.mostPending > manyPending {
		r.pending, r.mostPending = make(map[batch.Key]*EventAck), 0
	}
}

func (r *Registry) forgetLocked(t *BatchAck) {
	delete(r.open, t)
	if len(r.open) == 0 {
		r.emptied.Broadcast()
	}
}
