package beater

import (
	"math"
	"sync"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/dustin/go-humanize"

	"github.com/elastic/elastic-agent-libs/logp"

	"github.com/txn2/rtbeat/config"
)

const (
	// memoryShare is how much of the container's memory the Go runtime may take before it collects garbage harder. The
	// rest is for what it does not count: the binary's pages, and the kernel's buffers.
	memoryShare = 0.9
	// memoryFactor is how much memory a byte in flight takes at most, and memoryBase what rtbeat takes with nothing in
	// flight (docs/operations.md has the measurement).
	memoryFactor = 12
	memoryBase   = 60 << 20
)

// limitMemory makes the Go runtime keep to the memory that the container has (GOMEMLIMIT), and warns when that is less than
// rtbeat may need. GOMEMLIMIT in the environment stands over it, and AUTOMEMLIMIT=off switches it off.
func limitMemory(c config.Config, container memlimit.Provider, log *logp.Logger) {
	limit, err := memlimit.Set(memlimit.WithProvider(container), memlimit.WithRatio(memoryShare))
	if err != nil {
		log.Debugw("the container's memory limit is not known", "error.message", err.Error())
		return
	}
	if limit <= 0 || limit == math.MaxInt64 {
		return
	}
	log.Infof("GOMEMLIMIT is %s", size(limit))
	if need := memoryBase + memoryFactor*int64(c.MaxInFlight); limit < need {
		log.Warnf("rtbeat may take %s of memory with rtbeat.max_in_flight_bytes at %s, and the container has %s to give; lower the one or raise the other (docs/operations.md)",
			size(need), size(int64(c.MaxInFlight)), size(limit))
	}
}

// heapFloor is what the heap may grow by at least until garbage is collected. What rtbeat keeps is 5 MB when little is in
// flight, and by Go's rule, which is to collect when the heap has doubled, it would be collected sixty times a second for
// four senders: a tenth of the processor, and seen in the latency.
const heapFloor = 32 << 20

// raiseHeap makes the floor, once in a process: it is the function that keeps the ballast, which counts as live for that
// rule. Nobody writes to it, so that the kernel gives it no memory. It counts for GOMEMLIMIT as well: where memory is
// short, the floor is taken from what may be kept.
var raiseHeap = sync.OnceValue(newBallast)

func newBallast() []byte {
	b := make([]byte, heapFloor)
	disown(b)
	return b
}

func size(bytes int64) string { return humanize.IBytes(uint64(max(bytes, 0))) }
