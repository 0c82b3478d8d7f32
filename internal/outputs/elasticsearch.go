package outputs

import (
	"context"
	"fmt"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/outputs"
	"github.com/elastic/beats/v7/libbeat/publisher"
	conf "github.com/elastic/elastic-agent-libs/config"
)

// elasticsearch rejects the events that the store refuses, and has the others tried again.
//
// Without a dead letter index the output drops a refused event and reports only a number. With a dead letter index it marks a
// refused event and hands it back, to be sent to that index (libbeat/outputs/elasticsearch/client.go, applyItemStatus). So
// markRefused sets a dead letter index where the user has none. Publish takes the marked events out of the retry: nothing is
// ever sent to that index.
type elasticsearch struct {
	client
	takesMarked bool // the dead letter index is rtbeat's
}

// noIndex is the dead letter index that markRefused sets. Elasticsearch allows no index name with a leading underscore: an
// event that is sent there by mistake is refused, never stored.
const noIndex = "_rejected_by_rtbeat"

const deadLetterKey = "non_indexable_policy.dead_letter_index.index"

func newElasticsearch(inner outputs.Client, o *observer, config *conf.C, _ beat.Info) (outputs.Client, error) {
	o.holdFail = true
	index, _ := config.String(deadLetterKey, -1) // an error means that there is none
	return asNetwork(&elasticsearch{client{inner, o}, index == noIndex}, inner), nil
}

// marking makes the output mark the events that the store refuses. The output does not start where the mark is not found.
func marking(made outputs.Factory) outputs.Factory {
	return func(im outputs.IndexManager, info beat.Info, stats outputs.Observer, config *conf.C) (outputs.Group, error) {
		marking, info, err := markRefused(config, info)
		if err != nil {
			return outputs.Group{}, err
		}
		group, err := made(im, info, stats, marking)
		if err != nil {
			return group, err
		}
		if err := keepPreset(config, marking); err != nil {
			return group, err
		}
		return group, checkEncoder(group.EncoderFactory)
	}
}

// keepPreset brings the settings of a preset from the copy back to config. The output has written them into the copy, and
// rtbeat checks the queue by config.
func keepPreset(config, marking *conf.C) error {
	if config == marking {
		return nil
	}
	if _, err := marking.Remove("non_indexable_policy", -1); err != nil {
		return fmt.Errorf("removing non_indexable_policy: %w", err)
	}
	if err := config.Merge(marking); err != nil {
		return fmt.Errorf("keeping the settings of the preset: %w", err)
	}
	return nil
}

// markRefused returns the configuration and the logger for an output that marks refused events. It leaves a policy of the
// user's alone, except for "drop", which is the default.
func markRefused(config *conf.C, info beat.Info) (*conf.C, beat.Info, error) {
	var settings struct {
		Policy *conf.Namespace `config:"non_indexable_policy"`
	}
	if err := config.Unpack(&settings); err != nil {
		return nil, info, fmt.Errorf("reading non_indexable_policy: %w", err)
	}
	if settings.Policy != nil && settings.Policy.Name() != "drop" {
		return config, info, nil
	}
	marking, err := copyOf(config)
	if err != nil {
		return nil, info, err
	}
	if settings.Policy != nil {
		if _, err := marking.Remove("non_indexable_policy", -1); err != nil {
			return nil, info, fmt.Errorf("removing non_indexable_policy: %w", err)
		}
	}
	if err := marking.SetString(deadLetterKey, -1, noIndex); err != nil {
		return nil, info, fmt.Errorf("setting %s: %w", deadLetterKey, err)
	}
	info.Logger = withoutDeadLetters(info.Logger)
	return marking, info, nil
}

// Publish sends one bulk request. It sends no second one to find out which events were refused.
func (c *elasticsearch) Publish(ctx context.Context, batch publisher.Batch) error {
	events := batch.Events()
	var unsendable, marked []publisher.Event
	for i := range events {
		switch e, ok := encodedOf(&events[i]); {
		case !ok || !e.isSendable():
			unsendable = append(unsendable, events[i])
		case e.isMarked():
			marked = append(marked, events[i])
		}
	}
	a, gone, permanent, err := c.try(ctx, events, batch.SplitRetry)
	failed := int(c.observer.failed.Swap(0))
	if a.end == isSplit {
		c.observer.Observer.RetryableErrors(failed)
		return err
	}
	var retry, refused []publisher.Event
	for i := range a.kept {
		if e, ok := encodedOf(&a.kept[i]); c.takesMarked && ok && e.isMarked() {
			refused = append(refused, a.kept[i])
		} else {
			retry = append(retry, a.kept[i])
		}
	}
	c.observer.Observer.PermanentErrors(len(refused)) // the output has them among the failed ones
	c.observer.Observer.RetryableErrors(max(0, failed-len(refused)))
	rejectAll(refused)
	rejectAll(droppedOf(permanent, gone, unsendable, marked))
	if len(retry) > 0 {
		batch.RetryEvents(retry)
	} else {
		batch.ACK()
	}
	return err
}

// droppedOf returns the events that the output dropped, or an upper bound. The output reports a number, n. It drops every
// unsendable event. If n is larger, the user's dead letter index refused events too: any marked event that is gone. If n is
// larger still, the cause is unknown, and any event that is gone may be one of them.
func droppedOf(n int, gone, unsendable, marked []publisher.Event) []publisher.Event {
	if n <= len(unsendable) {
		return unsendable
	}
	isGone := make(map[any]bool, len(gone))
	for i := range gone {
		isGone[gone[i].EncodedEvent] = true
	}
	candidates := unsendable
	for i := range marked {
		if isGone[marked[i].EncodedEvent] {
			candidates = append(candidates, marked[i])
		}
	}
	if n > len(candidates) {
		return gone
	}
	return candidates
}
