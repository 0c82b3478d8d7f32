package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// schedule says when each request of an open loop is meant to start: evenly, whatever became of the ones before.
type schedule struct {
	rate     float64 // requests a second
	requests int
}

// offset is when request i is meant to start, from the beginning.
func (s schedule) offset(i int) time.Duration {
	return time.Duration(float64(i) / s.rate * float64(time.Second))
}

// timings is how long the requests of an open loop took.
type timings struct {
	latencies []time.Duration // from the intended start to the answer
	lateness  []time.Duration // from the intended start to the actual one: the wait for a free sender, and the bench's own
}

// run keeps the schedule with as many senders as send has. A request that finds no sender free waits, and its wait counts: a
// sender that is held up would otherwise leave out just those requests that would have been slow. wait returns at a
// time, or when ctx ends.
func (s schedule) run(ctx context.Context, wait func(context.Context, time.Time), send []func() error) (timings, error) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	due := make(chan time.Time, s.requests) // never full: the pace is nobody's to hold up
	found := make([]timings, len(send))
	var group sync.WaitGroup
	for n, send := range send {
		group.Go(func() {
			for intended := range due {
				if ctx.Err() != nil {
					return
				}
				started := time.Now()
				if err := send(); err != nil {
					end(err)
					return
				}
				found[n].latencies = append(found[n].latencies, time.Since(intended))
				found[n].lateness = append(found[n].lateness, started.Sub(intended))
			}
		})
	}
	start := time.Now()
	for i := 0; i < s.requests && ctx.Err() == nil; i++ {
		intended := start.Add(s.offset(i))
		wait(ctx, intended)
		due <- intended
	}
	close(due)
	group.Wait() // each request has a time limit

	var all timings
	for _, t := range found {
		all.latencies = append(all.latencies, t.latencies...)
		all.lateness = append(all.lateness, t.lateness...)
	}
	if err := context.Cause(ctx); err != nil {
		return all, fmt.Errorf("keeping the schedule: %w", err)
	}
	return all, nil
}
