package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/txn2/rtbeat/internal/lumbersink"
)

// sample is what one measurement found.
type sample struct {
	events int
	wall   time.Duration
	cpu    time.Duration // of what is measured
	bench  time.Duration // processor time of the bench, which is the senders and the sink
	core   time.Duration // how long the core of what is measured was busy, with that or with something else
}

// cpuPerMillion is the seconds of the processor that a million events take.
func (s sample) cpuPerMillion() float64 { return s.cpu.Seconds() / float64(s.events) * 1e6 }

// rate is the events a second of this run.
func (s sample) rate() float64 { return float64(s.events) / s.wall.Seconds() }

// benchShare is how much of its core the bench took.
func (s sample) benchShare() float64 { return s.bench.Seconds() / s.wall.Seconds() }

// othersShare is how much of its core something else took.
func (s sample) othersShare() float64 { return max(s.core-s.cpu, 0).Seconds() / s.wall.Seconds() }

// reading is where all counters stood at one time.
type reading struct {
	at               time.Time
	received         int // by the sink
	cpu, bench, core time.Duration
}

func readCounters(p *process, sink *lumbersink.Sink) (r reading, err error) {
	r.at, r.received = time.Now(), sink.Acked()
	if r.cpu, err = cpuTime(p.pid()); err != nil {
		return r, err
	}
	if r.core, err = coreTime(p.core); err != nil {
		return r, err
	}
	r.bench, err = cpuTime(os.Getpid())
	return r, err
}

// until is the sample between two readings.
func (r reading) until(end reading) sample {
	return sample{
		events: end.received - r.received, wall: end.at.Sub(r.at),
		cpu: end.cpu - r.cpu, bench: end.bench - r.bench, core: end.core - r.core,
	}
}

// watch measures a process that ships events by itself, for a while in the middle of its run.
func watch(ctx context.Context, p *process, sink *lumbersink.Sink, warmUp, d time.Duration) (sample, error) {
	if err := pause(ctx, warmUp); err != nil {
		return sample{}, err
	}
	before, err := readCounters(p, sink)
	if err != nil {
		return sample{}, err
	}
	if err := pause(ctx, d); err != nil {
		return sample{}, err
	}
	after, err := readCounters(p, sink)
	s := before.until(after)
	if err == nil && s.events == 0 {
		err = errors.New("measuring: no event has arrived")
	}
	return s, err
}

// pause waits, unless the run is ended.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("measuring: %w", context.Cause(ctx))
	}
}

// arriveWithin is how long what was answered may take to arrive. In durable mode it is on the disk until then.
const arriveWithin = time.Minute

// arrived compares what was answered or acknowledged with what the sink has.
func arrived(sink *lumbersink.Sink, before, events int) error {
	got := sink.Received() - before
	for limit := time.Now().Add(arriveWithin); got < events && time.Now().Before(limit); got = sink.Received() - before {
		<-time.After(time.Millisecond)
	}
	if got != events {
		return fmt.Errorf("checking the sink: %d events were acknowledged and %d have arrived", events, got)
	}
	if err := sink.Err(); err != nil {
		return fmt.Errorf("checking the sink: %w", err)
	}
	return nil
}
