package inflight

import (
	"container/heap"
	"time"
)

// oldest are the batches that have events in the pipeline, a heap by when they came in. Batches are not handed over in
// that order: a large one is read and decoded for longer. It holds each batch once, however many events it has, so that a
// batch costs a few comparisons, an event a number, and a look at the first nothing.
type oldest []*BatchAck

func (o oldest) Len() int           { return len(o) }
func (o oldest) Less(i, j int) bool { return o[i].received < o[j].received }
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
	(*o)[last] = nil // else it is kept from the garbage collector
	*o = (*o)[:last]
	return t
}

// Oldest is how long ago the batch came in (Origin.Received) of which the pipeline has the oldest event that the output
// has not acknowledged; 0 when there is none. It takes the same short time whatever is in flight.
func (r *Registry) Oldest() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.oldest) == 0 {
		return 0
	}
	return r.now() - r.oldest[0].received
}

// receivedAt puts the time at which a batch came in on the registry's clock, which does not jump as that of the wall does.
func (r *Registry) receivedAt(o Origin) time.Duration {
	now := r.now()
	if o.Received.IsZero() {
		return now
	}
	return now - max(time.Since(o.Received), 0)
}

// enterPipelineLocked says that the pipeline has one more event of the batch.
func (t *BatchAck) enterPipelineLocked() {
	t.piped++
	if t.piped == 1 {
		heap.Push(&t.registry.oldest, t)
	}
}

// leavePipelineLocked says that it has one less. A sealed registry has forgotten them all.
func (t *BatchAck) leavePipelineLocked() {
	t.piped--
	if t.piped == 0 {
		heap.Remove(&t.registry.oldest, t.rank)
	}
}
