package beater

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	conf "github.com/elastic/elastic-agent-libs/config"

	"github.com/txn2/rtbeat/config"
)

func checkQueue(t *testing.T, yaml string, change func(*config.Config)) error {
	t.Helper()
	root, err := conf.NewConfigWithYAML([]byte(yaml), "test")
	require.NoError(t, err)
	c := config.Default()
	if change != nil {
		change(&c)
	}
	return checkMemoryQueue(root, c.Timeout)
}

func TestMemoryQueues(t *testing.T) {
	for name, yaml := range map[string]string{
		"with rtbeat's default":        "queue.mem.flush.timeout: 0s",
		"below timeout":                "queue.mem.flush.timeout: 4s",
		"that ignores it":              "queue.mem.flush: {min_events: 1, timeout: 1m}",
		"in the output's section":      "{queue.mem.flush.timeout: 1m, output.logstash.queue.mem.flush.timeout: 1s}",
		"a disk queue that is no more": "{queue.disk: {enabled: false, max_size: 10GB}, queue.mem.flush.timeout: 0s}",
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, checkQueue(t, yaml, nil))
		})
	}
	err := checkQueue(t, "queue.mem.flush.timeout: 5s", nil)
	require.EqualError(t, err, "queue.mem.flush.timeout is 5s, which reaches rtbeat.timeout (5s): the queue would hold small batches back until their senders were answered 504. "+
		"Set queue.mem.flush.timeout to 0s, or to less than rtbeat.timeout")
	err = checkQueue(t, "output.logstash.queue.mem.flush.timeout: 1m", func(c *config.Config) { c.Timeout = time.Second })
	require.ErrorContains(t, err, "output.logstash.queue.mem.flush.timeout is 1m0s")
	err = checkQueue(t, "queue.spool.file.size: 1GB", nil)
	require.EqualError(t, err, "queue.spool is configured: use queue.mem, or rtbeat.durable for a queue on disk")
}
