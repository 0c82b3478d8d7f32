package beater

import (
	conf "github.com/elastic/elastic-agent-libs/config"

	"github.com/txn2/rtbeat/config"
)

// LoadConfig reads the rtbeat section. diskKey is the key of the settings of libbeat's disk queue in root, the whole configuration.
// They become the settings of durable mode. diskKey is empty without them.
func LoadConfig(section, root *conf.C, diskKey string) (c config.Config, warnings []string, err error) {
	return load(section, root, diskKey, 0)
}

// loadWithin is LoadConfig for a process with this much memory. usual is what LoadConfig returns, and an error of LoadConfig is one
// here: commands and a process with more memory must not refuse the file of a running process.
func loadWithin(section, root *conf.C, diskKey string, memory config.Memory) (c, usual config.Config, warnings []string, err error) {
	usual, warnings, err = LoadConfig(section, root, diskKey)
	if err != nil || memory == 0 {
		return usual, usual, warnings, err
	}
	c, warnings, err = load(section, root, diskKey, memory)
	return c, usual, warnings, err
}

func load(section, root *conf.C, diskKey string, memory config.Memory) (c config.Config, warnings []string, err error) {
	if c, warnings, err = config.LoadWithin(section, memory); err != nil || diskKey == "" {
		return c, warnings, err
	}
	c, more, err := fromLibbeatDiskQueue(c, root, diskKey)
	if err != nil {
		return c, nil, err
	}
	return c, append(warnings, more...), nil
}
