//go:build cluster

package cluster

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// A killed process takes the answers of its requests along, so their batches become copies. Nothing is lost.
func TestKill(t *testing.T) {
	require.NoError(t, startProxies("iptables"))
	sink := listen(t)
	s := install(t, "kill", "", "base")
	f := send(t, sink, s.url(), 8, 8)
	f.awaitBatches(200)
	s.signal(s.busiest(), "KILL")
	time.Sleep(5 * time.Second)
	s.rolledOut()
	f.awaitBatches(200)
	copies := f.end("kill -9 of one of two pods, 8 kept and 8 new connections")
	require.LessOrEqual(t, copies, 16*batchSize, "copies")
}

// signal sends a signal to the process of a pod.
func (s *namespace) signal(p pod, signal string) {
	s.t.Helper()
	i := slices.IndexFunc(cluster.nodes, func(n *node) bool { return nodeName(n.n) == p.node })
	require.GreaterOrEqual(s.t, i, 0, "%s has no node", p.name)
	n, uid := cluster.nodes[i], s.get("pod/"+p.name, "{.metadata.uid}")
	pids, err := output(n.inside("pgrep", "--full", "^/usr/bin/rtbeat")...)
	require.NoError(s.t, err)
	for pid := range strings.FieldsSeq(pids) {
		// Pods of other namespaces may still be on the node.
		group, err := output(n.inside("cat", "/proc/"+pid+"/cgroup")...)
		require.NoError(s.t, err)
		if strings.Contains(group, "pod"+uid) {
			_, err := output(n.inside("kill", "-"+signal, pid)...)
			require.NoError(s.t, err)
			return
		}
	}
	require.FailNow(s.t, "no process of "+p.name)
}

// A node without its network is not reached, and reaches nothing: its pods are replaced at the other node.
func TestPartition(t *testing.T) {
	require.NoError(t, startProxies("iptables"))
	sink := listen(t)
	s := install(t, "partition", "", "base")
	f := send(t, sink, s.url(), 8, 8)
	f.awaitBatches(200)
	pods := s.pods()
	require.NotEqual(t, pods[0].node, pods[1].node, "the nodes of the pods")
	away := cluster.nodes[1]
	_, err := output("ip", "link", "set", away.link(), "down")
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = output("ip", "link", "set", away.link(), "up") })
	s.must("", "wait", "--for=condition=Ready=Unknown", "node/"+nodeName(away.n), "--timeout=90s")
	f.awaitBatches(200)
	_, err = output("ip", "link", "set", away.link(), "up")
	require.NoError(t, err)
	s.must("", "wait", "--for=condition=Ready", "node/"+nodeName(away.n), "--timeout=90s")
	time.Sleep(settle)
	f.awaitBatches(200)
	f.end("a node without network until Kubernetes noticed it, and back")
}

// stall is the time without an acknowledgement: several times rtbeat.timeout, but less than stall_after, so pods stay ready.
const stall = 20 * time.Second

// The sink acknowledges nothing for longer than the timeout. Senders send again.
func TestStall(t *testing.T) {
	require.NoError(t, startProxies("iptables"))
	sink := listen(t)
	s := install(t, "stall", "", "base")
	f := send(t, sink, s.url(), 8, 8)
	f.awaitBatches(200)
	sink.SetPolicy(lumbersink.Never())
	time.Sleep(stall)
	harness.RecoverSink(sink)
	f.awaitBatches(200)
	f.end("sink stalled for " + stall.String() + ", 8 kept and 8 new connections")
}

// A rollout while the sink acknowledges nothing.
func TestRolloutInAStall(t *testing.T) {
	require.NoError(t, startProxies("iptables"))
	sink := listen(t)
	s := install(t, "rollout-stall", "", "base")
	f := send(t, sink, s.url(), 8, 8)
	f.awaitBatches(200)
	sink.SetPolicy(lumbersink.Never())
	time.Sleep(time.Second)
	s.must("", "rollout", "restart", "deployment/rtbeat")
	s.rolledOut()
	harness.RecoverSink(sink)
	time.Sleep(settle)
	f.awaitBatches(200)
	f.end("rollout restart while the sink stalls")
}
