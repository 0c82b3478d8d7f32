package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// eventPrinter takes the sink's standard output, one event a line, and prints
// the events readably. It holds them back until show, so that they do not come
// in the middle of the request they belong to: they arrive before its answer.
type eventPrinter struct {
	out     io.Writer
	arrived chan struct{} // of capacity 1: a hint to look again

	mu    sync.Mutex
	rest  []byte   // the beginning of a line
	held  [][]byte // whole lines, until show
	shown bool
	count int
}

// Write is called by the goroutine that copies the sink's output. It never
// waits for the rest of the demo.
func (p *eventPrinter) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rest = append(p.rest, data...)
	for {
		line, rest, complete := bytes.Cut(p.rest, []byte("\n"))
		if !complete {
			break
		}
		p.rest = bytes.Clone(rest)
		p.held = append(p.held, line)
	}
	if p.shown {
		p.printLocked()
	}
	select {
	case p.arrived <- struct{}{}:
	default:
	}
	return len(data), nil
}

// show prints the first n events once they are there, and from then on each
// event as it arrives.
func (p *eventPrinter) show(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, eventBudget)
	defer cancel()
	for {
		p.mu.Lock()
		have := len(p.held)
		if have >= n {
			p.shown = true
			p.printLocked()
			p.mu.Unlock()
			return nil
		}
		p.mu.Unlock()
		select {
		case <-p.arrived:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d events arrived at the sink: %w", have, n, context.Cause(ctx))
		}
	}
}

func (p *eventPrinter) printLocked() {
	for _, line := range p.held {
		p.count++
		// Nobody is left to tell if standard output is gone.
		_, _ = fmt.Fprintf(p.out, "\nevent %d, %s\n%s\n", p.count, time.Now().Format("15:04:05.000"), pretty(line))
	}
	p.held = nil
}
