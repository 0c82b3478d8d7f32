//go:build chaos

package chaos

import (
	"fmt"
	"time"

	"github.com/txn2/rtbeat/test/harness"
)

// figures are the resources of a process. At rest they must return to their values before the first fault.
type figures struct {
	goroutines, files, memory float64
	inFlight                  [3]float64
}

// The figures may grow this much: connections before their timeout, libbeat's timers, and a heap that is collected when it has
// doubled. A leak in each attempt or connection is more than that after a scenario.
const (
	moreGoroutines = 8
	moreFiles      = 4
	moreMemory     = 96e6
	restWithin     = 20 * time.Second
)

var gauges = [3]string{"rtbeat_in_flight_bytes", "rtbeat_in_flight_events", "rtbeat_in_flight_requests"}

func figuresOf(b *harness.Beat) figures {
	m := b.Metrics()
	f := figures{
		goroutines: m["go_goroutines"], files: m["process_open_fds"], memory: m["process_resident_memory_bytes"],
	}
	for i, name := range gauges {
		f.inFlight[i] = m[name]
	}
	return f
}

// restsLike says whether a process is back at its earlier figures, with nothing in flight.
func (f figures) restsLike(before figures) bool {
	return f.inFlight == [3]float64{} &&
		f.goroutines <= before.goroutines+moreGoroutines &&
		f.files <= before.files+moreFiles &&
		f.memory <= before.memory+moreMemory
}

func (f figures) String() string {
	return fmt.Sprintf("%.0f goroutines, %.0f files, %.1f MB, in flight %v", f.goroutines, f.files, f.memory/1e6, f.inFlight)
}
