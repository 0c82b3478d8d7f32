package beater

import (
	"context"
	"sync"
)

// background runs f in a goroutine. stop ends the context of f and waits for its return; it may be called more than once.
func background(f func(ctx context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { f(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}
