package beater

import (
	"math"
	"os"
	"strings"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/dustin/go-humanize"

	"github.com/elastic/elastic-agent-libs/logp"

	"github.com/txn2/rtbeat/config"
)

const (
	// memoryShare is the share of the container's memory that becomes GOMEMLIMIT, and outsideGo is the least memory beside it: for
	// the binary's pages, which the kernel reads again and again where they do not fit, and for the kernel's own structures.
	memoryShare = 0.9
	outsideGo   = 20 << 20
)

// limitMemory sets GOMEMLIMIT from the memory of the container, and returns how much Go may use. GOMEMLIMIT in the environment has
// precedence, and the lower of the two counts. AUTOMEMLIMIT=off leaves out the container.
func limitMemory(container memlimit.Provider, log *logp.Logger) config.Memory {
	inside := func() (uint64, error) {
		limit, err := container()
		// memlimit multiplies with memoryShare, so the division makes the result limit - outsideGo.
		return min(limit, uint64(float64(limit-min(limit/2, outsideGo))/memoryShare)), err
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		_ = os.Unsetenv("GOMEMLIMIT") // memlimit takes an empty one as a limit, and Go does not
	}
	limit, err := memlimit.Set(memlimit.WithProvider(inside), memlimit.WithRatio(memoryShare))
	if err != nil {
		log.Debugw("the container's memory limit is not known", "error.message", err.Error())
		return 0
	}
	if _, isSet := os.LookupEnv("GOMEMLIMIT"); isSet && os.Getenv("AUTOMEMLIMIT") != "off" {
		if within, err := memlimit.ApplyRatio(inside, memoryShare)(); err == nil {
			limit = min(limit, int64(min(within, math.MaxInt64)))
		}
	}
	if limit <= 0 || limit == math.MaxInt64 {
		return 0
	}
	return config.Memory(limit)
}

// logMemory logs the settings that are lower because of the memory, and warns when others need more than there is.
func logMemory(c, usual config.Config, memory config.Memory, log *logp.Logger) {
	if memory == 0 {
		return
	}
	var lower []string
	for _, s := range c.Lowered(usual) {
		lower = append(lower, s.Key+" is "+s.Value)
	}
	line := "GOMEMLIMIT is " + size(int64(memory))
	if len(lower) > 0 {
		line += ". Settings without a value in the configuration are lower than usual: " + strings.Join(lower, ", ") + " (docs/operations.md#memory)"
	}
	log.Info(line)
	if need := config.Needs(c.MaxInFlight); memory < need {
		log.Warnf("rtbeat may take %s of memory with rtbeat.max_in_flight_bytes at %s, and GOMEMLIMIT is %s; lower the setting, or raise the memory limit (docs/operations.md#memory)",
			size(int64(need)), size(int64(c.MaxInFlight)), size(int64(memory)))
	}
}

func size(bytes int64) string { return humanize.IBytes(uint64(max(bytes, 0))) }
