package shipper

import (
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/txn2/rtbeat/internal/diskqueue"
)

const (
	// maxRetries bounds the batches that wait to be retried. At the limit, no other batch is taken from the queue.
	maxRetries = 4096
	// A batch is retried after firstBackoff, then after twice as long each time, up to lastBackoff.
	firstBackoff = 250 * time.Millisecond
	lastBackoff  = time.Minute
)

type attempt struct {
	ref      diskqueue.Ref
	failures int
	at       time.Time // of the next attempt
}

// retries are the batches that wait to be retried.
type retries struct {
	due chan struct{} // has a value when a batch was added

	mu   sync.Mutex
	list []attempt // by time
}

func (r *retries) add(a attempt, now time.Time) {
	a.at = now.Add(min(firstBackoff<<min(max(a.failures-1, 0), 16), lastBackoff))
	r.mu.Lock()
	i := sort.Search(len(r.list), func(i int) bool { return r.list[i].at.After(a.at) })
	r.list = slices.Insert(r.list, i, a)
	r.mu.Unlock()
	select {
	case r.due <- struct{}{}:
	default:
	}
}

// take removes and returns a batch that is due, if there is one.
func (r *retries) take(now time.Time) (a attempt, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.list) == 0 || r.list[0].at.After(now) {
		return attempt{}, false
	}
	a = r.list[0]
	r.list = slices.Delete(r.list, 0, 1)
	return a, true
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

func (r *retries) isFull() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.list) >= maxRetries
}
