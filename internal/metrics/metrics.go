// Package metrics holds every metric of rtbeat: names, help and labels in one place, made for one instance on a
// registry that is passed in. docs/metrics.md lists them; a test holds the two together.
package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics is what the rooms along the walk report to. Its methods are safe for use from any goroutine.
type Metrics struct {
	registry *prometheus.Registry

	batches   prometheus.Counter
	messages  prometheus.Counter
	acks      prometheus.Counter
	lastAck   prometheus.Gauge
	bytes     prometheus.Counter
	requests  prometheus.Gauge
	answers   *prometheus.CounterVec
	ackTime   prometheus.Histogram
	filtered  prometheus.Counter
	withdrawn prometheus.Counter
	dropped   prometheus.Counter
	asStrings prometheus.Counter

	joinedInFlight  prometheus.Counter
	joinedDelivered prometheus.Counter
}

// InFlight is where the gauges of what is in flight look when they are scraped.
type InFlight struct {
	Bytes      func() int64
	BytesLimit func() int64
	Events     func() int
	Queued     func() int // batches that wait for a publishing worker

	Entries      func() int // delivered messages that are known
	EntriesLimit func() int
	Stalled      func() (age time.Duration, stalled bool)

	Connections      func() int // open
	ConnectionsLimit func() int
	Displaced        func() uint64 // connections that made room for another one
}

// New registers all metrics on registry, with those of the Go runtime and the process.
// ackMode is what an acknowledgement means: delivered or persisted.
func New(registry *prometheus.Registry, inFlight InFlight, ackMode string) *Metrics {
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	factory := promauto.With(registry)
	counter := func(name, help string) prometheus.Counter {
		return factory.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return factory.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	gaugeFunc := func(name, help string, value func() float64) {
		factory.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}

	gaugeFunc("rtbeat_in_flight_bytes", "Bytes of bodies taken in and not yet acknowledged by the output or withdrawn.",
		func() float64 { return float64(inFlight.Bytes()) })
	gaugeFunc("rtbeat_in_flight_bytes_limit", "The limit of rtbeat_in_flight_bytes (max_in_flight_bytes).",
		func() float64 { return float64(inFlight.BytesLimit()) })
	gaugeFunc("rtbeat_in_flight_events", "Events handed to the pipeline and not yet acknowledged by the output.",
		func() float64 { return float64(inFlight.Events()) })
	gaugeFunc("rtbeat_publish_queue_batches", "Batches that wait for a publishing worker.",
		func() float64 { return float64(inFlight.Queued()) })
	gaugeFunc("rtbeat_dedupe_entries", "Delivered messages by which retries are known, within dedupe.window.",
		func() float64 { return float64(inFlight.Entries()) })
	gaugeFunc("rtbeat_dedupe_entries_limit", "The limit of rtbeat_dedupe_entries (dedupe.max_entries).",
		func() float64 { return float64(inFlight.EntriesLimit()) })
	gaugeFunc("rtbeat_connections", "Open connections of senders.",
		func() float64 { return float64(inFlight.Connections()) })
	gaugeFunc("rtbeat_connections_limit", "The limit of rtbeat_connections (max_connections, and the files that may be open).",
		func() float64 { return float64(inFlight.ConnectionsLimit()) })
	factory.NewCounterFunc(prometheus.CounterOpts{
		Name: "rtbeat_connections_displaced_total",
		Help: "Connections that were closed, idle or with an incomplete request, to make room for another one.",
	}, func() float64 { return float64(inFlight.Displaced()) })
	gaugeFunc("rtbeat_output_stalled", "1 while the output counts as stalled (stall_after), else 0.",
		func() float64 { _, stalled := inFlight.Stalled(); return number(stalled) })
	gaugeFunc("rtbeat_output_no_ack_seconds", "How long the output has acknowledged nothing of what it has; 0 while it has nothing.",
		func() float64 { age, _ := inFlight.Stalled(); return age.Seconds() })
	for _, mode := range []string{"delivered", "persisted"} {
		factory.NewGauge(prometheus.GaugeOpts{
			Name:        "rtbeat_ack_mode",
			Help:        "1 for what an acknowledgement of the output means: delivered, or persisted on the local disk (queue.disk).",
			ConstLabels: prometheus.Labels{"mode": mode},
		}).Set(number(mode == ackMode))
	}
	coalesced := factory.NewCounterVec(prometheus.CounterOpts{
		Name: "rtbeat_messages_coalesced_total",
		Help: "Messages that were not published again: joined to what is in flight, or delivered before.",
	}, []string{"state"})

	return &Metrics{
		registry: registry,
		// The four names of the first rtbeat stay, although counters would end in _total today.
		batches:  counter("rtbeat_batches_received", "Batches decoded."),
		messages: counter("rtbeat_messages_parsed", "Messages in the batches decoded."),
		acks:     counter("rtbeat_acks_received", "Events acknowledged by the output."),
		lastAck:  gauge("rtbeat_current_acks", "Events in the newest acknowledgement of the output."),

		bytes:    counter("rtbeat_received_bytes_total", "Bytes of request bodies read."),
		requests: gauge("rtbeat_in_flight_requests", "Requests to /in that are being served."),
		answers: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "rtbeat_answers_total",
			Help: "Answers by status code and reason.",
		}, []string{"code", "reason"}),
		ackTime: factory.NewHistogram(prometheus.HistogramOpts{
			Name: "rtbeat_ack_duration_seconds",
			Help: "Time from the end of a body to the last acknowledgement of its batch, for batches answered 200.",
			// Dense around the default timeout of 5 s, where 200 turns into 504.
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 3, 4, 5, 7.5, 10, 15, 30, 60},
		}),
		filtered:  counter("rtbeat_events_filtered_total", "Events that a processor dropped, answered as filtered."),
		withdrawn: counter("rtbeat_events_withdrawn_total", "Messages taken back before the pipeline had them, because their sender was answered."),
		dropped:   counter("rtbeat_events_dropped_total", "Events that never entered the pipeline: a processor failed badly, or the pipeline was closing."),
		asStrings: counter("rtbeat_numbers_as_strings_total", "Numbers kept as strings of their exact digits, because no 64-bit number holds them."),

		joinedInFlight:  coalesced.WithLabelValues("in_flight"),
		joinedDelivered: coalesced.WithLabelValues("delivered"),
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Handler serves the registry in the Prometheus text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// Request counts a request in; the function that it returns counts it out.
func (m *Metrics) Request() (done func()) {
	m.requests.Inc()
	return m.requests.Dec
}

