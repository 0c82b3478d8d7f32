package beater

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/publisher"
	"github.com/elastic/beats/v7/libbeat/publisher/queue"
	"github.com/elastic/beats/v7/libbeat/publisher/queue/diskqueue"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/logp"
	"github.com/elastic/elastic-agent-libs/mapstr"
	"github.com/elastic/elastic-agent-libs/paths"

	"github.com/txn2/rtbeat/config"
)

func TestDiskQueueIsDurableMode(t *testing.T) {
	const (
		taken = "queue.disk is durable mode: its path and max_size are taken for rtbeat.durable.path and rtbeat.durable.max_bytes"
		stand = "queue.disk.path and queue.disk.max_size stand for rtbeat.durable.path and rtbeat.durable.max_bytes: "
		limit = "queue.disk.max_size is missing or 0, which is no limit for libbeat; write what the queue may take on the disk, such as 10GiB"
		both  = "both rtbeat.durable and queue.disk are configured; leave queue.disk out"
	)
	for yaml, test := range map[string]struct {
		want     config.Durable
		warnings []string
		err      string
	}{
		"queue.disk.max_size: 1GiB":                {want: config.Durable{Enabled: true, Path: "queue", MaxBytes: 1 << 30}, warnings: []string{taken}},
		"queue.disk: {max_size: 1GB, path: /q}":    {want: config.Durable{Enabled: true, Path: "/q", MaxBytes: 1e9}, warnings: []string{taken}},
		"queue.disk: {max_size: 67108864, path: }": {want: config.Durable{Enabled: true, Path: "queue", MaxBytes: 64 << 20}, warnings: []string{taken}},
		"queue.disk: {max_size: 1GiB, segment_size: 1B, read_ahead: -1, encryption.enabled: true}": {
			want: config.Durable{Enabled: true, Path: "queue", MaxBytes: 1 << 30},
			warnings: []string{
				taken, "queue.disk.encryption means nothing in durable mode; leave it out", "queue.disk.read_ahead means nothing in durable mode; leave it out",
				"queue.disk.segment_size means nothing in durable mode; leave it out",
			},
		},
		"queue.disk.path: /q":         {err: limit},
		"queue.disk.max_size: 0":      {err: limit},
		"queue.disk.max_size:":        {err: limit},
		"queue.disk:":                 {err: limit},
		"queue.disk.max_size: 10MB":   {err: stand + "rtbeat.durable.max_bytes is 10000000; it must be at least 4 times rtbeat.max_body_bytes, which is 16777216. Raise the first, or lower the second"},
		"queue.disk.max_size: -1":     {err: stand + "rtbeat.durable.max_bytes is -1; it must be at least 4 times rtbeat.max_body_bytes, which is 16777216. Raise the first, or lower the second"},
		"queue.disk.max_size: plenty": {err: "reading queue.disk: \"plenty\" is no size; write bytes as a number, or with a unit such as 32MiB accessing 'queue.disk.max_size' (source:'test')"},
		"queue.disk: {max_size: 1GiB}\nrtbeat.durable.enabled: true":  {err: both},
		"queue.disk: {max_size: 1GiB}\nrtbeat.durable.enabled: false": {err: both},
		"queue.disk: {max_size: 1GiB}\nrtbeat.durable.path: /q":       {err: both},
	} {
		root, err := conf.NewConfigWithYAML([]byte(yaml), "test")
		require.NoError(t, err, yaml)
		section := conf.NewConfig()
		if root.HasField("rtbeat") {
			section, err = root.Child("rtbeat", -1)
			require.NoError(t, err, yaml)
		}
		require.NoError(t, section.SetString("host", -1, "127.0.0.1"))
		c, warnings, err := LoadConfig(section, root, "queue.disk")
		if test.err != "" {
			require.EqualError(t, err, test.err, yaml)
			continue
		}
		require.NoError(t, err, yaml)
		require.Equal(t, test.want, c.Durable, yaml)
		require.Equal(t, test.warnings, warnings, yaml)
		c, warnings, err = LoadConfig(section, root, "")
		require.NoError(t, err)
		require.False(t, c.Durable.Enabled)
		require.Empty(t, warnings)
	}
}

