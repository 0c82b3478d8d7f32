package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/txn2/rtbeat/test/bench/message"
)

// rest is rtbeat with nothing to do.
type rest struct {
	starts   []time.Duration // until the first 200
	cpu      float64         // share of a core
	resident int64
}

// starting starts rtbeat several times, and watches the last one do nothing.
func (b *bench) starting(ctx context.Context) (found rest, err error) {
	for i := range b.options.starts {
		start := time.Now()
		beat, err := startBeat(ctx, b.cores.measured, b.options.binary, b.sink.Addr())
		if err != nil {
			return found, err
		}
		err = b.first(ctx, beat)
		found.starts = append(found.starts, time.Since(start))
		if err == nil && i == b.options.starts-1 {
			err = found.watch(ctx, beat, b.options.rest)
		}
		if err := errors.Join(err, beat.stop()); err != nil {
			return found, err
		}
	}
	return found, nil
}

// first sends one message.
func (b *bench) first(ctx context.Context, beat *beat) error {
	c, err := dial(ctx, beat.address)
	if err != nil {
		return err
	}
	defer c.close()
	one := sender{connection: c, body: message.NewBody(1, message.Small), messages: 1}
	return one.send()
}

func (r *rest) watch(ctx context.Context, beat *beat, d time.Duration) error {
	if err := pause(ctx, warmUp); err != nil {
		return err
	}
	start := time.Now()
	before, err := fineCPUTime(beat.pid())
	if err != nil {
		return err
	}
	if err := pause(ctx, d); err != nil {
		return err
	}
	after, err := fineCPUTime(beat.pid())
	if err != nil {
		return err
	}
	r.cpu = (after - before).Seconds() / time.Since(start).Seconds()
	r.resident, _, err = resident(beat.pid())
	return err
}

// crowd is what connections that do nothing cost.
type crowd struct {
	skipped       string // why nothing was measured
	memory        int64
	with, without []sample
}

const (
	idleConnections = 10_000
	// otherFiles is what either side needs beside those connections.
	otherFiles = 1000
	// Nothing is closed for having been idle before the run is over.
	manyConnections = "rtbeat.max_connections: 11000\nrtbeat.idle_timeout: 1h"
)

// crowded measures the baseline on an rtbeat with many idle connections, and in turns on one without.
func (b *bench) crowded(ctx context.Context) (found crowd, err error) {
	files, err := fileLimit()
	if err != nil {
		return found, err
	}
	if files < idleConnections+otherFiles {
		found.skipped = fmt.Sprintf("a process may open %d files here, and %d connections need %d (ulimit -Hn)", files, idleConnections, idleConnections+otherFiles)
		return found, nil
	}
	beat, err := b.beat(ctx, manyConnections)
	if err != nil {
		return found, err
	}
	before, _, err := resident(beat.pid())
	if err != nil {
		return found, err
	}
	opened, err := dialAll(ctx, beat.address, idleConnections)
	if err != nil {
		return found, err
	}
	defer opened.close()
	for _, c := range opened {
		if err := c.get("/livez"); err != nil { // one that has sent nothing yet is a different matter
			return found, fmt.Errorf("opening idle connections: %w", err)
		}
	}
	if err := pause(ctx, warmUp); err != nil {
		return found, err
	}
	after, _, err := resident(beat.pid())
	if err != nil {
		return found, err
	}
	found.memory = after - before
	for range b.options.rounds {
		with, err := b.measure(ctx, manyConnections, baseline)
		if err != nil {
			return found, err
		}
		without, err := b.measure(ctx, "", baseline)
		if err != nil {
			return found, err
		}
		found.with, found.without = append(found.with, with), append(found.without, without)
	}
	open, err := openFiles(beat.pid())
	if err == nil && open < idleConnections {
		err = fmt.Errorf("checking the idle connections: of %d, rtbeat has no more than %d left", idleConnections, open)
	}
	return found, err
}
