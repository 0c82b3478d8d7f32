//go:build cluster

package cluster

import (
	"testing"

	"github.com/stretchr/testify/require"
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
