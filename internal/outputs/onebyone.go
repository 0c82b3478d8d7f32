package outputs

import (
	"context"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/outputs"
	"github.com/elastic/beats/v7/libbeat/publisher"
	conf "github.com/elastic/elastic-agent-libs/config"
)

// oneByOne is for outputs that write event by event, and never try again: file. They do so in the goroutine
// that calls Publish. What they count as acknowledged is counted here instead, where it is known.
type oneByOne struct {
	client
	torn bool // the last line may have been written in part
}

func newOneByOne(inner outputs.Client, o *observer, _ *conf.C, _ beat.Info) (outputs.Client, error) {
	o.split = true
	o.mute.Store(true)
	return asNetwork(&oneByOne{client: client{inner, o}}, inner), nil
}

func (c *oneByOne) Publish(ctx context.Context, batch publisher.Batch) error {
	events := batch.Events()
	c.observer.Observer.NewBatch(len(events))
	for i := range events {
		if c.write(ctx, events[i:i+1]) {
			c.observer.Observer.AckedEvents(1)
			continue
		}
		c.observer.Observer.PermanentErrors(1)
		reject(&events[i])
	}
	batch.ACK()
	return nil
}

// write tells whether the event has a line of its own. Where writing failed, a full disk has the beginning of a line, and
// what is written next stands behind it.
func (c *oneByOne) write(ctx context.Context, event []publisher.Event) bool {
	c.observer.takePermanent()
	a := &attempt{events: event}
	err := c.Client.Publish(ctx, a)
	failed := c.observer.writeFailed.Swap(false)
	if failed {
		c.torn = true
		return false
	}
	if err != nil || a.end != done || c.observer.takePermanent() > 0 {
		return false
	}
	whole := !c.torn
	c.torn = false
	return whole
}
