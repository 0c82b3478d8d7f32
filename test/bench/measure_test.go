package bench

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/require"
)

// sample is the result of one measurement. Times are in seconds.
type sample struct {
	events int
	wall   float64
	cpu    float64 // of the measured process
	bench  float64 // CPU time of the senders and the sink
	core   float64 // busy time of the measured core, whatever ran on it
}

// cpuPerMillion is the CPU time of a million events.
func (s sample) cpuPerMillion() float64 { return s.cpu / float64(s.events) * 1e6 }

// rate is the events a second.
func (s sample) rate() float64 { return float64(s.events) / s.wall }

// benchShare is the busy share of the bench's core.
func (s sample) benchShare() float64 { return s.bench / s.wall }

// othersShare is the share of the measured core that other processes took.
func (s sample) othersShare() float64 { return max(s.core-s.cpu, 0) / s.wall }

// reading has all counters at one time.
type reading struct {
	at               time.Time
	received         int // by the sink
	cpu, bench, core float64
}

func (b *bench) read(pid int) reading {
	return reading{
		at: time.Now(), received: b.sink.Acked(),
		cpu: cpuTime(b.t, pid), bench: cpuTime(b.t, os.Getpid()), core: coreTime(b.t, *core),
	}
}

// until is the sample between two readings.
func (r reading) until(end reading) sample {
	return sample{
		events: end.received - r.received, wall: end.at.Sub(r.at).Seconds(),
		cpu: end.cpu - r.cpu, bench: end.bench - r.bench, core: end.core - r.core,
	}
}

func process(t testing.TB, pid int) procfs.Proc {
	t.Helper()
	p, err := procfs.NewProc(pid)
	require.NoError(t, err)
	return p
}

// cpuTime is the CPU time of a process so far, in the kernel too.
func cpuTime(t testing.TB, pid int) float64 {
	t.Helper()
	stat, err := process(t, pid).Stat()
	require.NoError(t, err)
	return stat.CPUTime()
}

// fineCPUTime is the CPU time of the process's threads to the nanosecond, for a process at rest.
func fineCPUTime(t testing.TB, pid int) (seconds float64) {
	t.Helper()
	threads, err := procfs.AllThreads(pid)
	require.NoError(t, err)
	for _, thread := range threads {
		stat, err := thread.Schedstat()
		require.NoError(t, err)
		seconds += float64(stat.RunningNanoseconds) / 1e9
	}
	return seconds
}

// coreTime is the busy time of a core so far. Time that a hypervisor took counts.
func coreTime(t testing.TB, core int64) float64 {
	t.Helper()
	fs, err := procfs.NewDefaultFS()
	require.NoError(t, err)
	stat, err := fs.Stat()
	require.NoError(t, err)
	c, known := stat.CPU[core]
	require.True(t, known, "no core %d", core)
	return c.User + c.Nice + c.System + c.IRQ + c.SoftIRQ + c.Steal
}

// resident is the memory of a process now and at most, in MB.
func resident(t testing.TB, pid int) (now, most float64) {
	t.Helper()
	status, err := process(t, pid).NewStatus()
	require.NoError(t, err)
	return float64(status.VmRSS) / 1e6, float64(status.VmHWM) / 1e6
}

// describe names the machine and the time, for the report.
func describe() string {
	read := func(path, pattern string) string {
		text, _ := os.ReadFile(path)
		if match := regexp.MustCompile(pattern).FindStringSubmatch(string(text)); match != nil {
			return match[1]
		}
		return "unknown"
	}
	cores, _ := os.ReadFile("/proc/cpuinfo")
	return fmt.Sprintf("%s, %d cores; Linux %s; %s; load before the run %s\n- %s, commit %s",
		read("/proc/cpuinfo", `model name\s*: (.*)`), strings.Count(string(cores), "processor\t:"), read("/proc/sys/kernel/osrelease", `(\S+)`),
		runtime.Version(), read("/proc/loadavg", `(\S+)`), time.Now().UTC().Format(time.DateOnly+" 15:04 UTC"), *commit)
}

func TestSample(t *testing.T) {
	before := reading{at: time.Unix(10, 0), received: 100, cpu: 1, bench: 1, core: 7}
	after := reading{at: time.Unix(12, 0), received: 200_100, cpu: 3, bench: 2, core: 9.5}
	s := before.until(after)
	require.InDelta(t, 10, s.cpuPerMillion(), 1e-9)
	require.InDelta(t, 100_000, s.rate(), 1e-9)
	require.InDelta(t, 0.5, s.benchShare(), 1e-9)
	require.InDelta(t, 0.25, s.othersShare(), 1e-9)
}

func TestProcessFigures(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the figures of a process come from /proc")
	}
	require.Eventually(t, func() bool { return cpuTime(t, os.Getpid()) > 0 }, 5*time.Second, time.Millisecond, "it counts in steps of 10 ms")
	require.Positive(t, fineCPUTime(t, os.Getpid()))
	require.Positive(t, coreTime(t, 0))
	now, most := resident(t, os.Getpid())
	require.Positive(t, now)
	require.GreaterOrEqual(t, most, now)
	require.Contains(t, describe(), " cores; Linux ")
}
