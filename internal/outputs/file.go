package outputs

import (
	"context"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/outputs"
	"github.com/elastic/beats/v7/libbeat/publisher"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/testing"
)

// eventClient gives the file output one event at a time. The output is done with it when Publish returns, and never tries
// again (libbeat/outputs/fileout/file.go).
type eventClient struct {
	outputs.Client
	observer *eventObserver
	isTorn   bool // the last line may be incomplete
}

func wrapFile(made outputs.Factory) outputs.Factory {
	return func(im outputs.IndexManager, info beat.Info, stats outputs.Observer, config *conf.C) (outputs.Group, error) {
		o := &eventObserver{Observer: stats}
		group, err := made(im, info, o, config)
		for i, c := range group.Clients {
			group.Clients[i] = &eventClient{Client: c, observer: o}
		}
		return group, err
	}
}

func (c *eventClient) Publish(ctx context.Context, batch publisher.Batch) error {
	events := batch.Events()
	c.observer.Observer.NewBatch(len(events))
	for i := range events {
		if c.write(ctx, events[i:i+1]) {
			c.observer.Observer.AckedEvents(1)
			continue
		}
		c.observer.Observer.PermanentErrors(1)
		reject(events[i : i+1])
	}
	batch.ACK()
	return nil
}

// write returns whether the event has a line of its own. A full disk may keep the beginning of a line, and the next event
// then stands behind it.
func (c *eventClient) write(ctx context.Context, event []publisher.Event) (ok bool) {
	c.observer.dropped, c.observer.failed = 0, false
	b := &pendingBatch{events: event}
	err := c.Client.Publish(ctx, b)
	if c.observer.failed {
		c.isTorn = true
		return false
	}
	if err != nil || !b.isEnded || b.dropped || len(b.retry) > 0 || c.observer.dropped > 0 {
		return false
	}
	ok = !c.isTorn
	c.isTorn = false
	return ok
}

func (c *eventClient) Test(d testing.Driver) { testOutput(c.Client, d) }

// eventObserver records the reports of the output about one event. The client counts batches and events for libbeat.
type eventObserver struct {
	outputs.Observer
	dropped int
	failed  bool // to write
}

func (o *eventObserver) NewBatch(int)          {}
func (o *eventObserver) AckedEvents(int)       {}
func (o *eventObserver) PermanentErrors(n int) { o.dropped += n }

func (o *eventObserver) WriteError(err error) {
	o.failed = true
	o.Observer.WriteError(err)
}
