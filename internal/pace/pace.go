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
	// head is how long a computation may take before it gives way at all: one of a usual size is to be over soon.
	head = 5 * time.Millisecond
	// rest is for how long it sleeps from then on, between slices of work that are half as long as the last rest really
	// was: never shorter, and often twice as long (netpoll_epoll.go counts in milliseconds), or longer where others work.
	// shortest and longest bound the slice.
	rest              = time.Millisecond
	shortest, longest = rest / 2, rest
)

// Pace is that of one computation. The zero value is ready for its first step. One goroutine may use it.
type Pace struct {
	processors int           // 0 before the first step
	resumed    time.Time     // after the last step, or rest
	worked     time.Duration // of head at first, of slice then
	slice      time.Duration // 0 as long as head is not over
}

// Step is to be called every 100 µs or so of work, and costs nothing beside that. It may yield or sleep.
func (p *Pace) Step() {
	if p.processors == 0 {
		p.begin(runtime.GOMAXPROCS(0))
		return
	}
	now := time.Now()
	p.worked += now.Sub(p.resumed)
	p.resumed = now
	switch {
	case p.slice == 0 && p.worked < head:
	case p.slice == 0:
		p.rest()
	case p.processors > 1 || p.worked < p.slice:
		runtime.Gosched()
		p.resumed = time.Now() // what others did is not this one's work
	default:
		p.rest()
	}
}

func (p *Pace) begin(processors int) { p.processors, p.resumed = processors, time.Now() }

// rest sleeps, where that is of use to anybody, and begins a slice of work.
func (p *Pace) rest() {
	if p.processors == 1 {
		time.Sleep(rest) //nolint:forbidigo // it waits for nothing: it is idle so that others are not
	}
	now := time.Now()
	p.worked, p.slice, p.resumed = 0, min(max(now.Sub(p.resumed)/2, shortest), longest), now
}
