//go:build abuse

package abuse

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// cgroup is a memory cgroup of version 1 or 2.
type cgroup struct {
	dir string // "" is none
	v2  bool
}

const (
	cgroupV1 = "/sys/fs/cgroup/memory"
	cgroupV2 = "/sys/fs/cgroup"
)

// newCgroup makes a group with this limit in bytes. The group is removed at the end of the test: rtbeat has ended by then.
func newCgroup(t *testing.T, limit int64) (cgroup, error) {
	t.Helper()
	parent, file := cgroupV1, "memory.limit_in_bytes"
	_, err := os.Stat(filepath.Join(cgroupV2, "cgroup.controllers"))
	isV2 := err == nil // a hybrid hierarchy has version 1 there
	if isV2 {
		parent, file = cgroupV2, "memory.max"
	}
	g := cgroup{filepath.Join(parent, fmt.Sprintf("rtbeat-abuse-%d-%d", os.Getpid(), limit>>20)), isV2}
	if err := os.Mkdir(g.dir, 0o755); err != nil && !os.IsExist(err) {
		return cgroup{}, fmt.Errorf("no memory cgroup: %w", err)
	}
	t.Cleanup(func() { _ = os.Remove(g.dir) })
	if err := os.WriteFile(filepath.Join(g.dir, file), []byte(strconv.FormatInt(limit, 10)), 0o600); err != nil {
		return cgroup{}, fmt.Errorf("no memory limit: %w", err)
	}
	return g, nil
}

// enter is a shell command that puts the shell into the group.
func (g cgroup) enter() string { return "echo $$ >" + g.dir + "/cgroup.procs" }

// read returns a number of a file, or the number after a name in it. It returns 0 without either.
func (g cgroup) read(file, name string) (n int64) {
	text, err := os.ReadFile(filepath.Join(g.dir, file))
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(text) {
		value := strings.TrimSpace(string(line))
		if name != "" {
			rest, found := strings.CutPrefix(value, name+" ")
			if !found {
				continue
			}
			value = rest
		}
		n, _ = strconv.ParseInt(value, 10, 64)
		return n
	}
	return 0
}

// killed says whether the kernel killed a process at the memory limit.
func (g cgroup) killed() bool {
	if g.v2 {
		return g.read("memory.events", "oom_kill") > 0
	}
	return g.dir != "" && g.read("memory.oom_control", "oom_kill") > 0
}

// memory is the memory that the kernel cannot take back, in bytes: without the pages of files, which it drops at the limit.
func (g cgroup) memory() int64 {
	file := "memory.usage_in_bytes"
	if g.v2 {
		file = "memory.current"
	}
	return g.read(file, "") - g.read("memory.stat", "active_file") - g.read("memory.stat", "inactive_file")
}

// peak is the most memory, with the pages of files.
func (g cgroup) peak() int64 {
	if g.v2 {
		return g.read("memory.peak", "")
	}
	return g.read("memory.max_usage_in_bytes", "")
}

// anonymous is the memory that is not of a file, without the kernel's.
func (g cgroup) anonymous() int64 {
	if g.v2 {
		return g.read("memory.stat", "anon")
	}
	return g.read("memory.stat", "rss")
}
