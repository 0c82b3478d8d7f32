package outputs

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/outputs"
	"github.com/elastic/beats/v7/libbeat/publisher"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/logp"
)

// together is for outputs that send a batch at once and are done when Publish returns: elasticsearch and redis.
type together struct {
	client
	// check tells why the output would drop an event. nil where it is left to the output.
	check func(*beat.Event) error
	// idempotent tells of an event that it may be sent twice.
	idempotent func(*beat.Event) bool

	log    *logp.Logger
	logged rate.Sometimes
}

func newElasticsearch(inner outputs.Client, o *observer, _ *conf.C, info beat.Info) (outputs.Client, error) {
	return asNetwork(newTogether(inner, o, info, nil, hasID), inner), nil
}

func newTogether(inner outputs.Client, o *observer, info beat.Info, check func(*beat.Event) error, idempotent func(*beat.Event) bool) *together {
	return &together{client: client{inner, o}, check: check, idempotent: idempotent, log: info.Logger.Named("rtbeat.outputs"), logged: rate.Sometimes{Interval: time.Second}}
}

// hasID tells whether the event's document has an id: sent twice, it is one document.
func hasID(event *beat.Event) bool {
	id, _ := event.Meta["_id"].(string)
	return id != ""
}

func (c *together) Publish(ctx context.Context, batch publisher.Batch) error {
	events := c.fit(batch.Events())
	if len(events) == 0 {
		batch.ACK()
		return nil
	}
	a, gone, refused, err := c.try(ctx, events, batch.SplitRetry)
	switch {
	case a.end == isSplit:
		return err
	case refused > 0:
		unclear := gone
		if refused < len(gone) && slices.ContainsFunc(gone, someoneWaits) {
			unclear = c.sort(ctx, gone, a)
		}
		for i := range unclear {
			reject(&unclear[i])
		}
	}
	if a.end == again && len(a.kept) > 0 { // redis may say so of none
		batch.RetryEvents(a.kept)
	} else {
		batch.ACK()
	}
	return err
}

// fit returns the events that the output takes. The others are given up here: libbeat's redis output loses its count at
// them (serializeEvents in libbeat/outputs/redis/client.go), and may forget others, or panic. What it returns is not
// libbeat's own list, for the outputs rearrange what they are given.
func (c *together) fit(all []publisher.Event) []publisher.Event {
	if c.check == nil {
		return slices.Clone(all)
	}
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

// try publishes events. gone are those that are not to be tried again, refused how many of them the output gave up.
func (c *together) try(ctx context.Context, events []publisher.Event, split func() bool) (a *attempt, gone []publisher.Event, refused int, err error) {
	c.observer.takePermanent()
	a = &attempt{events: slices.Clone(events), split: split}
	err = c.Client.Publish(ctx, a)
	refused = c.observer.takePermanent()
	switch a.end {
	case unended: // no output does that; nothing is known of the events then
		a.RetryEvents(events)
		return a, nil, 0, errors.Join(err, errors.New("the output left a batch alone"))
	case dropped:
		return a, events, len(events), err
	case isSplit:
		return a, nil, 0, err
	case done, again:
	}
	kept := make(map[any]bool, len(a.kept))
	for i := range a.kept {
		kept[a.kept[i].Content.Private] = true
	}
	for i := range events {
		if !kept[events[i].Content.Private] {
			gone = append(gone, events[i])
		}
	}
	return a, gone, refused, err
}

// someoneWaits tells whether it matters what becomes of an event.
func someoneWaits(event publisher.Event) bool {
	_, ok := event.Content.Private.(rejectable)
	return ok
}

// sort finds out which of some events were given up, by sending them again in halves, and returns those of which it is
// known, or cannot be found out. What fails on the way is added to what first keeps to be tried again. Where the other side
// is in trouble, all the rest is: an error is waited out, and that once for each half is too long, and no help to the store.
func (c *together) sort(ctx context.Context, events []publisher.Event, first *attempt) (givenUp []publisher.Event) {
	var sendable []publisher.Event
	for i := range events {
		if c.idempotent != nil && c.idempotent(&events[i].Content) {
			sendable = append(sendable, events[i])
		} else {
			givenUp = append(givenUp, events[i])
		}
	}
	c.observer.mute.Store(true)
	defer c.observer.mute.Store(false)
	halves := [][]publisher.Event{sendable}
	for len(halves) > 0 {
		half := halves[len(halves)-1]
		halves = halves[:len(halves)-1]
		if len(half) == 0 {
			continue
		}
		a, gone, refused, err := c.try(ctx, half, nil) // an error comes with what is to be tried again
		if a.end == again {
			first.RetryEvents(append(first.kept, a.kept...))
		}
		switch {
		case refused == 0:
		case refused >= len(gone) && (a.end != dropped || len(half) == 1):
			givenUp = append(givenUp, gone...)
		default:
			halves = append(halves, gone[:len(gone)/2], gone[len(gone)/2:])
		}
		if err != nil {
			first.RetryEvents(append(first.kept, slices.Concat(halves...)...))
			break
		}
	}
	return givenUp
}
