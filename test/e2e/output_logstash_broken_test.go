//go:build e2e

package e2e

import (
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// Logstash cuts connections in every part of a window, and acknowledges in odd ways. No event has a 200 without its
// acknowledgement, and nothing is lost, with any setting of the output.
func TestLogstashBreaksOffAnywhereInAWindow(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		hosts  int
		output map[string]any
	}{
		"pipelining 0":              {1, map[string]any{"pipelining": 0}},
		"pipelining 1":              {1, map[string]any{"pipelining": 1}},
		"pipelining 2":              {1, map[string]any{"pipelining": 2}},
		"pipelining 5":              {1, map[string]any{"pipelining": 5}},
		"ttl":                       {1, map[string]any{"pipelining": 0, "ttl": "100ms"}},
		"slow start":                {1, map[string]any{"slow_start": true, "bulk_max_size": 64}},
		"slow start, synchronous":   {1, map[string]any{"slow_start": true, "bulk_max_size": 64, "pipelining": 0, "ttl": "100ms"}},
		"slow start, pipelining 5":  {1, map[string]any{"slow_start": true, "bulk_max_size": 64, "pipelining": 5}},
		"three connections":         {1, map[string]any{"loadbalance": true, "worker": 3}},
		"two hosts, one dies":       {2, map[string]any{"loadbalance": true}},
		"two hosts, failover":       {2, map[string]any{"loadbalance": false}},
		"two hosts, sync, failover": {2, map[string]any{"loadbalance": false, "pipelining": 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var hosts []*brokenLogstash
			var addrs []string
			for range tt.hosts {
				host := startBrokenLogstash(t)
				hosts, addrs = append(hosts, host), append(addrs, host.listener.Addr().String())
			}
			output := map[string]any{
				"hosts": addrs, "compression_level": 0, "bulk_max_size": 16, "max_retries": 0, "timeout": "500ms",
				"backoff.init": "1ms", "backoff.max": "5ms",
			}
			maps.Copy(output, tt.output)
			b := harness.StartBeat(t, harness.Settings{Rtbeat: map[string]any{"timeout": 2}, Output: output})
			f := startFeed(t, b, 4, 30)

			// A spare host is used when the other fails, so that each receives a part.
			for _, host := range hosts {
				harness.Await(t, time.Minute, "each fault three times", func() bool { return host.failed() >= 3 })
			}
			if len(hosts) > 1 {
				hosts[1].die()
			}
			for _, host := range hosts {
				host.recover()
			}
			f.stop()
			var events []lumbersink.Event
			for _, host := range hosts {
				events = append(events, host.received()...)
			}
			broken := f.ledger.Violations(events)
			require.Empty(t, broken, "%s", f.ledger.Report(broken, events, nil))
			lost := f.ledger.Lost(events)
			require.Empty(t, lost, "%s", f.ledger.Report(lost, events, nil))
			t.Logf("answers %v, %d messages, %d events at Logstash", f.tally.Counts(), f.ledger.Sent(), len(events))
		})
	}
}
