package main

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"time"
)

// step is one rate of the open loop.
type step struct {
	share float64 // of the most that closed loops of the same batches came to
	schedule
	timings
}

const (
	openSenders = 64
	// enoughRequests is what the 99.9th percentile needs to mean anything.
	enoughRequests = 2000
)

var shares = []float64{0.1, 0.5, 0.8}

// openLoops posts batches of 20 at fixed rates. most is the events a second that closed loops of them reached.
func (b *bench) openLoops(ctx context.Context, most float64) (steps []*step, err error) {
	beat, err := b.beat(ctx, "")
	if err != nil {
		return nil, err
	}
	twenty := load{senders: openSenders, messages: 20}
	opened, err := dialAll(ctx, beat.address, twenty.senders)
	if err != nil {
		return nil, err
	}
	defer opened.close()
	senders := make([]func() error, twenty.senders)
	for i, c := range opened {
		s := &sender{connection: c, body: b.bodies.of(twenty).Clone(), messages: twenty.messages}
		senders[i] = s.send
	}
	// The one who sleeps between two requests must not hold up those who send: Go takes its time to find that out.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for _, share := range shares {
		s := &step{share: share, schedule: schedule{rate: most * share / float64(twenty.messages)}}
		s.requests = int(s.rate * (2 * b.options.duration).Seconds())
		if !b.options.quick {
			s.requests = max(s.requests, enoughRequests)
		}
		s.requests = max(s.requests, int(math.Ceil(s.rate)))
		before := b.sink.Received()
		if s.timings, err = s.run(ctx, sleepUntil, senders); err != nil {
			return nil, fmt.Errorf("open loop at %.0f %%: %w", share*100, err)
		}
		if err := arrived(b.sink, before, s.requests*twenty.messages); err != nil {
			return nil, err
		}
		steps = append(steps, s)
		if err := pause(ctx, time.Second); err != nil { // so that nothing is left for the next
			return nil, err
		}
	}
	return steps, nil
}
