package beater

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zapcore"

	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/logp/logptest"

	"github.com/txn2/rtbeat/config"
)

// GOMEMLIMIT is nine tenths of the container's memory, and leaves 20 MiB of it. The lower one of the container and of GOMEMLIMIT in
// the environment counts.
func TestMemoryFollowsTheContainer(t *testing.T) {
	const mib, noLimit = 1 << 20, math.MaxInt64
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	for _, test := range []struct {
		name      string
		container uint64
		err       error
		env       string // GOMEMLIMIT, which the runtime has read
		auto      string // AUTOMEMLIMIT
		want      config.Memory
		goLimit   int64
	}{
		{name: "512 MiB", container: 512 * mib, want: 512 * mib / 10 * 9, goLimit: 512 * mib / 10 * 9},
		{name: "96 MiB", container: 96 * mib, want: 76 * mib, goLimit: 76 * mib},
		{name: "16 MiB", container: 16 * mib, want: 8 * mib, goLimit: 8 * mib},
		{name: "no limit", err: memlimit.ErrNoLimit, goLimit: noLimit},
		{name: "unknown", err: errors.New("no cgroup"), goLimit: noLimit},
		{name: "half", container: 512 * mib, auto: "0.5", want: 256 * mib, goLimit: 256 * mib},
		{name: "off", container: 96 * mib, auto: "off", goLimit: noLimit},
		{name: "set", err: memlimit.ErrNoLimit, env: "100MiB", want: 100 * mib, goLimit: 100 * mib},
		{name: "set below the container", container: 512 * mib, env: "100MiB", want: 100 * mib, goLimit: 100 * mib},
		{name: "set above the container", container: 96 * mib, env: "100MiB", want: 76 * mib, goLimit: 100 * mib},
		{name: "set, and off", container: 96 * mib, env: "100MiB", auto: "off", want: 100 * mib, goLimit: 100 * mib},
		{name: "set to none", container: 96 * mib, env: "off", want: 76 * mib, goLimit: noLimit},
	} {
		t.Run(test.name, func(t *testing.T) {
			debug.SetMemoryLimit(noLimit)
			if test.env != "" {
				t.Setenv("GOMEMLIMIT", test.env)
				debug.SetMemoryLimit(test.goLimit)
			}
			if test.auto != "" {
				t.Setenv("AUTOMEMLIMIT", test.auto)
			}
			log, _ := logptest.NewTestingLoggerWithObserver(t, "")
			got := limitMemory(func() (uint64, error) { return test.container, test.err }, log)
			require.InDelta(t, int64(test.want), int64(got), 16)
			require.InDelta(t, test.goLimit, debug.SetMemoryLimit(-1), 16)
		})
	}
}

// Go's runtime takes an empty GOMEMLIMIT as unset, and a template may leave one behind.
func TestAnEmptyGOMEMLIMITIsUnset(t *testing.T) {
	const mib = 1 << 20
	before := debug.SetMemoryLimit(math.MaxInt64)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	t.Setenv("GOMEMLIMIT", "")
	log, _ := logptest.NewTestingLoggerWithObserver(t, "")
	got := limitMemory(func() (uint64, error) { return 96 * mib, nil }, log)
	require.InDelta(t, 76*mib, int64(got), 16)
	require.InDelta(t, 76*mib, debug.SetMemoryLimit(-1), 16)
}

