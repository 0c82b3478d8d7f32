package inflight

import (
	"context"
	"sync"
	"sync/atomic"
)

// Registry knows every token that is not settled. It is what a stop drains and seals.
type Registry struct {
	events           atomic.Int64 // handed over and not done
	deliveredEvents  atomic.Int64
	deliveredBatches atomic.Int64

	mu      sync.Mutex
	open    map[*BatchAck]struct{}
	sealed  bool
	emptied chan struct{} // made by WaitEmpty; closed when open becomes empty
}

// Tally counts batches and events.
type Tally struct {
	Batches int64
	Events  int64
}

// Account is what Seal found: the figures of the last log line.
type Account struct {
	Delivered      Tally // batches of which every event is done, and all events that are, filtered ones included
	Unacknowledged Tally // batches still open, and their events that the pipeline has
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	return &Registry{open: make(map[*BatchAck]struct{})}
}

// Claim returns the token of a batch of n > 0 messages. From here on the token owns the reservation and releases
// it when it settles. After Seal the answer is ErrSealed, and the reservation stays the caller's.
func (r *Registry) Claim(n int, reservation *Reservation) (*BatchAck, error) {
	t := &BatchAck{registry: r, reservation: reservation, total: n, resolved: make(chan struct{})}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sealed {
		return nil, ErrSealed
	}
	r.open[t] = struct{}{}
	return t, nil
}

// Events is the number of events that the pipeline has and the output has not acknowledged.
func (r *Registry) Events() int64 { return r.events.Load() }

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
	r.sealed = true
	var open Tally
	for t := range r.open {
		if events, ok := t.seal(); ok {
			open.Batches++
			open.Events += int64(events)
		}
		r.forgetLocked(t)
	}
	return Account{
		Delivered:      Tally{Batches: r.deliveredBatches.Load(), Events: r.deliveredEvents.Load()},
		Unacknowledged: open,
	}
}

// acknowledged counts n events that the output is done with, and their batch when it is complete by that.
func (r *Registry) acknowledged(n int, complete bool) {
	r.events.Add(-int64(n))
	r.deliveredEvents.Add(int64(n))
	if complete && n > 0 {
		r.deliveredBatches.Add(1)
	}
}

// forget removes a settled token.
func (r *Registry) forget(t *BatchAck) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forgetLocked(t)
}

func (r *Registry) forgetLocked(t *BatchAck) {
	delete(r.open, t)
	if len(r.open) == 0 && r.emptied != nil {
		close(r.emptied)
		r.emptied = nil
	}
}
