package inflight

import (
	"container/list"
	"context"
	"time"
)

// Backlog bounds the bodies whose messages are decoded and not all handed over. Messages take many times the memory of
// their body, and the garbage collector walks through them again and again; what can only wait for a full queue is better
// kept as bytes. Bodies are let in, first come, first served.
type Backlog struct {
	registry *Registry
	limit    int64

	// Guarded by the registry's lock.
	size    int64
	waiting list.List // of *Place
}

// Place is a body's place in a Backlog. The nil place is in none.
type Place struct {
	backlog *Backlog
	size    int64
	waiting *list.Element
	entered chan struct{} // closed when the body is let in
	left    bool
}

// standstill is for how long no worker may hand over anything until a body is let in nevertheless.
const standstill = 250 * time.Millisecond

// NewBacklog returns a backlog in front of the registry's line. Bodies are let in until limit, in bytes, is reached.
func (r *Registry) NewBacklog(limit int64) *Backlog {
	return &Backlog{registry: r, limit: limit}
}

// Enter waits until there is room for a body of size bytes, but not longer than ctx, and not for an output that takes
// nothing: then as well, a batch that is sent again is to be joined, and a malformed one refused. It always returns a
// place, and the caller must Leave it.
func (b *Backlog) Enter(ctx context.Context, size int64) *Place {
	r := b.registry
	p := &Place{backlog: b, size: size}
	r.mu.Lock()
	if b.size < b.limit { // then nobody waits
		b.size += size
		r.mu.Unlock()
		return p
	}
	p.entered = make(chan struct{})
	p.waiting = b.waiting.PushBack(p)
	handedOver := r.handedOver
	r.mu.Unlock()

	look := time.NewTicker(standstill)
	defer look.Stop()
	for {
		select {
		case <-p.entered:
			return p
		case <-ctx.Done():
			handedOver = p.insist(handedOver, true)
		case <-look.C:
			handedOver = p.insist(handedOver, false)
		}
	}
}

// insist lets the body in if it has to be, or if no more is handed over than before, and returns how much is.
func (p *Place) insist(before uint64, must bool) (handedOver uint64) {
	r := p.backlog.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	if must || r.handedOver == before {
		p.enterLocked()
	}
	return r.handedOver
}

// Leave makes room for the next bodies. It may be called more than once.
func (p *Place) Leave() {
	if p == nil {
		return
	}
	p.backlog.registry.mu.Lock()
	defer p.backlog.registry.mu.Unlock()
	p.leaveLocked()
}

// Occupies makes the place the batch's: it is left as soon as no message of the batch waits for a worker.
func (t *BatchAck) Occupies(p *Place) {
	t.registry.mu.Lock()
	defer t.registry.mu.Unlock()
	t.backlog = p
	if t.queued == 0 {
		p.leaveLocked()
	}
}

func (p *Place) enterLocked() {
	if p.waiting == nil {
		return
	}
	p.backlog.waiting.Remove(p.waiting)
	p.waiting = nil
	p.backlog.size += p.size
	close(p.entered)
}

func (p *Place) leaveLocked() {
	if p == nil || p.left {
		return
	}
	p.left = true
	b := p.backlog
	b.size -= p.size
	for b.size < b.limit && b.waiting.Len() > 0 {
		b.waiting.Front().Value.(*Place).enterLocked() //nolint:forcetypeassert // the list holds nothing else
	}
}
