package publish

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/txn2/rtbeat/internal/metrics"
)

type counters struct {
	wait              prometheus.Histogram
	filtered          prometheus.Counter
	timestampFailures metrics.CounterBy
	processorFailures metrics.CounterBy
	dropped           prometheus.Counter
	rejected          prometheus.Counter
	acked             prometheus.Counter
	lastAck           prometheus.Gauge
	lastAckTime       prometheus.Gauge
}

func newCounters(r *metrics.Registry, settings Settings) *counters {
	queue, output := r.Section("queue"), r.Section("output")
	c := &counters{
		wait: queue.Histogram(metrics.Declaration{
			Name:   "rtbeat_publish_wait_seconds",
			Help:   "Time from a batch's entry into the queue of the workers until a worker takes it.",
			More:   "Once for each batch that a worker has taken.",
			Moves:  "Long waits: the queue is full, or processors are slow. It is a part of `rtbeat_ack_duration_seconds`.",
			Bounds: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}),
		timestampFailures: queue.CounterBy(metrics.Declaration{
			Name: "rtbeat_timestamp_failures_total", Labels: []string{"source"},
			Help:  "Events that have the time of receipt, because the time in their message is missing or cannot be read.",
			More:  "One series for each source with `timestamp.field`; `other` is a stored batch of another source. A retry counts again.",
			Moves: "A sender writes its time in another format: see the setting `timestamp.formats`.",
		}, sourcesWithTime(settings)),
		filtered: queue.Counter(metrics.Declaration{
			Name:  "rtbeat_events_filtered_total",
			Help:  "Events that a processor dropped; the answer counts them as filtered.",
			More:  "A retry runs the processors again, and counts again.",
			Moves: "Expected where a processor drops events.",
		}),
		processorFailures: queue.CounterBy(metrics.Declaration{
			Name: "rtbeat_processor_failures_total", Labels: []string{"processor"},
			Help:  "Events that a processor failed on. Their batches get 500 processor_failed, or are retried in durable mode.",
			More:  "One series for each processor of the configuration. A panic counts in `rtbeat_events_dropped_total` instead. A retry counts again.",
			Moves: "Above zero: the log names the processor, and libbeat's line `Failed to publish event` has the cause. [Alert](runbooks.md#rtbeatinternalerrors).",
		}, settings.Processors),
		dropped: queue.Counter(metrics.Declaration{
			Name:  "rtbeat_events_dropped_total",
			Help:  "Events that never entered the pipeline: a processor panicked, or the pipeline was closing.",
			More:  "Their batches get 500, or 503 while rtbeat stops. In durable mode rtbeat retries them.",
			Moves: "Except at a shutdown, look for `panic in a processor` in the log.",
		}),
		rejected: queue.Counter(metrics.Declaration{
			Name:  "rtbeat_events_rejected_total",
			Help:  "Events that the output gave up. Their batches get 502 output_rejected, or are retried in durable mode.",
			More:  "Not counted in `rtbeat_events_acked_total`. A retry counts again.",
			Moves: "Above zero: the log has the output's reason. [outputs.md](outputs.md#what-an-output-gives-up) has the causes.",
		}),
		acked: output.Counter(metrics.Declaration{
			Name:  "rtbeat_events_acked_total",
			Help:  "Events acknowledged by the output.",
			More:  "Events of batches with a 504 count, too.",
			Moves: "Flat while `rtbeat_in_flight_events` is above zero: the output is down or stalled. A stalled Logstash reports no error; this is the only sign.",
		}),
		lastAck: output.Gauge(metrics.Declaration{
			Name:  "rtbeat_current_acks",
			Help:  "Events in the last acknowledgement of the output.",
			Moves: "The size of the windows, not the load.",
		}),
		lastAckTime: output.Gauge(metrics.Declaration{
			Name:  "rtbeat_last_ack_timestamp_seconds",
			Help:  "Time of the output's last acknowledgement, in Unix time; 0 without one.",
			Moves: "It also stays the same without load; `rtbeat_output_no_ack_seconds` is 0 then.",
		}),
	}
	output.RenamedCounter(metrics.Declaration{
		Name:  "rtbeat_acks_received",
		Help:  "rtbeat_events_acked_total under its old name.",
		Moves: "Kept for dashboards of the first rtbeat.",
	}, func() float64 { return metrics.Value(c.acked) })
	return c
}

// sourcesWithTime are the names of the sources whose events have the time of the message.
func sourcesWithTime(s Settings) (names []string) {
	for name, form := range s.Forms {
		if form.HasTime() {
			names = append(names, name)
		}
	}
	if s.Form != nil && s.Form.HasTime() {
		names = append(names, "other")
	}
	return names
}

func (c *counters) ack(events int) {
	c.acked.Add(float64(events))
	c.lastAck.Set(float64(events))
	c.lastAckTime.SetToCurrentTime()
}

// Counts are the values of the publisher's counters, for the status page.
type Counts struct {
	Acked, Filtered, Dropped float64 // events
	LastAck                  float64 // in Unix time; 0 before the first
}

// Counts returns the values of the counters. It may be called from any goroutine.
func (p *Publisher) Counts() Counts {
	c := p.counters
	return Counts{metrics.Value(c.acked), metrics.Value(c.filtered), metrics.Value(c.dropped), metrics.Value(c.lastAckTime)}
}
