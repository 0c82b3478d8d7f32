package outputs

import (
	"fmt"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/outputs"
	conf "github.com/elastic/elastic-agent-libs/config"
)

// ownIndex is the dead letter index that setDeadLetterIndex sets. Elasticsearch allows no index name with a leading
// underscore: an event that is sent there by mistake is refused, never stored.
const ownIndex = "_rejected_by_rtbeat"

const (
	policyKey     = "non_indexable_policy"
	deadLetterKey = policyKey + ".dead_letter_index.index"
)

// wrapElasticsearch makes the output mark refused events, and wraps its clients. Without a readable mark, rtbeat does
// not start.
func wrapElasticsearch(made outputs.Factory) outputs.Factory {
	return func(im outputs.IndexManager, info beat.Info, stats outputs.Observer, config *conf.C) (outputs.Group, error) {
		changed, info, err := setDeadLetterIndex(config, info)
		if err != nil {
			return outputs.Group{}, err
		}
		one := func(config *conf.C) (outputs.Group, error) {
			o := &bulkObserver{Observer: stats}
			group, err := made(im, info, o, config)
			if err != nil || len(group.Clients) != 1 {
				return group, err
			}
			inner, ok := group.Clients[0].(outputs.NetworkClient)
			if !ok {
				return group, fmt.Errorf("libbeat's output elasticsearch made a %T, which cannot be wrapped", group.Clients[0])
			}
			index, _ := config.String(deadLetterKey, -1) // an error means that there is none
			group.Clients[0] = &bulkClient{inner, o, index == ownIndex}
			return group, nil
		}
		group, err := one(changed) // applies the preset, which sets the number of workers
		if err == nil && len(group.Clients) > 1 {
			group, err = forEachHost(changed, func(config *conf.C, _ string) (outputs.Group, error) { return one(config) })
		}
		if err != nil {
			return group, err
		}
		group.EncoderFactory = keepContent(group.EncoderFactory)
		if err := keepPreset(config, changed); err != nil {
			return group, err
		}
		return group, checkEncoder(group.EncoderFactory)
	}
}

// setDeadLetterIndex returns the configuration and the logger for an output that marks refused events. It leaves a policy of
// the user's alone, except for "drop", which is the default.
func setDeadLetterIndex(config *conf.C, info beat.Info) (*conf.C, beat.Info, error) {
	var settings struct {
		Policy *conf.Namespace `config:"non_indexable_policy"`
	}
	if err := config.Unpack(&settings); err != nil {
		return nil, info, fmt.Errorf("reading %s: %w", policyKey, err)
	}
	if settings.Policy != nil && settings.Policy.Name() != "drop" {
		return config, info, nil
	}
	changed, err := copyOf(config)
	if err != nil {
		return nil, info, err
	}
	if _, err := changed.Remove(policyKey, -1); err != nil {
		return nil, info, fmt.Errorf("removing %s: %w", policyKey, err)
	}
	if err := changed.SetString(deadLetterKey, -1, ownIndex); err != nil {
		return nil, info, fmt.Errorf("setting %s: %w", deadLetterKey, err)
	}
	info.Logger = withoutDeadLetters(info.Logger)
	return changed, info, nil
}

// keepPreset takes the settings of a preset over into config. The output wrote them into the changed copy, and rtbeat checks
// the queue by config.
func keepPreset(config, changed *conf.C) error {
	if config == changed {
		return nil
	}
	if _, err := changed.Remove(policyKey, -1); err != nil {
		return fmt.Errorf("removing %s: %w", policyKey, err)
	}
	if err := config.Merge(changed); err != nil {
		return fmt.Errorf("keeping the settings of the preset: %w", err)
	}
	return nil
}
