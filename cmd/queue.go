package cmd

import (
	"flag"

	"github.com/elastic/beats/v7/libbeat/cfgfile"
	conf "github.com/elastic/elastic-agent-libs/config"
)

// outputNames are the outputs that libbeat brings. Each may have the queue in its own section.
var outputNames = []string{"logstash", "elasticsearch", "kafka", "redis", "file", "console", "discard"}

// queueDefaults makes 0s the default of the memory queue's flush.timeout, wherever that queue stands. libbeat's own
// default holds a small batch back for 10 s (libbeat/publisher/queue/memqueue/config.go), longer than its sender
// waits. These settings lie under the user's, who may still choose another value.
func queueDefaults() []cfgfile.ConditionalOverride {
	defaults := []cfgfile.ConditionalOverride{{
		Check:  func(file *conf.C) bool { return !hasOtherQueue(withFlags(file)) },
		Config: conf.MustNewConfigFrom(map[string]any{"queue.mem.flush.timeout": "0s"}),
	}}
	for _, output := range outputNames {
		queue := "output." + output + ".queue.mem"
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
		if has(c, "output."+output+".queue") {
			return true
		}
	}
	if has(c, "queue.mem") {
		return false
	}
	queue, err := c.Child("queue", -1)
	return err == nil && len(queue.GetFields()) > 0 // "queue:" with nothing under it chooses nothing
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
