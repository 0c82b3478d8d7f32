//go:build cluster

package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// longStall is longer than stall_after: meanwhile no pod is ready.
const longStall = time.Minute

// The choices of docs/scaling.md: how evenly senders are spread after more pods, and how many copies a stalled sink makes.
func TestAffinity(t *testing.T) {
	if os.Getenv("RTBEAT_CLUSTER_MEASURE") == "" {
		t.Skip("measures choices that the manifests did not make, for ten minutes: set RTBEAT_CLUSTER_MEASURE=1")
	}
	require.NoError(t, startProxies("iptables"))
	shipped, err := os.ReadFile(filepath.Join(harness.RepoRoot, "deploy", "kubernetes", "base", "rtbeat.yml"))
	require.NoError(t, err)
	for i, c := range []struct{ name, affinity, age string }{
		{"ClientIP, 3 h", clientIP(10800), "0"},
		{"ClientIP, 30 s, max_connection_age 40s", clientIP(30), "40s"},
		{"none, max_connection_age 30s", `{"sessionAffinity": "None", "sessionAffinityConfig": null}`, "30s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sink := listen(t)
			s := install(t, fmt.Sprintf("affinity-%d", i), string(shipped)+"\nrtbeat.max_connection_age: "+c.age+"\n", "base")
			s.must("", "patch", "service/rtbeat", "--patch", `{"spec": `+c.affinity+`}`)
			kept, fresh := send(t, sink, s.url(), 8, 0), send(t, sink, s.url(), 0, 8)
			both := func(what string, look func(*load)) {
				for who, f := range map[string]*load{"8 kept connections": kept, "8 with new connections": fresh} {
					t.Logf("%s | %s | %s", what, c.name, who)
					look(f)
				}
			}
			kept.awaitBatches(200)
			s.scale(4)
			time.Sleep(time.Minute)
			from := time.Now()
			time.Sleep(30 * time.Second)
			both("RESULT balance", func(f *load) { t.Log(f.shares(s.pods(), from)) })
			s.scale(2)
			time.Sleep(settle)
			both("2 → 4 → 2 pods", func(f *load) { f.end("2 → 4 → 2 pods, " + c.name) })

			for _, d := range []time.Duration{stall, longStall} {
				kept, fresh = send(t, sink, s.url(), 8, 0), send(t, sink, s.url(), 0, 8)
				kept.awaitBatches(200)
				sink.SetPolicy(lumbersink.Never())
				time.Sleep(d)
				harness.RecoverSink(sink)
				kept.awaitBatches(200)
				both("stall of "+d.String(), func(f *load) { f.end("stall of " + d.String() + ", " + c.name) })
			}
		})
	}
}

// clientIP is the Service's affinity by the sender's address, for this many seconds.
func clientIP(seconds int) string {
	return fmt.Sprintf(`{"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": %d}}}`, seconds)
}
