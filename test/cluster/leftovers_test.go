//go:build cluster

package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// kubeletSysctls are what a kubelet sets for the whole machine. testdata/node.sh gives its namespaces files in their place.
var kubeletSysctls = []string{
	"kernel/keys/root_maxbytes", "kernel/keys/root_maxkeys", "kernel/panic", "kernel/panic_on_oops", "vm/overcommit_memory", "vm/panic_on_oom",
}

// stock is what a cluster must not change on the machine.
type stock struct {
	mounts, interfaces, cgroups, sysctls []string
}

// takeStock reads the machine's state.
func takeStock(work string) (*stock, error) {
	s := &stock{}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	s.mounts = strings.Split(string(mounts), "\n")
	found, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	for _, i := range found {
		s.interfaces = append(s.interfaces, i.Name)
	}
	s.cgroups, err = cgroupFolders(work)
	for _, name := range kubeletSysctls {
		value, readErr := os.ReadFile("/proc/sys/" + name)
		s.sysctls = append(s.sysctls, name+" = "+strings.TrimSpace(string(value)))
		err = errors.Join(err, readErr)
	}
	return s, err
}

// compare returns an error for what is there now and was not before, and for each process of the cluster that still runs.
func (s *stock) compare(work string) error {
	// The kernel removes the interfaces of a dead network namespace a little later.
	var now *stock
	var err error
	for range 50 {
		if now, err = takeStock(work); err != nil {
			return err
		}
		if slices.Equal(s.interfaces, now.interfaces) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	for _, part := range []struct {
		name        string
		before, now []string
	}{
		{"mounts", s.mounts, now.mounts},
		{"interfaces", s.interfaces, now.interfaces},
		{"cgroups", s.cgroups, now.cgroups},
		{"sysctls", s.sysctls, now.sysctls},
	} {
		if more := without(part.now, part.before); len(more) > 0 {
			err = errors.Join(err, fmt.Errorf("the cluster has left %s behind: %q", part.name, more))
		}
	}
	return errors.Join(err, running(work))
}

// running names the processes of the cluster. Each has inherited the variable with its folder.
func running(work string) (err error) {
	environments, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range environments {
		environment, readErr := os.ReadFile(path)
		if readErr != nil || !strings.Contains(string(environment), insideEnv+"="+work) {
			continue // it has ended, or is another program
		}
		command, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		err = errors.Join(err, fmt.Errorf("the cluster has left a process running: %q", command))
	}
	return err
}

// without has the elements of a that are not in b.
func without(a, b []string) (more []string) {
	for _, x := range a {
		if !slices.Contains(b, x) {
			more = append(more, x)
		}
	}
	return more
}

const cgroupRoot = "/sys/fs/cgroup"

// cgroupFolders lists the cluster's groups, also those that containerd and the kubelet make without a configuration.
func cgroupFolders(work string) (found []string, err error) {
	for _, name := range []string{cgroupName(work), "kubepods*", "k8s.io"} {
		for _, controller := range controllers() {
			more, globErr := filepath.Glob(filepath.Join(controller, name))
			found, err = append(found, more...), errors.Join(err, globErr)
		}
	}
	return found, err
}

// cgroupName is the name of the group that has the nodes' groups.
func cgroupName(work string) string { return filepath.Base(work) }

// controllers are the folders of cgroup v1's hierarchies, or the single one of version 2.
func controllers() []string {
	if _, err := os.Stat(cgroupRoot + "/cgroup.controllers"); err == nil {
		return []string{cgroupRoot}
	}
	all, _ := filepath.Glob(cgroupRoot + "/*")
	return slices.DeleteFunc(all, func(path string) bool {
		_, err := os.Stat(filepath.Join(path, "cgroup.procs"))
		return err != nil
	})
}

// remove removes what a cluster keeps on the machine while it runs.
func remove(work string) error { return errors.Join(removeCgroups(work), os.RemoveAll(work)) }

// removeKilled does that for the runs that were killed.
func removeKilled() (err error) {
	folders, _ := filepath.Glob(filepath.Join(workParent, workPrefix+"*"))
	for _, work := range folders {
		if running(work) == nil {
			err = errors.Join(err, remove(work))
		}
	}
	return err
}

// removeCgroups removes the groups that the kubelets made. They are empty when their processes have ended.
func removeCgroups(work string) (err error) {
	for _, controller := range controllers() {
		var folders []string
		_ = filepath.WalkDir(filepath.Join(controller, cgroupName(work)), func(path string, d fs.DirEntry, walkErr error) error {
			if walkErr == nil && d.IsDir() {
				folders = append(folders, path)
			}
			return nil
		})
		slices.Reverse(folders)
		for _, folder := range folders {
			// A process that was killed may need a moment.
			removed := os.Remove(folder)
			for n := 0; removed != nil && n < 50; n++ {
				time.Sleep(100 * time.Millisecond)
				removed = os.Remove(folder)
			}
			err = errors.Join(err, removed)
		}
	}
	return err
}
