//go:build cluster

package cluster

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// settle is the time in which an old pod ends: shutdown_delay, and some seconds.
const settle = 15 * time.Second

// runs is the number of rollouts in a row: RTBEAT_CLUSTER_RUNS, or one.
func runs() int {
	n, _ := strconv.Atoi(os.Getenv("RTBEAT_CLUSTER_RUNS"))
	return max(n, 1)
}

func TestRollout(t *testing.T) {
	for _, mode := range []string{"iptables", "nftables"} {
		t.Run(mode, func(t *testing.T) {
			require.NoError(t, startProxies(mode))
			sink := listen(t)
			s := install(t, "rollout-"+mode, "", "base")
			for range runs() {
				f := send(t, sink, s.url(), 8, 8)
				f.awaitBatches(200)
				s.must("", "rollout", "restart", "deployment/rtbeat")
				s.rolledOut()
				time.Sleep(settle)
				f.awaitBatches(200)
				require.Zero(t, f.end("rollout restart, "+mode+", 8 kept and 8 new connections"))
				require.Empty(t, f.failures())
			}
		})
	}
}

// Both nodes are drained in turn, so every pod is evicted.
func TestDrain(t *testing.T) {
	for _, mode := range []string{"iptables", "nftables"} {
		t.Run(mode, func(t *testing.T) {
			require.NoError(t, startProxies(mode))
			sink := listen(t)
			s := install(t, "drain-"+mode, "", "base")
			f := send(t, sink, s.url(), 8, 8)
			f.awaitBatches(200)
			for _, n := range cluster.nodes {
				s.drain(n)
			}
			f.awaitBatches(200)
			require.Zero(t, f.end("drain of both nodes, "+mode+", 8 kept and 8 new connections"))
			require.Empty(t, f.failures())
		})
	}
}

// drain evicts the pods of a node, waits for their replacements, and lets the node have pods again.
func (s *namespace) drain(n *node) {
	s.t.Helper()
	name := nodeName(n.n)
	s.t.Cleanup(func() { s.must("", "uncordon", name) })
	s.must("", "drain", name, "--delete-emptydir-data", "--timeout=120s", "--pod-selector", "app.kubernetes.io/name=rtbeat")
	s.rolledOut()
	time.Sleep(settle)
	s.must("", "uncordon", name)
}

// Kept connections spread over new pods at max_connection_age, longer than the Service's affinity. A sender that makes a
// connection more often than that affinity lasts stays at its pod.
func TestScale(t *testing.T) {
	require.NoError(t, startProxies("iptables"))
	sink := listen(t)
	s := install(t, "scale", "", "base")
	kept, fresh := send(t, sink, s.url(), 16, 0), send(t, sink, s.url(), 0, 8)
	kept.awaitBatches(200)
	s.scale(4)
	time.Sleep(time.Minute)
	from := time.Now()
	time.Sleep(time.Minute)
	shares, ofFresh := kept.shares(s.pods(), from), fresh.shares(s.pods(), from)
	s.scale(2)
	time.Sleep(settle)
	require.Zero(t, kept.end(fmt.Sprintf("2 → 4 → 2 pods, 16 kept connections, shares of four pods %v", shares)))
	require.Zero(t, fresh.end(fmt.Sprintf("2 → 4 → 2 pods, 8 with new connections, shares of four pods %v", ofFresh)))
	require.Empty(t, kept.failures())
	require.Empty(t, fresh.failures())
	// The even share is 25 %. About 40 connections of the minute were placed by chance, so 6 % is missed once in a thousand runs.
	require.GreaterOrEqual(t, shares[0], 6, "percent of the messages at the pod with the fewest")
}
