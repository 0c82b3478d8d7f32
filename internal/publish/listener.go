package publish

import (
	"time"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/common/acker"

	"github.com/txn2/rtbeat/internal/inflight"
)

// Metrics is what publishing reports.
type Metrics interface {
	// Acks counts events in one acknowledgement of the output.
	Acks(events int)
	// Rejected counts events that the output gave up.
	Rejected(events int)
	// Filtered counts an event that a processor dropped.
	Filtered()
	// ProcessorFailed counts an event that a processor failed on. processor is its name in the configuration.
	ProcessorFailed(processor string)
	// Dropped counts an event that never entered the pipeline.
	Dropped()
	// Waited records how long a batch was in line, until its first message was handed over.
	Waited(inLine time.Duration)
}

// ackListener brings the acknowledgements of one pipeline client back to the registry. libbeat calls AddEvent from
// the publishing worker and ACKEvents from the goroutine of the queue.
type ackListener struct {
	beat.EventListener
	metrics  Metrics
	failures *failures
}

func newAckListener(registry *inflight.Registry, metrics Metrics, failures *failures) *ackListener {
	return &ackListener{
		EventListener: acker.EventPrivateReporter(func(acked int, data []any) {
			counted, rejected := registry.Ack(data)
			if counted > 0 && acked > rejected {
				metrics.Acks(acked - rejected)
			}
			if rejected > 0 {
				metrics.Rejected(rejected)
			}
		}),
		metrics:  metrics,
		failures: failures,
	}
}

// AddEvent tells an event whether the output is to acknowledge it, or a processor has dropped it or failed on it. The
// reporter does not hear of a dropped event. It would keep the event until the output acknowledges a neighbor, without a
// limit, and its count of filtered events (len(data) - acked) does not tell them apart.
func (l *ackListener) AddEvent(event beat.Event, published bool) {
	e, ours := event.Private.(*inflight.EventAck)
	if !published {
		if ours {
			l.unpublished(e)
		}
		return
	}
	if ours {
		e.Enter()
	}
	l.EventListener.AddEvent(event, published)
}

// unpublished ends an event of which the processors left nothing. Only Filter can end in a 200. The event is counted
// before the batch is answered: a scrape after the answer includes it.
func (l *ackListener) unpublished(e *inflight.EventAck) {
	failure := e.Failure()
	if failure == nil {
		l.metrics.Filtered()
		e.Filter()
		return
	}
	l.metrics.ProcessorFailed(failure.Processor)
	l.failures.add(failure.Processor)
	e.Drop(failure)
}

// dropListener hears of events that a closing pipeline refuses. All other calls are of no interest here.
type dropListener struct {
	metrics Metrics
}

// DroppedOnPublish fails the event's batches at once, for no acknowledgement will ever come.
func (l dropListener) DroppedOnPublish(event beat.Event) {
	if e, ok := event.Private.(*inflight.EventAck); ok {
		l.metrics.Dropped()
		e.Drop(inflight.ErrDropped)
	}
}

func (dropListener) Closing()   {}
func (dropListener) Closed()    {}
func (dropListener) NewEvent()  {}
func (dropListener) Filtered()  {}
func (dropListener) Published() {}
