package beater

import (
	"fmt"
	"time"

	"github.com/elastic/beats/v7/libbeat/publisher/queue/diskqueue"
	"github.com/elastic/beats/v7/libbeat/publisher/queue/memqueue"
	conf "github.com/elastic/elastic-agent-libs/config"

	"github.com/txn2/rtbeat/config"
	"github.com/txn2/rtbeat/internal/durable"
)

// judgeQueue refuses a queue with which a 200 would not mean what it says, or would not come in time. It returns nil
// for the memory queue. root is the whole configuration.
func judgeQueue(root *conf.C, c config.Config) (*durable.Queue, error) {
	disk, err := diskQueueIn(root)
	if err != nil {
		return nil, err
	}
	if disk == nil {
		return nil, judgeMemory(root, c.Timeout)
	}
	if err := disk.JudgeBodies(int64(c.MaxBodyBytes), headersInEvents(c)); err != nil {
		return nil, err
	}
	return disk, nil
}

// judgeMemory refuses a memory queue that holds events back until nobody waits for them any more: one whose
// flush.timeout reaches the timeout of a request makes every small batch a 504.
func judgeMemory(root *conf.C, timeout time.Duration) error {
	key, queue, err := queueSettings(root)
	if err != nil {
		return err
	}
	settings, err := memqueue.SettingsForUserConfig(queue.Config())
	if err != nil {
		return fmt.Errorf("reading %s: %w", key, err)
	}
	// With flush.min_events of 0 or 1 the memory queue ignores the timeout (memqueue/broker.go).
	if settings.MaxGetRequest <= 1 || settings.FlushTimeout < timeout {
		return nil
	}
	instead := "Set " + key + ".mem.flush.timeout to 0s, or to less than rtbeat.timeout"
	preset, _ := root.String("output.elasticsearch.preset", -1) // an error means that there is none
	if preset != "" && preset != "custom" && key == "output.elasticsearch.queue" {
		instead = "output.elasticsearch.preset sets it: write latency or custom there"
	}
	return fmt.Errorf("%s.mem.flush.timeout is %s, which reaches rtbeat.timeout (%s): the queue would hold small batches back until their senders were answered 504. %s",
		key, settings.FlushTimeout, timeout, instead)
}

// diskQueueIn returns the disk queue of a configuration, nil if there is none.
func diskQueueIn(root *conf.C) (*durable.Queue, error) {
	key, queue, err := queueSettings(root)
	if err != nil {
		return nil, err
	}
	switch {
	case !queue.IsSet() || queue.Name() == memqueue.QueueType:
		return nil, nil //nolint:nilnil // another queue is no error, and the doc comment says nil
	case queue.Name() != diskqueue.QueueType:
		return nil, fmt.Errorf("%s.%s is configured: rtbeat knows %[1]s.mem and %[1]s.disk", key, queue.Name())
	}
	return durable.NewQueue(key+"."+diskqueue.QueueType, queue.Config())
}

// queueSettings finds the queue in force: that of the output stands before that of the top level.
func queueSettings(root *conf.C) (key string, queue conf.Namespace, err error) {
	var c struct {
		Queue  conf.Namespace `config:"queue"`
		Output conf.Namespace `config:"output"`
	}
	if err := root.Unpack(&c); err != nil {
		return "", queue, fmt.Errorf("reading the queue settings: %w", err)
	}
	if c.Output.IsSet() {
		var output struct {
			Queue conf.Namespace `config:"queue"`
		}
		key = "output." + c.Output.Name() + ".queue"
		if err := c.Output.Config().Unpack(&output); err != nil {
			return "", queue, fmt.Errorf("reading %s: %w", key, err)
		}
		if output.Queue.IsSet() {
			return key, output.Queue, nil
		}
	}
	return "queue", c.Queue, nil
}

// headersInEvents is how many bytes of headers go into each event at most. net/http reads 4 KiB more than it is told
// (initialReadLimitSize in net/http/server.go).
func headersInEvents(c config.Config) int64 {
	if len(c.IncludeHeaders) == 0 {
		return 0
	}
	return int64(c.MaxHeaderBytes) + 4<<10
}