// Batch counts a decoded batch.
func (m *Metrics) Batch(messages, numbersAsStrings int) {
	m.batches.Inc()
	m.messages.Add(float64(messages))
	m.asStrings.Add(float64(numbersAsStrings))
}

// Read counts bytes of a body.
func (m *Metrics) Read(bytes int) { m.bytes.Add(float64(bytes)) }

// Expect makes the series of an answer before it is first given, so that its first increase is seen.
func (m *Metrics) Expect(code int, reason string) {
	m.answers.WithLabelValues(strconv.Itoa(code), reason)
}

// Answer counts an answer. code is the HTTP status, 499 when the client had left; reason is one of the few words
// of the outcome table, so that the number of series stays bounded.
func (m *Metrics) Answer(code int, reason string) {
	m.answers.WithLabelValues(strconv.Itoa(code), reason).Inc()
}

// Delivered records how long a batch that is answered 200 took.
func (m *Metrics) Delivered(after time.Duration) { m.ackTime.Observe(after.Seconds()) }

// Acks counts events in one acknowledgement of the output.
func (m *Metrics) Acks(events int) {
	m.acks.Add(float64(events))
	m.lastAck.Set(float64(events))
}

// Filtered counts an event that a processor dropped.
func (m *Metrics) Filtered() { m.filtered.Inc() }

// Coalesced counts messages that were in flight, or delivered, when they came again.
func (m *Metrics) Coalesced(inFlight, delivered int) {
	m.joinedInFlight.Add(float64(inFlight))
	m.joinedDelivered.Add(float64(delivered))
}

// Withdrawn counts messages that were taken back.
func (m *Metrics) Withdrawn(messages int) { m.withdrawn.Add(float64(messages)) }

// Dropped counts an event that never entered the pipeline.
func (m *Metrics) Dropped() { m.dropped.Inc() }
