package cmd

import (
	"flag"
	"slices"
	"strings"

	"github.com/elastic/beats/v7/libbeat/cfgfile"
	conf "github.com/elastic/elastic-agent-libs/config"
)

// outputNames are the outputs that libbeat brings. Each may have the queue in its own section.
var outputNames = []string{"logstash", "elasticsearch", "kafka", "redis", "file", "console", "discard"}

// queueDefaults makes 0s the default of the memory queue's flush.timeout, wherever that queue stands. libbeat's own
// default holds a small batch back for 10 s (libbeat/publisher/queue/memqueue/config.go), longer than its sender
// waits. These settings lie under the user's, who may still choose another value.
//
// libbeat's disk queue is never used: its settings ask for durable mode. These defaults disable it and configure the memory
// queue. found is called with the key of its settings.
func queueDefaults(found func(key string)) []cfgfile.ConditionalOverride {
	defaults := []cfgfile.ConditionalOverride{{
		Check:  func(file *conf.C) bool { return !hasOtherQueue(withFlags(file)) },
		Config: conf.MustNewConfigFrom(map[string]any{"queue.mem.flush.timeout": "0s"}),
	}}
	queues := []string{"queue"}
	for _, output := range outputNames {
		queues = append(queues, "output."+output+".queue")
	}
	for _, queue := range queues {
		disk := queue + ".disk"
		defaults = append(defaults, cfgfile.ConditionalOverride{
			Check: func(file *conf.C) bool {
				c := withFlags(file)
				isConfigured := has(c, disk) && !has(c, disk+".enabled") && isInForce(c, queue)
				if isConfigured {
					found(disk)
				}
				return isConfigured
			},
			Config: conf.MustNewConfigFrom(map[string]any{disk + ".enabled": false, queue + ".mem.flush.timeout": "0s"}),
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

// hasOtherQueue tells whether a default under queue.mem would clash: beside another queue at the top level, or
// beside one in the output's section.
func hasOtherQueue(c *conf.C) bool {
	for _, output := range outputNames {
		if queue := "output." + output + ".queue"; isInForce(c, queue) && choosesQueue(c, queue) {
			return true
		}
	}
	return !has(c, "queue.mem") && choosesQueue(c, "queue")
}

// isInForce tells whether a section with a queue is not that of an output which is disabled.
func isInForce(c *conf.C, queue string) bool {
	output, err := c.Child(strings.TrimSuffix(queue, ".queue"), -1)
	return queue == "queue" || err == nil && output.Enabled()
}

// choosesQueue tells whether there is a queue in a section. "queue:" with nothing under it chooses nothing, and neither does
// a queue with enabled: false.
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

// withFlags is the configuration file with the -E settings over it, which libbeat merges only later.
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
