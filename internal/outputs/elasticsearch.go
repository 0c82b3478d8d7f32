package outputs

import (
	"context"
	"errors"
	"slices"

	"github.com/elastic/beats/v7/libbeat/outputs"
	"github.com/elastic/beats/v7/libbeat/publisher"
	"github.com/elastic/elastic-agent-libs/testing"
)

// bulkClient rejects the events that Elasticsearch refuses, and has the others sent again.
//
// Without a dead letter index the output drops a refused event and reports only a number. With a dead letter index it marks a
// refused event and hands it back, to be sent to that index (libbeat/outputs/elasticsearch/client.go, applyItemStatus). So
// setDeadLetterIndex sets one if the user has none. Publish takes the marked events out of the retry: nothing is ever sent
// to that index.
type bulkClient struct {
	outputs.NetworkClient
	observer *bulkObserver
	ownIndex bool // the dead letter index is rtbeat's
}

// Publish sends one bulk request. It sends no second one to find out which events were refused.
func (c *bulkClient) Publish(ctx context.Context, batch publisher.Batch) error {
	events := slices.Clone(batch.Events())
	var unsendable, marked []publisher.Event
	for i := range events {
		switch e, ok := encodedOf(&events[i]); {
		case !ok || !e.isSendable():
			unsendable = append(unsendable, events[i])
		case e.isMarked():
			marked = append(marked, events[i])
		}
	}
	c.observer.dropped, c.observer.failed = 0, 0
	b := &pendingBatch{events: slices.Clone(events), halve: batch.SplitRetry}
	err := c.NetworkClient.Publish(ctx, b)
	dropped, failed := c.observer.dropped, c.observer.failed
	switch {
	case b.isSplit:
		c.observer.Observer.RetryableErrors(failed)
		return err
	case b.dropped:
		dropped = len(events)
	case !b.isEnded:
		b.retry, dropped = events, 0
		err = errors.Join(err, errors.New("the output elasticsearch returned without a result for its batch"))
	}

	var retry, refused []publisher.Event
	for i := range b.retry {
		if e, ok := encodedOf(&b.retry[i]); c.ownIndex && ok && e.isMarked() {
			refused = append(refused, b.retry[i])
		} else {
			retry = append(retry, b.retry[i])
		}
	}
	c.observer.Observer.PermanentErrors(len(refused)) // the output reported them as failed
	c.observer.Observer.RetryableErrors(max(0, failed-len(refused)))
	reject(refused)
	reject(givenUp(dropped, without(events, b.retry), unsendable, without(marked, b.retry)))
	if len(retry) > 0 {
		batch.RetryEvents(retry)
	} else {
		batch.ACK()
	}
	return err
}

func (c *bulkClient) Test(d testing.Driver) { testOutput(c.NetworkClient, d) }

// givenUp returns the events that the output dropped, or an upper bound. The output reports their number, n, and drops every
// unsendable event. If n is larger, the user's dead letter index refused marked events too. If n is larger still, the cause
// is unknown, and any event that is not retried may be one of them.
func givenUp(n int, ended, unsendable, marked []publisher.Event) []publisher.Event {
	switch {
	case n <= len(unsendable):
		return unsendable
	case n <= len(unsendable)+len(marked):
		return append(unsendable, marked...)
	default:
		return ended
	}
}

func without(events, others []publisher.Event) []publisher.Event {
	isOther := make(map[any]bool, len(others))
	for i := range others {
		isOther[others[i].EncodedEvent] = true
	}
	return slices.DeleteFunc(slices.Clone(events), func(e publisher.Event) bool { return isOther[e.EncodedEvent] })
}

// bulkObserver records the reports of the output about one request. The client reports the failed events, without the refused ones.
type bulkObserver struct {
	outputs.Observer
	dropped int
	failed  int // to be sent again
}

func (o *bulkObserver) PermanentErrors(n int) {
	o.dropped += n
	o.Observer.PermanentErrors(n)
}

func (o *bulkObserver) RetryableErrors(n int) { o.failed += n }
