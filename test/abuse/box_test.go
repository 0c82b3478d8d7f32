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
	// memoryBound is what the documentation promises for the default settings.
	memoryBound = 512 << 20
	// beatCore and restCore keep the attackers' own work out of rtbeat's figures.
	beatCore, restCore = "0", "1"
	binaryEnv          = "RTBEAT_BINARY"
	cgroupV1           = "/sys/fs/cgroup/memory"
)

// box is where rtbeat runs: a core, and a limit of memory.
type box struct {
	cgroup string // empty where none can be made
	pid    string // the file that holds the process's id
}

// newBox puts a script in place of the binary. It execs the binary, so that the process is still the harness's.
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

// newCgroup makes a group with the limit; "" where this is not allowed, and the high-water mark alone decides.
func newCgroup(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(cgroupV1, "rtbeat-abuse-"+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(dir, 0o755); err != nil && !os.IsExist(err) {
		t.Logf("no memory cgroup, GOMEMLIMIT instead: %v", err)
		return ""
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "memory.limit_in_bytes"), []byte(strconv.Itoa(memoryBound)), 0o600))
	t.Cleanup(func() { _ = os.Remove(dir) }) // rtbeat is gone by then
	return dir
}

// killed says whether the kernel ended the process for want of memory.
func (b *box) killed(t *testing.T) bool {
	t.Helper()
	if b.cgroup == "" {
		return false
	}
	text, err := os.ReadFile(filepath.Join(b.cgroup, "memory.oom_control"))
	require.NoError(t, err)
	return !strings.Contains(string(text)+"\n", "oom_kill 0\n")
}

// attackCommand runs a tool on the other core, with a lower priority than the senders.
func attackCommand(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	for _, tool := range []string{"taskset", "nice", name} {
		_, err := exec.LookPath(tool)
		require.NoError(t, err, "install %s (apt-get install slowhttptest nghttp2-client util-linux)", tool)
	}
	return exec.CommandContext(t.Context(), "taskset", append([]string{"-c", restCore, "nice", "-n", "10", name}, args...)...)
}
