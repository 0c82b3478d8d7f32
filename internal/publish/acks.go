package publish

import (
	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/common/acker"

	"github.com/txn2/rtbeat/internal/inflight"
)

// ackListener reports the acknowledgements of one pipeline client to the registry. libbeat calls AddEvent from the publishing
// worker, and ACKEvents from the goroutine of its queue.
type ackListener struct {
	beat.EventListener
	counters *counters
	failures *failures
}

func newAckListener(registry *inflight.Registry, counters *counters, failures *failures) *ackListener {
	return &ackListener{
		// The first argument is len(data): the reporter gets no dropped event. The events are counted after their batches are
		// resolved, because only Ack knows which count. A scrape right after the answer may lack them.
		EventListener: acker.EventPrivateReporter(func(_ int, data []any) {
			counted, rejected := registry.Ack(data)
			if delivered := counted - rejected; delivered > 0 {
				counters.ack(delivered)
			}
			if rejected > 0 {
				counters.rejected.Add(float64(rejected))
			}
		}),
		counters: counters,
		failures: failures,
	}
}

// AddEvent notes on an event whether the output will acknowledge it, or a processor has dropped it or failed on it. The embedded
// reporter gets no dropped event: it would keep the event until the output acknowledges a neighbor, and reports only the number
// of filtered events.
func (l *ackListener) AddEvent(event beat.Event, published bool) {
	e, ours := event.Private.(*inflight.EventAck)
	switch {
	case ours && published:
		e.ReachOutput()
	case ours:
		l.unpublished(e)
	}
	if published {
		l.EventListener.AddEvent(event, published)
	}
}

// unpublished ends an event that the processors have not let through. Only Filter can end in a 200. The event is counted before
// the batch is answered: a scrape after the answer includes it.
func (l *ackListener) unpublished(e *inflight.EventAck) {
	failure := e.Failure()
	if failure == nil {
		l.counters.filtered.Inc()
		e.Filter()
		return
	}
	l.counters.processorFailures.Inc(failure.Processor)
	l.failures.add(failure.Processor)
	e.Drop(failure)
}

// dropListener gets the events that a closing pipeline refuses.
type dropListener struct{ counters *counters }

// DroppedOnPublish fails the event's batches at once: no acknowledgement will follow.
func (l dropListener) DroppedOnPublish(event beat.Event) {
	if e, ok := event.Private.(*inflight.EventAck); ok {
		l.counters.dropped.Inc()
		e.Drop(inflight.ErrDropped)
	}
}

func (dropListener) Closing()   {}
func (dropListener) Closed()    {}
func (dropListener) NewEvent()  {}
func (dropListener) Filtered()  {}
func (dropListener) Published() {}
