package cmd

import (
	"flag"
	"slices"
	"strings"

	"github.com/elastic/beats/v7/libbeat/cfgfile"
	conf "github.com/elastic/elastic-agent-libs/config"
)

// outputNames are the outputs of libbeat. Each may have the queue in its own section.
var outputNames = []string{"logstash", "elasticsearch", "kafka", "redis", "file", "console", "discard"}

// queueDefaults makes 0s the default of the memory queue's flush.timeout, at the top level and in each output. libbeat's default
// delays a small batch by 10 s (libbeat/publisher/queue/memqueue/config.go), longer than its sender waits. A value in the
// configuration has precedence.
//
// libbeat's disk queue is never used: its settings ask for durable mode. These defaults disable it and configure the memory
// queue.
func queueDefaults() []cfgfile.ConditionalOverride {
	defaults := []cfgfile.ConditionalOverride{{
		Check:  func(file *conf.C) bool { return !hasOtherQueue(withFlags(file)) },
		Config: conf.MustNewConfigFrom(map[string]any{"queue.mem.flush.timeout": "0s"}),
	}}
	queues := queueSections()
	for _, queue := range queues {
		defaults = append(defaults, cfgfile.ConditionalOverride{
			Check:  func(file *conf.C) bool { return asksForDisk(withFlags(file), queue) },
			Config: conf.MustNewConfigFrom(map[string]any{queue + ".disk.enabled": false, queue + ".mem.flush.timeout": "0s"}),
		})
	}
	for _, queue := range queues[1:] {
		queue += ".mem"
		defaults = append(defaults, cfgfile.ConditionalOverride{
			Check:  func(file *conf.C) bool { return has(withFlags(file), queue) },
			Config: conf.MustNewConfigFrom(map[string]any{queue + ".flush.timeout": "0s"}),
		})
	}
	return defaults
}

// queueSections are the sections that may have a queue: the top level first, then each output.
func queueSections() []string {
	queues := []string{"queue"}
	for _, output := range outputNames {
		queues = append(queues, "output."+output+".queue")
	}
	return queues
}

// asksForDisk tells whether the section of a queue has settings of libbeat's disk queue, which ask for durable mode. With "enabled"
// they do not: false disables them, and New refuses true.
func asksForDisk(c *conf.C, queue string) bool {
	disk := queue + ".disk"
	return has(c, disk) && !has(c, disk+".enabled") && isInForce(c, queue)
}

// libbeatDiskKey returns the key of the settings of libbeat's disk queue in a configuration file, or "". An output's settings have
// precedence. queueDefaults adds "enabled" to the settings, so the key cannot be found in the configuration that libbeat merges.
func libbeatDiskKey(file *conf.C) (key string) {
	c := withFlags(file)
	for _, queue := range queueSections() {
		if asksForDisk(c, queue) {
			key = queue + ".disk"
		}
	}
	return key
}

// hasOtherQueue tells whether a default under queue.mem would conflict with another queue, at the top level or in the output's
// section.
func hasOtherQueue(c *conf.C) bool {
	for _, output := range outputNames {
		if queue := "output." + output + ".queue"; isInForce(c, queue) && choosesQueue(c, queue) {
			return true
		}
	}
	return !has(c, "queue.mem") && choosesQueue(c, "queue")
}

// isInForce tells whether the section of a queue is at the top level or in an enabled output.
func isInForce(c *conf.C, queue string) bool {
	output, err := c.Child(strings.TrimSuffix(queue, ".queue"), -1)
	return queue == "queue" || err == nil && output.Enabled()
}

// choosesQueue tells whether a section has an enabled queue. An empty "queue:" has none.
func choosesQueue(c *conf.C, path string) bool {
	section, err := c.Child(path, -1)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(section.GetFields(), func(name string) bool {
		queue, err := section.Child(name, -1)
		return err != nil || queue.Enabled()
	})
}

// withFlags returns the configuration file with the -E settings applied. libbeat applies them later.
func withFlags(file *conf.C) *conf.C {
	if f := flag.Lookup("E"); f != nil {
		if settings, ok := f.Value.(*conf.SettingsFlag); ok {
			if merged, err := conf.MergeConfigs(file, settings.Config()); err == nil {
				return merged
			}
		}
	}
	return file
}

func has(c *conf.C, path string) bool {
	found, err := c.Has(path, -1)
	return err == nil && found
}
