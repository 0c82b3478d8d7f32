package publish

import (
	"container/list"
	"sync"
	"time"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/inflight"
)

// job is one batch on its way to the pipeline.
type job struct {
	token    *inflight.BatchAck
	received time.Time
	clientIP string

	mu       sync.Mutex
	messages []batch.Message // what is not handed over yet
}

// next hands over the next message, or returns false when none is left or the batch was withdrawn.
func (j *job) next() (batch.Message, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.messages) == 0 || !j.token.HandOver(j.messages[0].Size) {
		return batch.Message{}, false
	}
	m := j.messages[0]
	j.messages[0] = batch.Message{} // the pipeline owns it now; do not keep it alive with its neighbours
	j.messages = j.messages[1:]
	return m, true
}

// clear lets go of what is not handed over. A worker may hold the job for long, blocked on a full queue.
func (j *job) clear() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.messages = nil
}

// queue is the line of batches that wait for a worker. Its length is bounded by admission: each batch in it holds
// bytes. A withdrawn batch leaves it at once, wherever it stands; that is why it is no channel.
type queue struct {
	mu     sync.Mutex
	ready  sync.Cond
	jobs   list.List                            // of *job, those that no worker took yet
	known  map[*inflight.BatchAck]*list.Element // also those that a worker is busy with
	closed bool
}

func newQueue() *queue {
	q := &queue{known: make(map[*inflight.BatchAck]*list.Element)}
	q.ready.L = &q.mu
	return q
}

// push appends a job, or returns false when the queue is closed.
func (q *queue) push(j *job) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.known[j.token] = q.jobs.PushBack(j)
	q.ready.Signal()
	return true
}

// pop blocks until there is a job, and returns nil when the queue is closed.
func (q *queue) pop() *job {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.jobs.Len() == 0 && !q.closed {
		q.ready.Wait()
	}
	if q.closed {
		return nil
	}
	return q.jobs.Remove(q.jobs.Front()).(*job) //nolint:forcetypeassert // the list holds nothing else
}

// finish forgets a job that its worker is done with.
func (q *queue) finish(j *job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.known, j.token)
}

// remove takes the job of token out of the line and lets go of its messages.
func (q *queue) remove(token *inflight.BatchAck) {
	q.mu.Lock()
	defer q.mu.Unlock()
	element, ok := q.known[token]
	if !ok {
		return
	}
	element.Value.(*job).clear() //nolint:forcetypeassert // the list holds nothing else
	q.jobs.Remove(element)       // does nothing to an element that a worker took
	delete(q.known, token)
}

// len is the number of jobs that wait for a worker.
func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.jobs.Len()
}

// close wakes all workers, to end them. Jobs still in line are withdrawn by their handlers.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.ready.Broadcast()
}
