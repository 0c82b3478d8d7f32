//go:build abuse

package abuse

import (
	"fmt"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

const (
	// memoryBound is the documented bound with the default settings.
	memoryBound = 512 << 20
	// beatCore and restCore keep the attackers' CPU time out of rtbeat's figures.
	beatCore, restCore = "0", "1"
)

// confine runs rtbeat on its core, with the memory limit.
func confine(group cgroup, s *harness.Settings) {
	s.Under = []string{"taskset", "-c", beatCore}
	if group.dir == "" {
		s.Env = []string{fmt.Sprint("GOMEMLIMIT=", memoryBound/10*9)}
		return
	}
	s.Under = append([]string{"sh", "-c", group.enter() + `; exec "$0" "$@"`}, s.Under...)
}

// attackCommand runs a tool on the other core, at a lower priority than the senders.
func attackCommand(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	for _, tool := range []string{"taskset", "nice", name} {
		_, err := exec.LookPath(tool)
		require.NoError(t, err, "install %s (apt-get install slowhttptest nghttp2-client util-linux)", tool)
	}
	return exec.CommandContext(t.Context(), "taskset", append([]string{"-c", restCore, "nice", "-n", "10", name}, args...)...)
}
