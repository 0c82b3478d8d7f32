package outputs

import (
	"context"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/outputs"
	"github.com/elastic/beats/v7/libbeat/publisher"
	conf "github.com/elastic/elastic-agent-libs/config"
)

// oneByOne is for outputs that write event by event, and never try again: file and console. They do so in the goroutine
// that calls Publish.
type oneByOne struct {
	client
	torn bool // the last line may have been written in part
}

func newOneByOne(inner outputs.Client, o *observer, _ *conf.C, _ beat.Info) (outputs.Client, error) {
	o.split = true
	return asNetwork(&oneByOne{client: client{inner, o}}, inner), nil
}

func (c *oneByOne) Publish(ctx context.Context, batch publisher.Batch) error {
	events := batch.Events()
	c.observer.Observer.NewBatch(len(events))
	for i := range events {
		if !c.write(ctx, events[i:i+1]) {
			reject(&events[i])
		}
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
	if c.observer.writeFailed.Swap(false) {
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
