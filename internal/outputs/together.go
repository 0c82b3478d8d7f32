package outputs

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/outputs"
	"github.com/elastic/beats/v7/libbeat/publisher"
	"github.com/elastic/elastic-agent-libs/logp"
)

// together is for redis, which sends a batch at once and is done when Publish returns.
type together struct {
	client
	check  func(*beat.Event) error // tells why the output would drop an event
	log    *logp.Logger
	logged rate.Sometimes
}

func newTogether(inner outputs.Client, o *observer, info beat.Info, check func(*beat.Event) error) *together {
	return &together{client: client{inner, o}, check: check, log: info.Logger.Named("rtbeat.outputs"), logged: rate.Sometimes{Interval: time.Second}}
}

func (c *together) Publish(ctx context.Context, batch publisher.Batch) error {
	events := c.fit(batch.Events())
	if len(events) == 0 {
		batch.ACK()
		return nil
	}
	a, gone, dropped, err := c.try(ctx, events, batch.SplitRetry)
	if a.end == isSplit {
		return err
	}
	if dropped > 0 {
		rejectAll(gone)
	}
	if a.end == again && len(a.kept) > 0 { // redis may say so of none
		batch.RetryEvents(a.kept)
	} else {
		batch.ACK()
	}
	return err
}

// fit returns the events that the output takes. The others are given up here: libbeat's redis output loses its count at
// them (serializeEvents in libbeat/outputs/redis/client.go), and may forget others, or panic. The result is a list of its
// own.
func (c *together) fit(all []publisher.Event) []publisher.Event {
	events := make([]publisher.Event, 0, len(all))
	for i := range all {
		if err := c.check(&all[i].Content); err != nil {
			c.observer.Observer.NewBatch(1)
			c.observer.Observer.PermanentErrors(1)
			c.logged.Do(func() {
				c.log.Errorw("an event cannot be encoded for the output, or has no key there", "error.message", err.Error())
			})
			reject(&all[i])
			continue
		}
		events = append(events, all[i])
	}
	return events
}
