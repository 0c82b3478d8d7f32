package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// machine is where and when a run was.
type machine struct {
	cpu, kernel, goVersion, load string
	cores                        int
	date                         time.Time
}

// describe looks at the machine. What cannot be read is "unknown": it is for the reader only.
func describe() machine {
	info := readText("/proc/cpuinfo")
	m := machine{
		cpu:       "unknown",
		kernel:    strings.TrimSpace(readText("/proc/sys/kernel/osrelease")),
		goVersion: runtime.Version(),
		load:      field(readText("/proc/loadavg"), ""),
		date:      time.Now().UTC(),
	}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(name) {
		case "processor":
			m.cores++
		case "model name":
			m.cpu = strings.TrimSpace(value)
		}
	}
	return m
}

func readText(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	return string(text)
}

func (m machine) String() string {
	return fmt.Sprintf("%s, %d cores; Linux %s; %s; load before the run %s", m.cpu, m.cores, m.kernel, m.goVersion, m.load)
}
