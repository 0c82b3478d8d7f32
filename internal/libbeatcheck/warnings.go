package libbeatcheck

import (
	"fmt"
	"time"

	conf "github.com/elastic/elastic-agent-libs/config"
)

// keepAlive is how far Logstash's keep-alives may be apart, with a margin (docs/operations.md).
const keepAlive = 10 * time.Second

func warnOfTimeout(root *conf.C, output string) []string {
	timeout := value(root, "output.logstash.timeout", keepAlive)
	if output != "logstash" || timeout >= keepAlive {
		return nil
	}
	return []string{fmt.Sprintf("output.logstash.timeout is %s. Logstash sends keep-alives 5s apart. With a shorter timeout, libbeat sends each slow window again and again. Set it to %s or more", timeout, keepAlive)}
}

// checkProcessors refuses processors that are not a list: libbeat ignores them all.
func checkProcessors(root *conf.C, _ string) []error {
	processors := section(root, "processors")
	if processors == nil || processors.IsArray() || len(processors.GetFields()) == 0 {
		return nil
	}
	return []error{fmt.Errorf("processors is a map, and libbeat ignores everything in it: write a list, as in \"processors: [{%s: …}]\"", processors.GetFields()[0])}
}

// warnOfProcessors warns of processors that drop every event, whose senders are answered 200, and of memory without a limit.
func warnOfProcessors(root *conf.C) (warnings []string) {
	const result = "Every message is answered 200 with \"filtered\", and none is delivered"
	var c struct {
		Processors []*conf.C `config:"processors"`
	}
	if root.Unpack(&c) != nil {
		return nil // libbeat refuses it
	}
	for i, processor := range c.Processors {
		if processor == nil {
			continue
		}
		key := fmt.Sprintf("processors.%d", i)
		if processor.HasField("drop_event") && !has(processor, "drop_event.when") {
			warnings = append(warnings, fmt.Sprintf("%s.drop_event has no condition. %s. Write drop_event.when", key, result))
		}
		if limit := value(processor, "rate_limit.limit", "0/s"); processor.HasField("rate_limit") && !has(processor, "rate_limit.when") && isZeroRate(limit) {
			warnings = append(warnings, fmt.Sprintf("%s.rate_limit.limit is %q. %s. Write a rate above zero, as in 100/s", key, limit, result))
		}
		if has(processor, "cache.put") && value(processor, "cache.backend.capacity", 0) <= 0 {
			warnings = append(warnings, key+".cache.backend.capacity is not set. Senders can fill the memory with values. Write the most values that the cache may have, as in 10000")
		}
	}
	return warnings
}

// isZeroRate tells whether a rate such as 0/s lets nothing through (libbeat/processors/ratelimit/limit.go).
func isZeroRate(rate string) bool {
	var n float64
	_, err := fmt.Sscanf(rate, "%g/", &n)
	return err == nil && n <= 0
}