func TestLibbeatsDiskQueueIsRefused(t *testing.T) {
	for yaml, want := range map[string]string{
		"queue.disk: {enabled: true, max_size: 1GiB}": "queue.disk.enabled is true, and rtbeat does not use libbeat's disk queue: leave this line out, " +
			"and the settings beside it ask for durable mode, or write rtbeat.durable.enabled: true in their place",
		"output.logstash.queue.disk.enabled: true":                                  "output.logstash.queue.disk.enabled is true, and rtbeat does not",
		"output: {kafka: {enabled: false, queue.disk.enabled: true}, logstash: {}}": "",
		"queue.disk: {enabled: false, max_size: 1GiB}":                              "",
		"output.logstash.hosts: [a]":                                                "",
	} {
		root, err := conf.NewConfigWithYAML([]byte(yaml), "test")
		require.NoError(t, err, yaml)
		err = checkDiskQueue(root)
		if want == "" {
			require.NoError(t, err, yaml)
		} else {
			require.ErrorContains(t, err, want, yaml)
		}
	}
}

// leave writes events into a disk queue of libbeat, has the first of them acknowledged, and closes the queue.
func leave(t *testing.T, dir string, events, acknowledged int) {
	t.Helper()
	settings := diskqueue.DefaultSettings()
	settings.Path, settings.MaxSegmentSize = dir, 1<<20
	q, err := diskqueue.NewQueue(logp.NewNopLogger(), nil, settings, nil)
	require.NoError(t, err)
	written := make(chan int, events)
	producer := q.Producer(queue.ProducerConfig{ACK: func(n int) { written <- n }})
	for range events {
		_, taken := producer.Publish(publisher.Event{Content: beat.Event{Timestamp: time.Unix(1, 0), Fields: mapstr.M{"a": 1}}})
		require.True(t, taken)
	}
	for n := 0; n < events; {
		n += <-written
	}
	for n := 0; n < acknowledged; {
		batch, err := q.Get(acknowledged - n)
		require.NoError(t, err)
		n += batch.Count()
		batch.Done()
	}
	require.NoError(t, q.Close(false))
	<-q.Done()
}

// inData sets path.data to a new directory.
func inData(t *testing.T) string {
	t.Helper()
	before := paths.Paths.Data
	t.Cleanup(func() { paths.Paths.Data = before })
	paths.Paths.Data = t.TempDir()
	return paths.Paths.Data
}

func TestEventsOfLibbeatsDiskQueueAreNotForgotten(t *testing.T) {
	for name, test := range map[string]struct {
		events, acknowledged int
		change               func(t *testing.T, dir string)
		isRefused            bool
	}{
		"never used":      {},
		"nothing is left": {events: 10, acknowledged: 10},
		"one is left":     {events: 10, acknowledged: 9, isRefused: true},
		"all are left":    {events: 10, isRefused: true},
		"garbage as state": {events: 10, acknowledged: 9, isRefused: true, change: func(t *testing.T, dir string) {
			t.Helper()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "state.dat"), []byte("garbage that is longer than a position"), 0o600))
		}},
		"an empty state": {events: 10, acknowledged: 9, isRefused: true, change: func(t *testing.T, dir string) {
			t.Helper()
			require.NoError(t, os.Truncate(filepath.Join(dir, "state.dat"), 0))
		}},
		"no state": {events: 10, acknowledged: 9, isRefused: true, change: func(t *testing.T, dir string) {
			t.Helper()
			require.NoError(t, os.Remove(filepath.Join(dir, "state.dat")))
		}},
		"other files": {change: func(t *testing.T, dir string) {
			t.Helper()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "notes.seg"), make([]byte, 100), 0o600))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := config.Default()
			for _, dir := range []string{filepath.Join(inData(t), "diskqueue"), filepath.Join(inData(t), "mine")} {
				paths.Paths.Data = filepath.Dir(dir)
				c.Durable.Path = "mine"
				leave(t, dir, test.events, test.acknowledged)
				if test.change != nil {
					test.change(t, dir)
				}
				err := checkLeftovers(c)
				if !test.isRefused {
					require.NoError(t, err)
					continue
				}
				require.ErrorContains(t, err, "the disk queue of an earlier rtbeat in "+dir+" has events that were not delivered. Start the release before")
			}
		})
	}
}

func TestNoLeftovers(t *testing.T) {
	data := inData(t)
	c := config.Default()
	require.NoError(t, checkLeftovers(c), "no directory")
	require.NoError(t, os.WriteFile(filepath.Join(data, "diskqueue"), nil, 0o600))
	require.NoError(t, checkLeftovers(c), "a file")
}

func TestLeftoversThatCannotBeRead(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("this user may read everything")
	}
	dir := filepath.Join(inData(t), "diskqueue")
	leave(t, dir, 1, 0)
	require.NoError(t, os.Chmod(dir, 0))
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	require.ErrorContains(t, checkLeftovers(config.Default()), "Let this user read the directory, or move it away")
}
