package beater

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	conf "github.com/elastic/elastic-agent-libs/config"

	"github.com/txn2/rtbeat/config"
	"github.com/txn2/rtbeat/internal/durable"
)

func judge(t *testing.T, yaml string, change func(*config.Config)) (*durable.Queue, error) {
	t.Helper()
	root, err := conf.NewConfigWithYAML([]byte(yaml), "test")
	require.NoError(t, err)
	c := config.Default()
	if change != nil {
		change(&c)
	}
	return judgeQueue(root, c)
}

func TestMemoryQueues(t *testing.T) {
	for name, yaml := range map[string]string{
		"none":                         "{}",
		"with rtbeat's default":        "queue.mem.flush.timeout: 0s",
		"below timeout":                "queue.mem.flush.timeout: 4s",
		"that ignores it":              "queue.mem.flush: {min_events: 1, timeout: 1m}",
		"in the output's section":      "{queue.mem.flush.timeout: 1m, output.logstash.queue.mem.flush.timeout: 1s}",
		"a disk queue that is no more": "{queue.disk: {enabled: false, max_size: 10GB}, queue.mem.flush.timeout: 0s}",
	} {
		if name == "none" {
			continue // cmd gives the default
		}
		t.Run(name, func(t *testing.T) {
			disk, err := judge(t, yaml, nil)
			require.NoError(t, err)
			require.Nil(t, disk)
		})
	}
	_, err := judge(t, "queue.mem.flush.timeout: 5s", nil)
	require.EqualError(t, err, "queue.mem.flush.timeout is 5s, which reaches rtbeat.timeout (5s): the queue would hold small batches back until their senders were answered 504. "+
		"Set queue.mem.flush.timeout to 0s, or to less than rtbeat.timeout")
	_, err = judge(t, "output.logstash.queue.mem.flush.timeout: 1m", func(c *config.Config) { c.Timeout = time.Second })
	require.ErrorContains(t, err, "output.logstash.queue.mem.flush.timeout is 1m0s")
	_, err = judge(t, "queue.spool.file.size: 1GB", nil)
	require.EqualError(t, err, "queue.spool is configured: rtbeat knows queue.mem and queue.disk")
}

func TestDiskQueues(t *testing.T) {
	for _, yaml := range []string{
		"queue.disk: {max_size: 10GB}",
		"output.logstash.queue.disk: {max_size: 600MB, segment_size: 100MB, path: /var/queue}",
	} {
		disk, err := judge(t, yaml, nil)
		require.NoError(t, err)
		require.NotNil(t, disk)
	}
}

func TestDiskQueuesThatAreRefused(t *testing.T) {
	for yaml, want := range map[string]string{
		"queue.disk: {path: /q}":                                                   "reading queue.disk: ",
		"queue.disk: {max_size: 1MB}":                                              "reading queue.disk: ",
		"queue.disk: {max_size: 0}":                                                "queue.disk.max_size is 0, without limit",
		"queue.disk: {max_size: 1GB, segment_size: 201MB}":                         "Leave queue.disk.segment_size away",
		"queue.disk: {max_size: 1GB, write_ahead: 0}":                              "queue.disk.write_ahead is 0",
		"queue.disk: {max_size: 1GB, read_ahead: -1}":                              "queue.disk.read_ahead is -1",
		"output.logstash.queue.disk: {max_size: 1GB, path: q}":                     "output.logstash.queue.disk.path is \"q\"",
		"queue.disk: {max_size: 100MB}":                                            "Raise queue.disk.max_size to 481MiB, or lower rtbeat.max_body_bytes to 3233KiB",
		"queue.disk: {max_size: 1GB, segment_size: 10MB}":                          "Leave queue.disk.segment_size away and have max_size at 481MiB or more",
		"{queue.disk.max_size: 1GB, queue.mem.events: 1}":                          "reading the queue settings",
		"{queue.disk.max_size: 1GB, output.logstash.queue.disk.max_size: 1000000}": "reading output.logstash.queue.disk",
	} {
		_, err := judge(t, yaml, nil)
		require.ErrorContains(t, err, want, yaml)
	}
}

// What the message says must work.
func TestTheRemedyWorks(t *testing.T) {
	disk, err := judge(t, "queue.disk: {max_size: 481MiB}", nil)
	require.NoError(t, err)
	require.NotNil(t, disk)
	_, err = judge(t, "queue.disk: {max_size: 480MiB}", nil)
	require.Error(t, err)
	_, err = judge(t, "queue.disk: {max_size: 100MB}", func(c *config.Config) { c.MaxBodyBytes = 3233 << 10 })
	require.NoError(t, err)
	_, err = judge(t, "queue.disk: {max_size: 100MB}", func(c *config.Config) { c.MaxBodyBytes = 3234 << 10 })
	require.Error(t, err)
}
