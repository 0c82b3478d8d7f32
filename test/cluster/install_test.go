//go:build cluster

package cluster

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

func TestInstall(t *testing.T) {
	s := install(t, "install", "", "base")
	pods := s.pods()
	require.Len(t, pods, 2)
	require.NotEqual(t, pods[0].node, pods[1].node, "the nodes of the pods")
	f := send(t, listen(t), s.url(), 8, 8)
	f.awaitBatches(200)
	require.Zero(t, f.end("8 kept and 8 new connections, nothing else"))
	require.Empty(t, f.failures())
}

// A setting that rtbeat refuses stops the rollout. The pods with the old one serve on.
func TestRefusedSetting(t *testing.T) {
	s := install(t, "refused", "", "base")
	f := send(t, listen(t), s.url(), 4, 4)
	before := s.pods()
	s.must("", "apply", "-k", s.overlay("rtbeat.timeout: soon\noutput.logstash.hosts: [\"logstash:5044\"]\n", "base"))
	harness.Await(t, time.Minute, "a pod that has ended", func() bool {
		return strings.Contains(s.get("pods", "{.items[*].status.containerStatuses[0].lastState.terminated.reason}"), "Error")
	})
	f.awaitBatches(200)
	require.Zero(t, f.end("a configuration that rtbeat refuses"))
	require.Empty(t, f.failures())
	require.Subset(t, s.pods(), before)
	logs := s.must("", "logs", "--selector", "app.kubernetes.io/name=rtbeat", "--tail", "5")
	require.Contains(t, logs, "rtbeat.timeout")
}

// The pods are on different nodes also where one node has more free, and where nodes have no zone.
func TestPodsAreSpread(t *testing.T) {
	name, err := image()
	require.NoError(t, err)
	_, err = kubectl(`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "busy"}, "spec": {"nodeName": "node2", "containers": [
		{"name": "busy", "image": "`+name+`", "args": ["sink"], "resources": {"requests": {"cpu": "1200m"}}}]}}`, "apply", "-f", "-")
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = kubectl("", "delete", "pod", "busy", "--wait=false") })
	pods := install(t, "spread", "", "base").pods()
	require.Len(t, pods, 2)
	require.NotEqual(t, pods[0].node, pods[1].node, "the nodes of the pods")
}
