package outputs

import (
	"errors"
	"fmt"
	"strings"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/outputs"
	"github.com/elastic/beats/v7/libbeat/outputs/codec"
	"github.com/elastic/beats/v7/libbeat/outputs/outil"
	conf "github.com/elastic/elastic-agent-libs/config"
)

// newRedis checks each event as the output is going to: with the codec and the key of the configuration, which the output
// has completed by now (makeRedis in libbeat/outputs/redis/redis.go).
func newRedis(inner outputs.Client, o *observer, config *conf.C, info beat.Info) (outputs.Client, error) {
	var settings struct {
		Index string       `config:"index"`
		Codec codec.Config `config:"codec"`
	}
	if err := config.Unpack(&settings); err != nil {
		return nil, fmt.Errorf("reading the codec: %w", err)
	}
	encoder, err := codec.CreateEncoder(info, settings.Codec)
	if err != nil {
		return nil, fmt.Errorf("making the codec: %w", err)
	}
	key, err := outil.BuildSelectorFromConfig(config, outil.Settings{
		Key: "key", MultiKey: "keys", EnableSingleOnly: true, FailEmpty: true, Case: outil.SelectorKeepCase,
	}, info.Logger)
	if err != nil {
		return nil, fmt.Errorf("reading the key: %w", err)
	}
	index := strings.ToLower(settings.Index)
	check := func(event *beat.Event) error {
		switch selected, err := key.Select(event); {
		case err != nil:
			return fmt.Errorf("selecting the key: %w", err)
		case selected == "": // which Redis takes, as the name of a list that nobody reads
			return errors.New("the key is empty: the event lacks a field that it is made of")
		}
		if _, err := encoder.Encode(index, event); err != nil {
			return fmt.Errorf("encoding: %w", err)
		}
		return nil
	}
	return asNetwork(newTogether(inner, o, info, check), inner), nil
}
