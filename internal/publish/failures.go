package publish

import (
	"sync"
	"time"
)

// failureInterval is the shortest time between two log lines about the same processor.
const failureInterval = time.Minute

// failures logs which processors fail, with the number of events since the last line. A sender can cause a failure with each
// request, so each processor has one line in failureInterval. The error of the processor may quote the event, and is left out. The
// configuration bounds the map. Any goroutine may call the methods.
type failures struct {
	log Logger

	mu     sync.Mutex
	counts map[string]failureCount
}

type failureCount struct {
	events int // since the last line
	logged time.Time
}

func newFailures(log Logger) *failures {
	return &failures{log: log, counts: make(map[string]failureCount)}
}

func (f *failures) add(processor string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.counts[processor]
	c.events++
	if now := time.Now(); now.Sub(c.logged) >= failureInterval {
		f.log.Errorw("a processor failed: its events are not published, and their batches are retried", "processor", processor, "events", c.events)
		c = failureCount{logged: now}
	}
	f.counts[processor] = c
}
