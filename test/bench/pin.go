package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// cores are the two that a run uses.
type cores struct {
	measured string // of what is measured
	bench    string // of the senders and the sink
}

// coresVariable tells a bench that it is on its core already.
const coresVariable = "RTBEAT_BENCH_CORES"

// pin starts the program anew on its core, in the same process, and returns the cores there. A program has to start pinned:
// Go looks once at how many cores there are, and only then all of its threads are where they should be.
func pin() (cores, error) {
	if measured, bench, pinned := strings.Cut(os.Getenv(coresVariable), ","); pinned {
		return cores{measured: measured, bench: bench}, nil
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return cores{}, fmt.Errorf("reading which cores there are (the bench needs Linux): %w", err)
	}
	allowed := parseCores(field(string(status), "Cpus_allowed_list:"))
	if len(allowed) < 2 {
		return cores{}, errors.New("the bench needs two cores: one for what is measured, one for the senders and the sink")
	}
	taskset, err := exec.LookPath("taskset")
	if err != nil {
		return cores{}, fmt.Errorf("finding taskset, of util-linux: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return cores{}, fmt.Errorf("finding this program: %w", err)
	}
	env := append(os.Environ(), fmt.Sprintf("%s=%d,%d", coresVariable, allowed[0], allowed[1]))
	argv := append([]string{taskset, "-c", strconv.Itoa(allowed[1]), self}, os.Args[1:]...)
	return cores{}, fmt.Errorf("starting anew on core %d: %w", allowed[1], syscall.Exec(taskset, argv, env))
}

// parseCores reads a list such as 0-3,8 and returns its first two cores.
func parseCores(list string) (found []int) {
	for part := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.Atoi(first)
		if err != nil {
			return found
		}
		to, err := strconv.Atoi(last)
		if err != nil {
			return found
		}
		for core := from; core <= to && len(found) < 2; core++ {
			found = append(found, core)
		}
	}
	return found
}
