// Package pace lets a long computation give way to everything short.
//
// Where there is a single processor, the Go runtime looks at the network when no goroutine is ready to run, and otherwise
// every 10 ms (findRunnable and sysmon in runtime/proc.go). So beside a goroutine that computes, every request and every
// acknowledgement waits for that long, and calling runtime.Gosched does not help: that goroutine stays ready. Only
// sleeping does.
package pace

import (
	"runtime"
	"time"
)

const (
	// head is how long a computation may take before it gives way at all: nobody is to wait for a batch of a usual size.
	head = 5 * time.Millisecond
	// slice is how long it computes at a time from then on. It then rests for as long, but for no longer than rest: what
	// took longer was not its own work.
	slice = 500 * time.Microsecond
	rest  = 2 * time.Millisecond
)

// Pace is that of one computation. The zero value is ready for its first step. One goroutine may use it.
type Pace struct {
	since      time.Time
	worked     time.Duration
	processors int // 0 before the first step
}

// Step is to be called every 100 µs or so of work, and costs nothing beside that. It may yield or sleep.
func (p *Pace) Step() {
	if p.processors == 0 {
		p.begin(runtime.GOMAXPROCS(0))
	}
	if p.processors > 1 {
		runtime.Gosched()
		return
	}
	now := time.Now()
	took := now.Sub(p.since)
	switch {
	case p.worked < head:
		p.worked += took
		runtime.Gosched()
	case took < slice:
		runtime.Gosched()
		return
	default:
		time.Sleep(min(took, rest)) //nolint:forbidigo // it waits for nothing: it is idle so that others are not
	}
	p.since = time.Now()
}

func (p *Pace) begin(processors int) { p.processors, p.since = processors, time.Now() }

// Rested says that the goroutine waited for something just now, so that others could run.
func (p *Pace) Rested() { p.since = time.Now() }
