//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"testing"

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
	for name, c := range map[string]struct{ flag, want string }{
		"a path that cannot be made":    {"queue.disk.path=" + file + "/queue", "cannot use the directory of the disk queue, " + file + "/queue"},
		"a relative path":               {"queue.disk.path=queue", "queue.disk.path is \"queue\", which depends on the directory"},
		"segments that are too few":     {"queue.disk.segment_size=5MB", "Leave queue.disk.segment_size away"},
		"no limit":                      {"queue.disk.max_size=0", "queue.disk.max_size is 0"},
		"a size that libbeat refuses":   {"queue.disk.max_size=1MB", "max_size"},
		"bodies larger than a segment":  {"rtbeat.max_body_bytes=1MiB", "Raise queue.disk.max_size to 31MiB"},
		"a queue that takes nothing":    {"queue.disk.write_ahead=0", "queue.disk.write_ahead is 0"},
		"a queue that makes it panic":   {"queue.disk.read_ahead=-1", "queue.disk.read_ahead is -1"},
		"two queues":                    {"queue.mem.events=4096", "queue"},
		"the same, for the output only": {"output.logstash.queue.disk.max_size=10MB", "only one is allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			r := harness.Command(t, home, "", append([]string{"-e", "-c", config}, durableFlags(c.flag)...)...)
			require.NotZero(t, r.Code)
			require.Contains(t, r.Stderr, c.want)
		})
	}
	t.Run("a queue without a size", func(t *testing.T) {
		r := harness.Command(t, home, "", "-e", "-c", config, "-E", "queue.disk.path="+home)
		require.NotZero(t, r.Code)
		require.Contains(t, r.Stderr, "max_size")
	})
	t.Run("a queue that another process uses", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "queue")
		b := startDurable(t, harness.Settings{Sink: "127.0.0.1:1", Home: t.TempDir()}, "queue.disk.path="+path)
		r := harness.Command(t, home, "", append([]string{"-e", "-c", config}, durableFlags("queue.disk.path="+path)...)...)
		require.NotZero(t, r.Code)
		require.Contains(t, r.Stderr, "another process uses it")
		b.Stop()
	})
}

// Looking at the configuration must not touch the queue of an rtbeat that runs with it.
func TestDurableTestConfigLeavesTheQueueAlone(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Refuse())
	s := harness.Settings{Sink: sink.Addr(), Home: t.TempDir()}
	b := startDurable(t, s)
	l := harness.NewLedger(t)
	requirePersisted(t, l.Post(t.Context(), b.Addr, harness.NewBatch("kept", 10)), 10)
	config := s.WriteConfig(t, s.Home)
	r := harness.Command(t, s.Home, "", append([]string{"test", "config", "-e", "-c", config}, durableFlags()...)...)
	require.Zero(t, r.Code, r.Stderr)
	require.NotContains(t, r.Stderr, "queued events", "libbeat has opened the queue")
	r = harness.Command(t, s.Home, "", append([]string{"test", "config", "-c", config}, durableFlags("output.logstash.ssl.certificate=/absent", "output.logstash.ssl.key=/absent")...)...)
	require.NotZero(t, r.Code, "the output is looked at all the same")

	harness.RecoverSink(sink)
	require.Zero(t, requireAllArrive(t, l, sink), "copies")
	b.Stop()
}

// Back in memory mode, what durable mode has left is not forgotten in silence.
func TestDurableLeftovers(t *testing.T) {
	t.Parallel()
	s := harness.Settings{Sink: harness.DeadAddress(t), Home: t.TempDir()}
	b := startDurable(t, s)
	l := harness.NewLedger(t)
	requirePersisted(t, l.Post(t.Context(), b.Addr, harness.NewBatch("left", 3)), 3)
	b.Kill()
	b = harness.StartBeat(t, s)
	_, warned := b.Log.Find("there may be undelivered events in ")
	require.True(t, warned)
	b.Stop()
}
