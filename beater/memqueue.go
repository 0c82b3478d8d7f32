package beater

import (
	"fmt"
	"time"

	"github.com/elastic/beats/v7/libbeat/publisher/queue/memqueue"
	conf "github.com/elastic/elastic-agent-libs/config"
)

// checkMemoryQueue refuses a memory queue whose flush.timeout reaches the timeout of a request: every small batch would be
// answered 504.
func checkMemoryQueue(root *conf.C, timeout time.Duration) error {
	key, queue, err := queueSettings(root)
	if err != nil {
		return err
	}
	if queue.IsSet() && queue.Name() != memqueue.QueueType {
		return fmt.Errorf("%s.%s is configured: use %[1]s.mem, or rtbeat.durable for a queue on disk", key, queue.Name())
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

// queueSettings finds the queue in force: the queue of the output, else of the top level.
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
