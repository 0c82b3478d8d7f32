//go:build abuse

package abuse

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

const (
	// memoryBound is the documented bound with the default settings.
	memoryBound = 512 << 20
	// beatCore and restCore keep the attackers' CPU time out of rtbeat's figures.
	beatCore, restCore = "0", "1"
	cgroupV1           = "/sys/fs/cgroup/memory"
)

// confine runs rtbeat on its core, with the memory limit.
func confine(cgroup string, s *harness.Settings) {
	s.Under = []string{"taskset", "-c", beatCore}
	if cgroup == "" {
		s.Env = []string{fmt.Sprint("GOMEMLIMIT=", memoryBound/10*9)}
		return
	}
	s.Under = append([]string{"sh", "-c", "echo $$ >" + cgroup + `/cgroup.procs; exec "$0" "$@"`}, s.Under...)
}

// newCgroup makes a group with the limit. It returns "" if that is not allowed; then only the peak is checked.
func newCgroup(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(cgroupV1, "rtbeat-abuse-"+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(dir, 0o755); err != nil && !os.IsExist(err) {
		t.Logf("no memory cgroup, GOMEMLIMIT instead: %v", err)
		return ""
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "memory.limit_in_bytes"), []byte(strconv.Itoa(memoryBound)), 0o600))
	t.Cleanup(func() { _ = os.Remove(dir) }) // rtbeat has ended by then
	return dir
}

// killed says whether the kernel killed the process at the memory limit.
func killed(t *testing.T, cgroup string) bool {
	t.Helper()
	if cgroup == "" {
		return false
	}
	text, err := os.ReadFile(filepath.Join(cgroup, "memory.oom_control"))
	require.NoError(t, err)
	return !strings.Contains(string(text)+"\n", "oom_kill 0\n")
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
