package shipper

import (
	"container/heap"
	"sync"
	"time"

	"github.com/txn2/rtbeat/internal/diskqueue"
)

const (
	// maxRetries bounds the batches that wait to be tried again. Beyond it, nothing else is taken from the queue.
	maxRetries = 4096
	// A batch is tried again after firstBackoff, and after twice as long each time, up to lastBackoff.
	firstBackoff = 250 * time.Millisecond
	lastBackoff  = time.Minute
)

// attempt is a batch and how often it was not delivered.
type attempt struct {
	ref      diskqueue.Ref
	failures int
	at       time.Time // of the next attempt
}

// retries are the batches that wait to be tried again, a heap by time.
type retries struct {
	due chan struct{} // has a value when a batch was added

	mu   sync.Mutex
	list attempts
}

func (r *retries) add(a attempt, now time.Time) {
	a.at = now.Add(min(firstBackoff<<min(max(a.failures-1, 0), 16), lastBackoff))
	r.mu.Lock()
	heap.Push(&r.list, a)
	r.mu.Unlock()
	select {
	case r.due <- struct{}{}:
	default:
	}
}

// take removes and returns a batch that is due, if there is one.
func (r *retries) take(now time.Time) (attempt, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.list) == 0 || r.list[0].at.After(now) {
		return attempt{}, false
	}
	return heap.Pop(&r.list).(attempt), true //nolint:forcetypeassert // the heap holds nothing else
}

// nextIn is the time until a batch is due; an hour if none waits.
func (r *retries) nextIn(now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.list) == 0 {
		return time.Hour
	}
	return max(r.list[0].at.Sub(now), 0)
}

func (r *retries) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.list)
}

func (r *retries) isFull() bool { return r.len() >= maxRetries }

// attempts implements heap.Interface.
type attempts []attempt

func (a attempts) Len() int           { return len(a) }
func (a attempts) Less(i, j int) bool { return a[i].at.Before(a[j].at) }
func (a attempts) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }

// Push implements heap.Interface.
func (a *attempts) Push(x any) {
	*a = append(*a, x.(attempt)) //nolint:forcetypeassert // the heap holds nothing else
}

// Pop implements heap.Interface.
func (a *attempts) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	*a = (*a)[:last]
	return x
}
