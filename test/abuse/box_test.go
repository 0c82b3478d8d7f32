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
)

const (
	// memoryBound is the documented bound with the default settings.
	memoryBound = 512 << 20
	// beatCore and restCore keep the attackers' CPU time out of rtbeat's figures.
	beatCore, restCore = "0", "1"
	binaryEnv          = "RTBEAT_BINARY"
	cgroupV1           = "/sys/fs/cgroup/memory"
)

// box is the environment of rtbeat: a core, and a memory limit.
type box struct {
	cgroup string // empty if none can be made
	pid    string // the file with the process's id
}

// newBox replaces the binary by a script. The script execs the binary, so that the process stays the harness's.
func newBox(t *testing.T) *box {
	t.Helper()
	binary := os.Getenv(binaryEnv)
	dir := t.TempDir()
	b := &box{cgroup: newCgroup(t), pid: filepath.Join(dir, "pid")}
	var script strings.Builder
	fmt.Fprintf(&script, "#!/bin/sh\necho $$ > %s\n", b.pid)
	if b.cgroup != "" {
		fmt.Fprintf(&script, "echo $$ > %s/cgroup.procs\n", b.cgroup)
	} else {
		fmt.Fprintf(&script, "export GOMEMLIMIT=%d\n", memoryBound/10*9)
	}
	fmt.Fprintf(&script, "exec taskset -c %s %s \"$@\"\n", beatCore, binary)
	path := filepath.Join(dir, "rtbeat")
	require.NoError(t, os.WriteFile(path, []byte(script.String()), 0o700))
	t.Setenv(binaryEnv, path)
	return b
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
func (b *box) killed(t *testing.T) bool {
	t.Helper()
	if b.cgroup == "" {
		return false
	}
	text, err := os.ReadFile(filepath.Join(b.cgroup, "memory.oom_control"))
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
