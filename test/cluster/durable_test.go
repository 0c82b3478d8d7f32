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

// addVolumes makes this many local volumes on each node.
func addVolumes(t testing.TB, name string, count int) {
	t.Helper()
	for _, n := range cluster.nodes {
		for i := range count {
			volume := fmt.Sprintf("%s-%s-%d", name, nodeName(n.n), i)
			require.NoError(t, os.MkdirAll(filepath.Join(n.folder, "lib", volume), 0o755))
			_, err := kubectl(fmt.Sprintf(`{"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": %q}, "spec": {
				"capacity": {"storage": "12Gi"}, "accessModes": ["ReadWriteOnce"], "local": {"path": "/var/lib/%[1]s"},
				"nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
					{"key": "kubernetes.io/hostname", "operator": "In", "values": [%q]}]}]}}}}`, volume, nodeName(n.n)), "apply", "-f", "-")
			require.NoError(t, err)
			t.Cleanup(func() { _, _ = kubectl("", "delete", "persistentvolume", volume, "--wait=false") })
		}
	}
}

func TestDurable(t *testing.T) {
	require.NoError(t, startProxies("iptables"))
	addVolumes(t, "durable", 1)
	sink := listen(t)
	s := install(t, "durable", "", "base", "components/durable")

	f := send(t, sink, s.url(), 8, 8)
	f.ledger.Stored()
	f.awaitBatches(200)
	s.must("", "rollout", "restart", "statefulset/rtbeat")
	s.rolledOut()
	f.awaitBatches(200)
	f.awaitStored()
	f.end("durable: rollout restart, 8 kept and 8 new connections")
	require.Empty(t, f.failures())

	f = send(t, sink, s.url(), 8, 8)
	f.ledger.Stored()
	f.awaitBatches(200)
	busiest := s.busiest()
	sink.SetPolicy(lumbersink.Never())
	s.signal(busiest, "KILL")
	time.Sleep(5 * time.Second)
	harness.RecoverSink(sink)
	s.rolledOut()
	f.awaitBatches(200)
	f.awaitStored()
	f.end("durable: kill -9 while the sink stalls, 8 kept and 8 new connections")
}

// awaitStored stops the senders, and waits until each message is at the sink: a 200 of durable mode comes before.
func (f *load) awaitStored() {
	f.t.Helper()
	f.stop()
	f.wait.Wait()
	harness.Await(f.t, time.Minute, "every stored message at the sink", func() bool { return len(f.ledger.Lost(f.events())) == 0 })
}
