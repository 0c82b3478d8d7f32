package beater

import (
	conf "github.com/elastic/elastic-agent-libs/config"

	"github.com/txn2/rtbeat/config"
)

// LoadConfig reads the rtbeat section. diskKey is the key of the settings of libbeat's disk queue in root, the whole configuration.
// They become the settings of durable mode. diskKey is empty without them.
func LoadConfig(section, root *conf.C, diskKey string) (c config.Config, warnings []string, err error) {
	return loadWithin(section, root, diskKey, 0)
}

// loadWithin is LoadConfig for a process with this much memory.
func loadWithin(section, root *conf.C, diskKey string, memory config.Memory) (c config.Config, warnings []string, err error) {
	if c, warnings, err = config.LoadWithin(section, memory); err != nil || diskKey == "" {
		return c, warnings, err
	}
	c, more, err := fromLibbeatDiskQueue(c, root, diskKey)
	if err != nil {
		return c, nil, err
	}
	return c, append(warnings, more...), nil
}
