//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

func TestDurableRefusesToStart(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	config := harness.Settings{Sink: "127.0.0.1:1"}.WriteConfig(t, home)
	file := filepath.Join(home, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, c := range map[string]struct {
		settings []string
		want     string
	}{
		"a path that cannot be made":    {[]string{"rtbeat.durable.path=" + file + "/queue"}, "opening the queue on disk (rtbeat.durable.path)"},
		"a file for a path":             {[]string{"rtbeat.durable.path=" + file}, "opening the queue on disk (rtbeat.durable.path)"},
		"a queue for too few bodies":    {[]string{"rtbeat.durable.max_bytes=1MiB"}, "rtbeat.durable.max_bytes is 1048576; it must be at least"},
		"memory for too few bodies":     {[]string{"rtbeat.durable.enabled=true", "rtbeat.max_body_bytes=10MiB", "rtbeat.max_in_flight_bytes=15MiB"}, "durable mode needs at least twice rtbeat.max_body_bytes"},
		"a queue of libbeat, no size":   {[]string{"queue.disk.path=" + home}, "max_size"},
		"a queue of libbeat, no limit":  {[]string{"queue.disk.max_size=0"}, "max_size is missing or 0"},
		"a queue of libbeat, switched":  {[]string{"queue.disk.max_size=1GB", "queue.disk.enabled=true"}, "queue.disk.enabled is true"},
		"both":                          {[]string{"queue.disk.max_size=1GB", "rtbeat.durable.enabled=true"}, "both rtbeat.durable and queue.disk are configured"},
		"both, in the output's section": {[]string{"output.logstash.queue.disk.max_size=1GB", "rtbeat.durable.enabled=true"}, "both rtbeat.durable and output.logstash.queue.disk"},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"-e", "-c", config}
			for _, s := range c.settings {
				args = append(args, "-E", s)
			}
			r := harness.Command(t, home, "", args...)
			require.NotZero(t, r.Code)
			require.Contains(t, r.Stderr, c.want)
		})
	}
}

// refuseToStart runs a process that must end by itself, and returns its log.
func refuseToStart(t testing.TB, s harness.Settings) string {
	t.Helper()
	b := harness.Launch(t, s)
	code, _ := b.WaitExit(10 * time.Second)
	require.Equal(t, 1, code)
	return b.Log.String()
}

func TestDurableRefusesAnothersQueue(t *testing.T) {
	t.Parallel()
	addr := harness.DeadAddress(t)
	s := durably(t, harness.Settings{Sink: addr, Rtbeat: map[string]any{"durable.path": t.TempDir(), "shutdown_timeout": "1s"}})
	b := harness.StartBeat(t, s)
	l := durableLedger(t)
	persist(t, l, b.Addr, "mine", 3)
	other := s
	other.Home = t.TempDir()
	require.Contains(t, refuseToStart(t, other), "another process uses the queue")
	persist(t, l, b.Addr, "still mine", 1)
	stopWith(t, b, 4)
	b = harness.StartBeat(t, other)
	sink := startSinkAt(t, addr)
	requireAllArrive(t, l, sink)
	l.CheckOnce(t, sink)
	stopWith(t, b, 0)
}

func TestDurableRefusesADamagedQueue(t *testing.T) {
	t.Parallel()
	addr := harness.DeadAddress(t)
	s := durably(t, harness.Settings{Sink: addr, Rtbeat: map[string]any{"shutdown_timeout": "1s"}})
	b := harness.StartBeat(t, s)
	l := durableLedger(t)
	persist(t, l, b.Addr, "kept", 20)
	stopWith(t, b, 20)

	dir := filepath.Join(s.Home, "data", "queue")
	files, err := filepath.Glob(filepath.Join(dir, "*.db"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	intact, err := os.ReadFile(files[0])
	require.NoError(t, err)
	damaged := intact[:len(intact)/512]
	require.NoError(t, os.WriteFile(files[0], damaged, 0o600))
	log := refuseToStart(t, s)
	require.Contains(t, log, files[0]+" is damaged: ")
	require.Contains(t, log, fmt.Sprintf(`Save the readable batches with \"rtbeat queue export\", move %s away`, dir))
	found, err := os.ReadFile(files[0])
	require.NoError(t, err)
	require.Equal(t, damaged, found, "the file is unchanged")

	require.NoError(t, os.WriteFile(files[0], intact, 0o600))
	b = harness.StartBeat(t, s)
	sink := startSinkAt(t, addr)
	requireAllArrive(t, l, sink)
	l.CheckOnce(t, sink)
	stopWith(t, b, 0)
}

// "test config" must not touch the queue of a running rtbeat with the same configuration.
func TestDurableTestConfigLeavesTheQueueAlone(t *testing.T) {
	t.Parallel()
	addr := harness.DeadAddress(t)
	s := durably(t, harness.Settings{Sink: addr})
	b := harness.StartBeat(t, s)
	l := durableLedger(t)
	persist(t, l, b.Addr, "kept", 1)
	config := s.WriteConfig(t, s.Home)
	require.NotContains(t, succeed(t, s.Home, "", "test", "config", "-e", "-c", config).Stderr, "batches wait")
	sink := startSinkAt(t, addr)
	requireAllArrive(t, l, sink)
	l.CheckOnce(t, sink)
	stopWith(t, b, 0)
}

// Users of Beats configure durable mode with libbeat's names.
func TestDurableByTheNameOfLibbeat(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"queue.disk", "output.logstash.queue.disk"} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			addr, path := harness.DeadAddress(t), filepath.Join(t.TempDir(), "queue")
			s := harness.Settings{Sink: addr, Home: t.TempDir(), Rtbeat: map[string]any{"shutdown_timeout": "1s"}, Args: []string{
				"-E", key + ".max_size=1GB", "-E", key + ".path=" + path, "-E", key + ".segment_size=50MB",
			}}
			b := harness.StartBeat(t, s)
			for _, line := range []string{
				key + " means durable mode: its path and max_size are read as rtbeat.durable.path and rtbeat.durable.max_bytes",
				key + ".segment_size has no effect in durable mode; remove it",
			} {
				require.Contains(t, b.Log.String(), line)
			}
			line, ok := b.Log.Find("durable mode: 0 batches wait")
			require.True(t, ok)
			require.InDelta(t, 1e9, line.Fields["max_bytes"], 0)
			l := durableLedger(t)
			persist(t, l, b.Addr, "disk", 3)
			stopWith(t, b, 3)
			require.FileExists(t, filepath.Join(path, fmt.Sprintf("%020d.db", 1)))

			b = harness.StartBeat(t, s)
			sink := startSinkAt(t, addr)
			requireAllArrive(t, l, sink)
			l.CheckOnce(t, sink)
			stopWith(t, b, 0)
		})
	}
}

// Undelivered events in libbeat's disk queue are reported, in both modes.
func TestDurableLeftoversOfLibbeat(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	for name, s := range map[string]harness.Settings{
		"memory":  {Sink: sink.Addr(), Home: t.TempDir()},
		"durable": durably(t, harness.Settings{Sink: sink.Addr()}),
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(s.Home, "data", "diskqueue")
			require.NoError(t, os.MkdirAll(dir, 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "0.seg"), make([]byte, 100), 0o600))
			require.Contains(t, refuseToStart(t, s), "the disk queue of an earlier rtbeat in "+dir+" has events that were not delivered")
			require.NoError(t, os.RemoveAll(dir))
			harness.StartBeat(t, s).Stop()
		})
	}
}
