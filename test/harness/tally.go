package harness

import (
	"context"
	"maps"
	"strconv"
	"sync"
	"time"
)

// Tally counts answers by status. An attempt without an answer counts as "error".
type Tally struct {
	mu sync.Mutex
	by map[string]int
}

// Add counts one answer.
func (t *Tally) Add(a Answer) {
	key := "error"
	if a.Err == nil {
		key = strconv.Itoa(a.Code)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by == nil {
		t.by = make(map[string]int)
	}
	t.by[key]++
}

// Counts is a copy of the counts so far.
func (t *Tally) Counts() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.by)
}

// Pause sleeps until d is over or ctx ends, between two attempts of a sender. To wait for a condition, use Await.
func Pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