// One line has the settings that are lower. A warning says when those of the file need more memory.
func TestTheStartLogsTheMemory(t *testing.T) {
	const mib = 1 << 20
	for _, test := range []struct {
		memory config.Memory
		yaml   string
		line   string
		warns  bool
	}{
		{memory: 0},
		{memory: 461 * mib, line: "GOMEMLIMIT is 461 MiB"},
		{memory: 76 * mib, line: "GOMEMLIMIT is 76 MiB. Settings without a value in the configuration are lower than usual: rtbeat.max_connections is 138, " +
			"rtbeat.max_body_bytes is 2.1 MiB, rtbeat.max_in_flight_bytes is 4.3 MiB, rtbeat.dedupe.max_entries is 35498 (docs/operations.md#memory)"},
		{memory: 76 * mib, yaml: "max_in_flight_bytes: 32MiB", warns: true, line: "GOMEMLIMIT is 76 MiB. Settings without a value in the configuration are lower than usual: " +
			"rtbeat.max_connections is 138, rtbeat.dedupe.max_entries is 35498 (docs/operations.md#memory)"},
		{memory: 76 * mib, yaml: "max_body_bytes: 8MiB", warns: true, line: "GOMEMLIMIT is 76 MiB. Settings without a value in the configuration are lower than usual: " +
			"rtbeat.max_connections is 138, rtbeat.max_in_flight_bytes is 16 MiB, rtbeat.dedupe.max_entries is 35498 (docs/operations.md#memory)"},
		{memory: 76 * mib, yaml: "{max_in_flight_bytes: 4456448, max_body_bytes: 2228224}", line: "GOMEMLIMIT is 76 MiB. Settings without a value in the configuration are lower than usual: " +
			"rtbeat.max_connections is 138, rtbeat.dedupe.max_entries is 35498 (docs/operations.md#memory)"},
		{memory: 30 * mib, warns: true, yaml: "{max_connections: 100, dedupe.max_entries: 100}", line: "GOMEMLIMIT is 30 MiB. Settings without a value in the configuration are lower than usual: " +
			"rtbeat.max_body_bytes is 768 KiB, rtbeat.max_in_flight_bytes is 1.5 MiB (docs/operations.md#memory)"},
	} {
		section, err := conf.NewConfigWithYAML([]byte(test.yaml), "")
		require.NoError(t, err)
		c, usual, _, err := loadWithin(section, nil, "", test.memory)
		require.NoError(t, err)
		log, lines := logptest.NewTestingLoggerWithObserver(t, "")
		logMemory(c, usual, test.memory, log)
		var told []string
		for _, line := range lines.FilterLevelExact(zapcore.InfoLevel).All() {
			told = append(told, line.Message)
		}
		require.Equal(t, test.line, strings.Join(told, "\n"))
		require.Equal(t, test.warns, lines.FilterLevelExact(zapcore.WarnLevel).Len() == 1)
	}
}

// A file that starts with little memory starts with more, and is right for commands, which know no memory.
func TestMemoryDoesNotDecideWhetherAFileIsRight(t *testing.T) {
	for _, test := range []struct{ rtbeat, diskKey string }{{rtbeat: "durable.max_bytes: 32MiB"}, {diskKey: "queue.disk"}} {
		section, err := conf.NewConfigWithYAML([]byte(test.rtbeat), "")
		require.NoError(t, err)
		root, err := conf.NewConfigWithYAML([]byte("queue.disk.max_size: 32MiB"), "")
		require.NoError(t, err)
		for _, memory := range []config.Memory{0, 76 << 20} {
			_, _, _, err = loadWithin(section, root, test.diskKey, memory)
			require.ErrorContains(t, err, "it must be at least 4 times rtbeat.max_body_bytes, which is 16777216", "%d", memory)
		}
	}
}

// The floor raises the goal of the heap, and takes no resident memory.
func TestTheHeapHasAFloor(t *testing.T) {
	used := make([]byte, 2*heapFloor) // a freed span is used again, and cleared
	for i := range used {
		used[i] = 1
	}
	runtime.KeepAlive(used)
	runtime.GC()
	debug.FreeOSMemory()
	resident := residentMemory(t)
	made := newHeapFloor(heapFloor)
	runtime.GC()
	goal := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
	metrics.Read(goal)
	require.GreaterOrEqual(t, goal[0].Value.Uint64(), uint64(2*heapFloor))
	require.Less(t, residentMemory(t)-resident, int64(heapFloor/4))
	runtime.KeepAlive(made)
}

// residentMemory is the resident memory of the process, in bytes; 0 if it cannot be read.
func residentMemory(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident int64
	_, err = fmt.Sscan(string(text), &size, &resident)
	require.NoError(t, err)
	return resident * int64(os.Getpagesize())
}
