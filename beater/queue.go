package beater

import (
	"fmt"
	"time"

	"github.com/elastic/beats/v7/libbeat/publisher/queue/memqueue"
	conf "github.com/elastic/elastic-agent-libs/config"
)

// checkQueue refuses a memory queue that holds events back until nobody waits for them any more: one whose
// flush.timeout reaches the timeout of a request makes every small batch a 504. It refuses the disk queue as well,
// which acknowledges what is on the local disk only (diskqueue/writer_loop.go), and does not give all of it back: its
// reader drops the rest of a segment at an event with an empty key, and negative integers of some ranges come back as
// other numbers (go-structform/cborl/parse.go). root is the whole configuration.
func checkQueue(root *conf.C, timeout time.Duration) error {
	path, queue, err := queueSettings(root)
	if err != nil {
		return err
	}
	if queue.IsSet() && queue.Name() != memqueue.QueueType {
		return fmt.Errorf("%s.%s is configured: rtbeat answers 200 for what the output has acknowledged, and this queue acknowledges before. "+
			"Remove it; the memory queue, %[1]s.mem, is the one that is supported", path, queue.Name())
	}
	settings, err := memqueue.SettingsForUserConfig(queue.Config())
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	// With flush.min_events of 0 or 1 the memory queue ignores the timeout (memqueue/broker.go).
	if settings.MaxGetRequest > 1 && settings.FlushTimeout >= timeout {
		return fmt.Errorf("%[1]s.mem.flush.timeout is %[2]s, which reaches rtbeat.timeout (%[3]s): the queue would hold small batches back until their senders were answered 504. "+
			"Set %[1]s.mem.flush.timeout to 0s, or to less than rtbeat.timeout", path, settings.FlushTimeout, timeout)
	}
	return nil
}

// queueSettings finds the queue in force: that of the output stands before that of the top level.
func queueSettings(root *conf.C) (path string, queue conf.Namespace, err error) {
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
		path = "output." + c.Output.Name() + ".queue"
		if err := c.Output.Config().Unpack(&output); err != nil {
			return "", queue, fmt.Errorf("reading %s: %w", path, err)
		}
		if output.Queue.IsSet() {
			return path, output.Queue, nil
		}
	}
	return "queue", c.Queue, nil
}
