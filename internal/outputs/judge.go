package outputs

import (
	"errors"
	"fmt"

	conf "github.com/elastic/elastic-agent-libs/config"
)

// Judge refuses an output with which a 200 would mean nothing, because nobody acknowledges, and warns of settings with
// which it means little. config is the section of the output; docs/outputs.md says more of each.
func Judge(name string, config *conf.C) (warnings []string, err error) {
	settings := struct {
		RequiredAcks int    `config:"required_acks"`
		DataType     string `config:"datatype"`
	}{RequiredAcks: 1} // sarama's default
	if config != nil {
		if err := config.Unpack(&settings); err != nil {
			return nil, fmt.Errorf("reading output.%s: %w", name, err)
		}
	}
	switch {
	case name == "discard":
		return nil, errors.New("output.discard throws every event away, and senders would be told 200. Choose another output")
	case name == "kafka" && settings.RequiredAcks == 0:
		return nil, errors.New("output.kafka.required_acks is 0: no broker would acknowledge anything, and senders would be told 200 for what nobody may have received. Set it to -1 (all in-sync replicas), or to 1 (the leader alone)")
	case name == "kafka" && settings.RequiredAcks == 1:
		return []string{"output.kafka.required_acks is 1: a 200 says that the leader of the partition has the events, and they are lost with it if it fails before a replica has them. Set it to -1, with min.insync.replicas of 2 or more at the broker"}, nil
	case name == "redis" && settings.DataType == "channel":
		return []string{"output.redis.datatype is channel: Redis keeps nothing of what is published there. A 200 says that Redis took the events, be there a subscriber or none. Use a list for what must not be lost"}, nil
	case name == "console":
		return []string{"output.console is for looking at events: a 200 says that they were written to stdout, and nothing of who reads it"}, nil
	}
	return nil, nil
}
