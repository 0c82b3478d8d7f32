package publish

import (
	"sync"
	"time"
)

// failureInterval is how often the failures of one processor are logged at most.
const failureInterval = time.Minute

// failures logs which processors fail. Each processor has a line once a minute at most, because a sender can cause a failure
// with each request. The line has the number of events since the last one. The error of the processor is left out, because it
// may quote the event. The names come from the configuration, which bounds the map. Its methods are safe for use from
// any goroutine.
type failures struct {
	log Logger

	mu     sync.Mutex
	counts map[string]*failureCount
}

type failureCount struct {
	events int // since the last line
	logged time.Time
}

func newFailures(log Logger) *failures {
	return &failures{log: log, counts: make(map[string]*failureCount)}
}

// add counts an event that the processor failed on.
func (f *failures) add(processor string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.counts[processor]
	if c == nil {
		c = &failureCount{}
		f.counts[processor] = c
	}
	c.events++
	if now := time.Now(); now.Sub(c.logged) >= failureInterval {
		f.log.Errorw("a processor failed: its events are not published, and their batches are retried", "processor", processor, "events", c.events)
		c.events, c.logged = 0, now
	}
}
