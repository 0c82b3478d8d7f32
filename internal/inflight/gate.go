package inflight

import (
	"container/list"
	"context"
	"time"
)

// Gate bounds the bytes of the bodies that are decoded and that no worker has taken. Messages take many times the memory of
// their body, and the garbage collector scans them again and again. So a body that can only wait for a full queue waits as
// bytes. Bodies enter in the order of their arrival.
type Gate struct {
	registry *Registry
	limit    int64

	// Guarded by the registry's lock.
	size    int64
	waiting list.List // of *DecodeSlot
}

// DecodeSlot is the space of a body in a Gate. The nil slot has none.
type DecodeSlot struct {
	gate     *Gate
	size     int64
	waiting  *list.Element // nil once the body has entered
	admitted chan struct{} // closed when the body enters; nil for a body that did not wait
	left     bool
}

// standstill is how long no worker takes a message until a body enters beyond the limit.
const standstill = 250 * time.Millisecond

// NewGate returns a gate in front of the registry's queue. Bodies enter until their sizes reach limit. The unit is the caller's:
// the intake counts bytes of bodies, the shipper weights of messages.
func (r *Registry) NewGate(limit int64) *Gate {
	return &Gate{registry: r, limit: limit}
}

// Enter waits until the gate takes a body of this size. It gives up waiting, and lets the body in, when ctx ends or when no
// worker has taken a message for 250 ms: a stalled output must not keep rtbeat from deduping retries and refusing malformed
// batches. The caller must Leave the slot.
func (g *Gate) Enter(ctx context.Context, size int64) *DecodeSlot {
	r := g.registry
	s := &DecodeSlot{gate: g, size: size}
	r.mu.Lock()
	if g.size < g.limit { // then no body waits
		g.size += size
		r.mu.Unlock()
		return s
	}
	s.admitted = make(chan struct{})
	s.waiting = g.waiting.PushBack(s)
	taken := r.taken
	r.mu.Unlock()

	look := time.NewTicker(standstill)
	defer look.Stop()
	for {
		select {
		case <-s.admitted:
			return s
		case <-ctx.Done():
			r.mu.Lock()
			s.enterLocked()
			r.mu.Unlock()
		case <-look.C:
			taken = s.forceInUnless(taken)
		}
	}
}

// forceInUnless lets the body in beyond the limit, unless workers have taken more messages than before. It returns how many.
func (s *DecodeSlot) forceInUnless(before uint64) (taken uint64) {
	r := s.gate.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.taken == before {
		s.enterLocked()
	}
	return r.taken
}

// Leave lets the next bodies enter. It may be called more than once.
func (s *DecodeSlot) Leave() {
	if s == nil {
		return
	}
	s.gate.registry.mu.Lock()
	defer s.gate.registry.mu.Unlock()
	s.leaveLocked()
}

// Attach gives the slot to the batch, which leaves it as soon as no message of the batch waits for a worker.
func (t *BatchAck) Attach(s *DecodeSlot) {
	t.registry.mu.Lock()
	defer t.registry.mu.Unlock()
	t.decodeSlot = s
	if t.unpublished == 0 {
		s.leaveLocked()
	}
}

func (s *DecodeSlot) enterLocked() {
	if s.waiting == nil {
		return
	}
	s.gate.waiting.Remove(s.waiting)
	s.waiting = nil
	s.gate.size += s.size
	close(s.admitted)
}

func (s *DecodeSlot) leaveLocked() {
	if s == nil || s.left {
		return
	}
	s.left = true
	g := s.gate
	g.size -= s.size
	for g.size < g.limit && g.waiting.Len() > 0 {
		g.waiting.Front().Value.(*DecodeSlot).enterLocked() //nolint:forcetypeassert // the list holds nothing else
	}
}
