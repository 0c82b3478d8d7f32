package beater

import (
	"math"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/dustin/go-humanize"

	"github.com/elastic/elastic-agent-libs/logp"

	"github.com/txn2/rtbeat/config"
)

const (
	// memoryShare is the share of the container's memory that becomes GOMEMLIMIT. The rest is for memory that Go does not
	// count: the binary's pages and the kernel's buffers.
	memoryShare = 0.9
	// memoryFactor is how many bytes of memory a byte in flight takes at most. memoryBase is the memory of rtbeat with nothing
	// in flight. docs/operations.md has the measurement.
	memoryFactor = 12
	memoryBase   = 60 << 20
)

// limitMemory sets GOMEMLIMIT from the memory of the container, and warns when that is less than rtbeat may need. GOMEMLIMIT in
// the environment has precedence. AUTOMEMLIMIT=off switches limitMemory off.
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
		log.Warnf("rtbeat may take %s of memory with rtbeat.max_in_flight_bytes at %s, and the container has %s; lower the setting, or raise the limit of the container (docs/operations.md)",
			size(need), size(int64(c.MaxInFlight)), size(limit))
	}
}

func size(bytes int64) string { return humanize.IBytes(uint64(max(bytes, 0))) }
