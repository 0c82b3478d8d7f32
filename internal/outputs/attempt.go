package outputs

import (
	"context"
	"errors"
	"slices"

	"github.com/elastic/beats/v7/libbeat/publisher"
)

// attempt is a batch that an output gets in the place of libbeat's, and that keeps what the output makes of it. It is for
// outputs that are done when Publish returns.
type attempt struct {
	events []publisher.Event
	split  func() bool // of libbeat's batch

	end  end
	kept []publisher.Event // to be tried again
}

// end is what an output does with a batch.
type end int

const (
	unended end = iota
	done        // what was not dropped is delivered
	dropped
	again
	isSplit // libbeat has it back, in halves
)

func (a *attempt) Events() []publisher.Event { return a.events }
func (a *attempt) ACK()                      { a.end = done }
func (a *attempt) Drop()                     { a.end = dropped }
func (a *attempt) Retry()                    { a.RetryEvents(a.events) }
func (a *attempt) Cancelled()                { a.RetryEvents(a.events) }

func (a *attempt) RetryEvents(events []publisher.Event) { a.end, a.kept = again, events }

func (a *attempt) SplitRetry() bool {
	if a.split == nil || !a.split() {
		return false
	}
	a.end = isSplit
	return true
}

// try publishes events and waits for the output to end them. gone are the events that need no retry: the output delivered
// or dropped them. permanent is how many events the output reports as dropped.
func (c client) try(ctx context.Context, events []publisher.Event, split func() bool) (a *attempt, gone []publisher.Event, permanent int, err error) {
	c.observer.takePermanent()
	a = &attempt{events: slices.Clone(events), split: split}
	err = c.Publish(ctx, a)
	permanent = c.observer.takePermanent()
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
	return a, gone, permanent, err
}
