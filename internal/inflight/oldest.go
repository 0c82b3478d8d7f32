package inflight

import (
	"container/heap"
	"time"
)

// oldest is a heap of the batches that have events in the pipeline, by the time of their request. Batches are not published in that
// order: a large batch takes longer to read and decode. Each batch is in the heap once, however many events it has.
type oldest []*BatchAck

func (o oldest) Len() int           { return len(o) }
func (o oldest) Less(i, j int) bool { return o[i].receivedAt < o[j].receivedAt }
func (o oldest) Swap(i, j int) {
	o[i], o[j] = o[j], o[i]
	o[i].rank, o[j].rank = i, j
}

// Push is for container/heap.
func (o *oldest) Push(x any) {
	t := x.(*BatchAck) //nolint:forcetypeassert // the heap holds nothing else
	t.rank = len(*o)
	*o = append(*o, t)
}

// Pop is for container/heap.
func (o *oldest) Pop() any {
	last := len(*o) - 1
	t := (*o)[last]
	(*o)[last] = nil // for the garbage collector
	*o = (*o)[:last]
	return t
}

// Oldest is the age, since Origin.Received, of the oldest batch with events in the pipeline; 0 when there is none. It takes the
// same short time, however many batches are in flight.
func (r *Registry) Oldest() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.oldest) == 0 {
		return 0
	}
	return r.now() - r.oldest[0].receivedAt
}

// receivedAt is the time of the batch's request, on the registry's clock. The wall clock may jump.
func (r *Registry) receivedAt(o Origin) time.Duration {
	now := r.now()
	if o.Received.IsZero() {
		return now
	}
	return now - max(time.Since(o.Received), 0)
}

func (t *BatchAck) enterPipelineLocked() {
	t.piped++
	if t.piped == 1 {
		heap.Push(&t.registry.oldest, t)
	}
}

func (t *BatchAck) leavePipelineLocked() {
	t.piped--
	if t.piped == 0 {
		heap.Remove(&t.registry.oldest, t.rank)
	}
}
