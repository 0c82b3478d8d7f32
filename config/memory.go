package config

import "github.com/txn2/rtbeat/internal/setting"

// Memory is how many bytes Go may use in the process. 0 is no limit.
type Memory int64

const (
	// memoryAtRest is the memory of rtbeat with nothing in flight, and of what is large and has no setting: the decompressor with a
	// window of 8 MiB, and the buffers of the output.
	memoryAtRest = 24 << 20
	// memoryFactor is the most memory for a byte in flight: its decoded messages, garbage, and the same share of connections and
	// dedupe. docs/operations.md has the measurements.
	memoryFactor = 12
	// leastConnections is the least default of max_connections. A connection takes 35 KiB at most with TLS, and 20 KiB without.
	leastConnections = 128
	// maxDivisor bounds how far a default is lowered. rtbeat warns where not even that part fits.
	maxDivisor = 20
	// roundTo makes the sizes short numbers.
	roundTo = 256 << 10
)

// Needs is how much memory rtbeat may need with this many bytes in flight.
func Needs(inFlight setting.ByteSize) Memory { return memoryAtRest + memoryFactor*Memory(inFlight) }

// Part returns the part of a default, a size or a number, that fits in the memory. The whole fits where the default of
// max_in_flight_bytes fits.
func (m Memory) Part(whole int64) int64 {
	enough := Needs(Default().MaxInFlight)
	if m == 0 || m >= enough {
		return whole
	}
	return max(whole*int64(m-memoryAtRest)/int64(enough-memoryAtRest), whole/maxDivisor)
}

// DefaultWithin returns the settings where the file says nothing, for a process with this much memory.
func DefaultWithin(m Memory) Config {
	c := Default()
	c.MaxInFlight = setting.ByteSize(m.Part(int64(c.MaxInFlight)) / roundTo * roundTo)
	c.MaxConnections = max(int(m.Part(int64(c.MaxConnections))), leastConnections)
	c.Dedupe.MaxEntries = int(m.Part(int64(c.Dedupe.MaxEntries)))
	return c
}

// fitBodies makes max_in_flight_bytes hold two bodies of max_body_bytes, as it does by default, and as durable mode must have it.
// A value of the file stays.
func (c *Config) fitBodies(values map[string]any) {
	switch defaults := Default(); {
	case values["max_in_flight_bytes"] != nil:
	case values["max_body_bytes"] != nil:
		c.MaxInFlight = max(c.MaxInFlight, min(2*c.MaxBody, defaults.MaxInFlight))
	default:
		c.MaxBody = min(c.MaxBody, c.MaxInFlight/2)
	}
}

// Lowered returns the settings of c that have another value in usual, which is the same file without a memory limit.
func (c Config) Lowered(usual Config) (lowered []Setting) {
	values := make(map[string]string)
	for _, s := range usual.Shown() {
		values[s.Key] = s.Value
	}
	for _, s := range c.Shown() {
		if s.Value != values[s.Key] {
			lowered = append(lowered, s)
		}
	}
	return lowered
}
