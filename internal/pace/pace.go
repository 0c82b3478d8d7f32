// Package pace lets a long computation yield to short ones.
//
// On one processor, the Go runtime polls the network when no goroutine is ready to run, and otherwise every 10 ms: findRunnable and
// sysmon in runtime/proc.go. Beside a goroutine that computes, every request and every acknowledgement waits for that long.
// runtime.Gosched does not help, because that goroutine stays ready. Sleeping does.
package pace

import (
	"runtime"
	"time"
)

const (
	// head is how long a computation runs before its first rest: one of a usual size ends sooner.
	head = 5 * time.Millisecond
	// rest is how long it sleeps after that. Then it works for half as long as the sleep took, and sleeps again. The runtime
	// often makes 2 ms of a rest (netpoll_epoll.go counts in milliseconds). shortest and longest bound a slice of work.
	rest              = time.Millisecond
	shortest, longest = rest / 2, rest
)

// Pace is the state of one computation. The zero value is ready for its first step. One goroutine may use it.
type Pace struct {
	processors int           // 0 before the first step
	resumed    time.Time     // after the last step, or rest
	worked     time.Duration // of head at first, of slice then
	slice      time.Duration // 0 as long as head is not over
}

// Step may yield or sleep. Call it about every 100 µs of work; its own cost is small beside that.
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
		p.resumed = time.Now() // the time of others does not count
	default:
		p.rest()
	}
}

func (p *Pace) begin(processors int) { p.processors, p.resumed = processors, time.Now() }

// rest sleeps on one processor, and begins a slice of work.
func (p *Pace) rest() {
	if p.processors == 1 {
		time.Sleep(rest) //nolint:forbidigo // it waits for nothing: it is idle so that others are not
	}
	now := time.Now()
	p.worked, p.slice, p.resumed = 0, min(max(now.Sub(p.resumed)/2, shortest), longest), now
}
