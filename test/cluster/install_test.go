//go:build cluster

package cluster

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// settings is the rtbeat.yml of most tests.
const settings = `
rtbeat.timeout: 5
output.logstash:
  hosts: ["logstash:5044"]
  backoff.init: 500ms
  backoff.max: 4s
`

func TestInstall(t *testing.T) {
	s := install(t, "install", settings, "base")
	pods := s.pods()
	require.Len(t, pods, 2)
	require.NotEqual(t, pods[0].node, pods[1].node, "the nodes of the pods")
	f := send(t, listen(t), s.url(), 8, 8)
	f.awaitBatches(200)
	require.Zero(t, f.end("8 kept and 8 new connections, nothing else"))
	require.Empty(t, f.failures())
}
