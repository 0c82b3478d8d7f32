//go:build e2e && linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// smallDisk mounts its own file system. It needs root.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	path := t.TempDir()
	if err := syscall.Mount("tmpfs", path, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(path, syscall.MNT_DETACH)) })
	return path
}

func TestDurableDiskFull(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "9m")
	addr := harness.DeadAddress(t)
	s := durably(t, harness.Settings{Sink: addr, Rtbeat: map[string]any{"durable.path": filepath.Join(disk, "queue"), "shutdown_timeout": "1s"}})
	// The disk is full before the first file.
	ballast := filepath.Join(disk, "ballast")
	_ = os.WriteFile(ballast, make([]byte, 9<<20), 0o600) // as much as fits
	b := harness.StartBeat(t, s)
	l := durableLedger(t)
	require.Zero(t, fill(t, l, b, "queue_full"))
	require.NoError(t, os.Truncate(ballast, 3<<20))
	requireReadyAgain(t, l, b)
	require.Positive(t, fill(t, l, b, "queue_full"))
	require.NoError(t, os.Remove(ballast))
	requireReadyAgain(t, l, b) // while the output is still down
	require.Positive(t, fill(t, l, b, "queue_full"))

	b.Stop()
	b = harness.StartBeat(t, s)
	sink := startSinkAt(t, addr)
	requireAllArrive(t, l, sink)
	requireReadyAgain(t, l, b)
	requireAllArrive(t, l, sink)
	l.CheckOnce(t, sink)
	stopWith(t, b, 0)
}

// A directory that cannot be written refuses the start. If it becomes so later, batches are refused until it can be written
// again.
func TestDurableReadOnly(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "32m")
	addr := harness.DeadAddress(t)
	s := durably(t, harness.Settings{Sink: addr, Rtbeat: map[string]any{"durable.path": disk, "shutdown_timeout": "1s"}})
	remount := func(flags uintptr) {
		require.NoError(t, syscall.Mount("", disk, "", syscall.MS_REMOUNT|flags, "size=32m"))
	}
	remount(syscall.MS_RDONLY)
	b := harness.Launch(t, s)
	code, _ := b.WaitExit(prompt)
	require.Equal(t, 1, code)
	require.Contains(t, b.Log.String(), "rtbeat.durable.path")
	require.Contains(t, b.Log.String(), "read-only file system")
	remount(0)

	b = harness.StartBeat(t, s)
	l := durableLedger(t)
	persist(t, l, b.Addr, "before", 1)
	require.NoError(t, syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_RDONLY, "")) // over it
	require.Positive(t, fill(t, l, b, "queue_failed"), "open files stay")
	require.NoError(t, syscall.Unmount(disk, 0))
	requireReadyAgain(t, l, b)
	sink := startSinkAt(t, addr)
	requireAllArrive(t, l, sink)
	l.CheckOnce(t, sink)
	stopWith(t, b, 0)
}

// The memory has a bound, whatever the size of the queue on disk: during intake, after a start, and during delivery.
func TestDurableBacklogIsNotInMemory(t *testing.T) {
	harness.Long(t)
	const backlog, bound = 200, 160 // MiB
	addr := harness.DeadAddress(t)
	s := durably(t, harness.Settings{Sink: addr, Rtbeat: map[string]any{"durable.max_bytes": "1GiB", "max_in_flight_bytes": "16MiB", "shutdown_timeout": "1s"}})
	b := harness.StartBeat(t, s)
	most := watchMemory(t, b)
	client := harness.NewClient(t)
	for i := range backlog {
		requirePersisted(t, client.Post(t.Context(), b.Addr, harness.Padded(fmt.Sprint("backlog-", i), 200, 5100).Body()), 200)
	}
	t.Logf("intake: at most %d MiB", most())
	require.Less(t, most(), bound)
	stopWith(t, b, backlog)

	b = harness.StartBeat(t, s)
	most = watchMemory(t, b)
	sink := startSinkAt(t, addr)
	harness.Await(t, time.Minute, "the backlog", func() bool { return sink.Received() == backlog*200 })
	t.Logf("start and delivery: at most %d MiB", most())
	require.Less(t, most(), bound)
	stopWith(t, b, 0)
}

// watchMemory measures the memory of a process, without the pages of files, until the process ends.
func watchMemory(t *testing.T, b *harness.Beat) (most func() int) {
	t.Helper()
	highest := make(chan int, 1)
	highest <- 0
	go func() {
		for {
			select {
			case <-b.Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.Pid()))
			_, rest, ok := strings.Cut(string(status), "RssAnon:")
			if err != nil || !ok {
				continue
			}
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			if now := kib >> 10; now > 0 {
				before := <-highest
				if before > now {
					now = before
				}
				highest <- now
			}
		}
	}()
	return func() int {
		n := <-highest
		highest <- n
		return n
	}
}
