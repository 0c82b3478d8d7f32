package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of time in /proc/PID/stat on every Linux.
const tick = 10 * time.Millisecond

// field returns the first word after name in a file of /proc with a name on each line.
func field(text, name string) string {
	_, after, _ := strings.Cut(text, name)
	if words := strings.Fields(after); len(words) > 0 {
		return words[0]
	}
	return ""
}

// cpuTime is what a process has used of the processor, the kernel's part included.
func cpuTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("reading the processor time: %w", err)
	}
	return parseStat(string(stat))
}

func parseStat(stat string) (time.Duration, error) {
	words := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:]) // the name before may hold anything
	if len(words) < 13 {
		return 0, fmt.Errorf("reading the processor time: %d fields in %q", len(words), stat)
	}
	var ticks int64
	for _, word := range words[11:13] { // proc(5): utime and stime, fields 14 and 15
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading the processor time: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}

// fineCPUTime is the same to the nanosecond, for what uses next to nothing: the sum over the threads there are.
func fineCPUTime(pid int) (sum time.Duration, err error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("reading the processor time of the threads of %d: none found", pid)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return 0, fmt.Errorf("reading the processor time of a thread: %w", err)
		}
		ns, err := strconv.ParseInt(field(string(text), ""), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading the processor time of a thread: %w", err)
		}
		sum += time.Duration(ns)
	}
	return sum, nil
}

// coreTime is how long a core was busy, with whatever. What a hypervisor took of it counts.
func coreTime(core string) (time.Duration, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("reading how busy core %s is: %w", core, err)
	}
	return parseCore(string(stat), core)
}

func parseCore(stat, core string) (time.Duration, error) {
	_, after, _ := strings.Cut(stat, "\ncpu"+core+" ")
	line, _, _ := strings.Cut(after, "\n")
	words := strings.Fields(line)
	if len(words) < 8 {
		return 0, fmt.Errorf("reading how busy core %s is: no such line in /proc/stat", core)
	}
	var ticks int64
	for i, word := range words[:8] {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading how busy core %s is: %w", core, err)
		}
		if i != 3 && i != 4 { // proc(5): idle and iowait
			ticks += n
		}
	}
	return time.Duration(ticks) * tick, nil
}

// resident is the memory that a process has now and has had at most, in bytes.
func resident(pid int) (now, most int64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("reading the resident memory: %w", err)
	}
	for name, to := range map[string]*int64{"VmRSS:": &now, "VmHWM:": &most} {
		kib, err := strconv.ParseInt(field(string(status), name), 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("reading the resident memory: %w", err)
		}
		*to = kib << 10
	}
	return now, most, nil
}

// openFiles is how many files a process has open, connections among them.
func openFiles(pid int) (int, error) {
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return 0, fmt.Errorf("counting open files: %w", err)
	}
	return len(files), nil
}

// fileLimit is how many files this process and those that it starts may open. A Go program raises the limit in force to the
// hard one by itself when it starts, rtbeat as well as the bench.
func fileLimit() (int, error) {
	limits, err := os.ReadFile("/proc/self/limits")
	if err != nil {
		return 0, fmt.Errorf("reading the limit of open files: %w", err)
	}
	_, after, _ := strings.Cut(string(limits), "Max open files")
	words := strings.Fields(after)
	if len(words) < 2 {
		return 0, fmt.Errorf("reading the limit of open files: not in %q", limits)
	}
	if words[1] == "unlimited" {
		return 1 << 20, nil
	}
	return strconv.Atoi(words[1])
}
