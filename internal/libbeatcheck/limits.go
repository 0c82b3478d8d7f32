package libbeatcheck

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	conf "github.com/elastic/elastic-agent-libs/config"
)

// longest is the longest duration that makes sense for rtbeat, in libbeat's settings as in its own.
const longest = 24 * time.Hour

// anyOutput stands in a key for the name of the output in force, if it is a networked one.
const anyOutput = "output.*"

// limit is a rule for one setting. A value below least or above most is refused.
type limit[T cmp.Ordered] struct {
	key         string
	least, most T
	why         string             // the effect of another value
	when        func(*conf.C) bool // nil: always
}

// durations are the limits of settings that libbeat reads as durations.
var durations = []limit[time.Duration]{
	{key: anyOutput + ".backoff.init", least: time.Millisecond, most: longest, why: noBackoff},
	{key: anyOutput + ".backoff.max", least: time.Millisecond, most: longest, why: noBackoff},
	{key: "output.logstash.timeout", least: 100 * time.Millisecond, most: longest, why: "no Logstash connects and acknowledges in that time, and nothing is ever delivered. 30s is libbeat's default"},
	{key: "output.elasticsearch.timeout", least: 100 * time.Millisecond, most: longest, why: "a request to Elasticsearch would have no end, or none would succeed. 90s is libbeat's default"},
	{key: "logging.metrics.period", least: time.Second, most: longest, when: logsMetrics, why: "libbeat panics at zero or less, and logs without a pause just above. GET /metrics has more: set logging.metrics.enabled to false"},
	{key: "http.buffer.period", least: time.Second, most: longest, when: buffersMetrics, why: "libbeat panics at zero or less"},
	{key: "monitoring.elasticsearch.backoff.init", least: time.Millisecond, most: longest, when: monitors, why: noBackoff},
	{key: "monitoring.elasticsearch.backoff.max", least: time.Millisecond, most: longest, when: monitors, why: noBackoff},
	{key: "monitoring.elasticsearch.metrics.period", least: time.Second, most: longest, when: monitors, why: "libbeat panics at zero or less"},
	{key: "monitoring.elasticsearch.state.period", least: time.Second, most: longest, when: monitors, why: "libbeat panics at zero or less"},
}

const noBackoff = "libbeat panics at the first outage when it is too small, and does not connect again when it is too large"

// numbers are the limits of settings that libbeat reads as whole numbers.
var numbers = []limit[int]{
	{key: "output.logstash.pipelining", most: mostSlots, why: "libbeat reserves memory for all of them at the start"},
	{key: anyOutput + ".worker", least: -1, most: mostWorkers, why: manyWorkers},
	{key: anyOutput + ".workers", least: -1, most: mostWorkers, why: manyWorkers},
	{key: "queue.mem.events", least: 32, most: mostEvents, why: "libbeat makes the whole queue at the start"},
	{key: anyOutput + ".queue.mem.events", least: 32, most: mostEvents, why: "libbeat makes the whole queue at the start"},
	{key: "http.port", most: 65535, when: serves, why: "it is no TCP port"},
	{key: "http.buffer.size", least: 2, most: mostSlots, when: buffersMetrics, why: "libbeat makes the whole buffer at the start"},
}

const manyWorkers = "each is a client with a connection to each host; thousands of them neither deliver nor stop in time"

const (
	mostWorkers = 256     // far above any use: 4096 did not deliver within 4 s
	mostSlots   = 1 << 16 // far above any use; libbeat runs out of memory at 1 << 31
	mostEvents  = 1 << 24 // the most messages that a batch may have
)

func logsMetrics(root *conf.C) bool { return value(root, "logging.metrics.enabled", true) }
func serves(root *conf.C) bool      { return isOn(root, "http") }
func monitors(root *conf.C) bool    { return isOn(root, "monitoring") }

// buffersMetrics is off unless it is switched on (IsBufferEnabled in elastic-agent-libs, monitoring/monitoring.go).
func buffersMetrics(root *conf.C) bool {
	return serves(root) && value(root, "http.buffer.enabled", false)
}

func checkLimits(root *conf.C, output string) (errs []error) {
	errs = append(errs, exceeded(root, output, durations)...)
	return append(errs, exceeded(root, output, numbers)...)
}

func exceeded[T cmp.Ordered](root *conf.C, output string, limits []limit[T]) (errs []error) {
	for _, l := range limits {
		key, applies := inForce(l.key, output)
		if !applies || l.when != nil && !l.when(root) {
			continue
		}
		got := value(root, key, l.least)
		if got < l.least || got > l.most {
			errs = append(errs, fmt.Errorf("%s is %v: %s. Write a value from %v to %v, or remove the setting", key, got, l.why, l.least, l.most))
		}
	}
	return errs
}

// inForce is the key of a rule with the output's name in it. It does not apply to an output that is not in force.
func inForce(key, output string) (string, bool) {
	if rest, is := strings.CutPrefix(key, anyOutput); is {
		return "output." + output + rest, slices.Contains(networked, output)
	}
	if strings.HasPrefix(key, "output.") {
		return key, strings.HasPrefix(key, "output."+output+".")
	}
	return key, true
}
