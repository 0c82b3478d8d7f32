package beater

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zapcore"

	"github.com/elastic/elastic-agent-libs/logp/logptest"

	"github.com/txn2/rtbeat/config"
)

// GOMEMLIMIT is nine tenths of the container's memory. A warning says when that may not be enough.
func TestMemoryFollowsTheContainer(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	for _, test := range []struct {
		name      string
		container uint64
		err       error
		want      int64
		warns     bool
	}{
		{name: "512 MiB", container: 512 << 20, want: 512 << 20 / 10 * 9},
		{name: "256 MiB", container: 256 << 20, want: 256 << 20 / 10 * 9, warns: true},
		{name: "no limit", err: memlimit.ErrNoLimit, want: math.MaxInt64},
	} {
		t.Run(test.name, func(t *testing.T) {
			log, lines := logptest.NewTestingLoggerWithObserver(t, "")
			limitMemory(config.Default(), func() (uint64, error) { return test.container, test.err }, log)
			require.InDelta(t, test.want, debug.SetMemoryLimit(-1), 16)
			require.Equal(t, test.warns, lines.FilterLevelExact(zapcore.WarnLevel).Len() == 1)
		})
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
	made := newHeapFloor()
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

func TestMemoryLimitOfTheEnvironmentStays(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "1GiB")
	before := debug.SetMemoryLimit(-1)
	log, _ := logptest.NewTestingLoggerWithObserver(t, "")
	limitMemory(config.Default(), func() (uint64, error) { return 512 << 20, nil }, log)
	require.Equal(t, before, debug.SetMemoryLimit(-1))
}
