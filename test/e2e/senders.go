//go:build e2e

package e2e

import (
	"context"
	"maps"
	"strconv"
	"sync"
	"time"
)

// tally counts answers by status; an attempt without an answer counts as "error".
type tally struct {
	mu sync.Mutex
	by map[string]int
}

func (t *tally) add(a Answer) {
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

func (t *tally) counts() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.by)
}

// pause is a sender's interval between two attempts. Nothing is waited for with it.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
