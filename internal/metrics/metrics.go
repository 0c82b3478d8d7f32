// Package metrics holds every metric of rtbeat: names, types, labels, help and what to make of them in one place, made for
// one instance on a registry that is passed in. docs/metrics.md is generated from the declarations.
package metrics

import (
	"net/http"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics is what the rooms along the walk report to. Its methods are safe for use from any goroutine.
type Metrics struct {
	registry *prometheus.Registry

	batches   twin
	messages  twin
	acks      twin
	lastAck   prometheus.Gauge
	lastAckAt prometheus.Gauge
	bytes     prometheus.Counter
	requests  prometheus.Gauge
	answers   *prometheus.CounterVec
	ackTime   prometheus.Histogram
	wait      prometheus.Histogram
	filtered  prometheus.Counter
	withdrawn prometheus.Counter
	dropped   prometheus.Counter
	rejected  prometheus.Counter
	asStrings prometheus.Counter

	joinedInFlight  prometheus.Counter
	joinedDelivered prometheus.Counter

	undecodable words
	unwelcome   words
	handshakes  words
	reloads     words
	failures    words // of processors
}

// Sources are where the gauges look when they are scraped. All but OnDisk, Expiry and Libbeat must be set. They are called from
// any goroutine, and by several scrapes at once.
type Sources struct {
	Bytes         func() int64
	BytesLimit    func() int64
	High          func() bool // whether the bytes are near their limit, as /readyz has it
	Events        func() int
	Oldest        func() time.Duration // the age of the oldest event that the output owes
	Queued        func() int           // batches that wait for a publishing worker
	RequestsLimit func() int
	Timeout       time.Duration // of the wait for the acknowledgement

	Entries      func() int // delivered messages that are known
	EntriesLimit func() int
	Stalled      func() (age time.Duration, stalled bool)
	Repeats      func() int // how often the output sent the same window again, with no acknowledgement in between

	Connections      func() int // open
	ConnectionsLimit func() int
	Displaced        func() uint64    // connections that made room for another one
	Expiry           func() time.Time // of the certificate; nil without TLS

	OnDisk func() OnDisk // the queue on disk; nil in memory mode

	Phase func() string // one of Words.Phases
	// Libbeat is a number of libbeat's by its path, and whether there is one; nil where there is none at all.
	Libbeat func(path string) (value float64, ok bool)
}

// Words are all values of the labels that stand for what happened. Others are counted as "other".
type Words struct {
	AckModes   []string
	Phases     []string
	Decode     []string // why a body is no batch
	Auth       []string // why credentials are refused
	Handshakes []string // why a TLS handshake failed
	Reloads    []string // how reading certificates and secrets again ended
	Processors []string // in the configuration
}

// Build is what the program was made of.
type Build struct {
	Version, Commit string // rtbeat's
	Libbeat         string // its version
}

// New registers all metrics on registry, with those of the Go runtime and the process. ackMode is what an acknowledgement
// means, one of Words.AckModes.
func New(registry *prometheus.Registry, sources Sources, labels Words, build Build, ackMode string) *Metrics {
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	b := builder{newDeclared(), promauto.With(registry)}
	b.sources(registry, sources, labels)
	b.gaugeVec("rtbeat_build_info").WithLabelValues(build.Version, build.Commit, build.Libbeat, runtime.Version()).Set(1)
	mode := b.gaugeVec("rtbeat_ack_mode")
	for _, word := range labels.AckModes {
		mode.WithLabelValues(word).Set(number(word == ackMode))
	}
	b.gauge("rtbeat_timeout_seconds").Set(sources.Timeout.Seconds())
	coalesced := b.counterVec("rtbeat_messages_coalesced_total")

	m := &Metrics{
		registry:  registry,
		lastAck:   b.gauge("rtbeat_current_acks"),
		lastAckAt: b.gauge("rtbeat_last_ack_timestamp_seconds"),
		bytes:     b.counter("rtbeat_received_bytes_total"),
		requests:  b.gauge("rtbeat_in_flight_requests"),
		answers:   b.counterVec("rtbeat_answers_total"),
		ackTime:   b.histogram("rtbeat_ack_duration_seconds"),
		wait:      b.histogram("rtbeat_publish_wait_seconds"),
		filtered:  b.counter("rtbeat_events_filtered_total"),
		withdrawn: b.counter("rtbeat_events_withdrawn_total"),
		dropped:   b.counter("rtbeat_events_dropped_total"),
		rejected:  b.counter("rtbeat_events_rejected_total"),
		asStrings: b.counter("rtbeat_numbers_as_strings_total"),

		joinedInFlight:  coalesced.WithLabelValues("in_flight"),
		joinedDelivered: coalesced.WithLabelValues("delivered"),

		undecodable: b.words("rtbeat_decode_failures_total", labels.Decode),
		unwelcome:   b.words("rtbeat_auth_failures_total", labels.Auth),
		handshakes:  b.words("rtbeat_tls_handshake_failures_total", labels.Handshakes),
		reloads:     b.words("rtbeat_reloads_total", labels.Reloads),
		failures:    b.words("rtbeat_processor_failures_total", labels.Processors),
	}
	b.twin("rtbeat_batches_total", "rtbeat_batches_received", &m.batches)
	b.twin("rtbeat_messages_total", "rtbeat_messages_parsed", &m.messages)
	b.twin("rtbeat_events_acked_total", "rtbeat_acks_received", &m.acks)
	return m
}

// sources registers what is looked up when it is scraped.
func (b builder) sources(registry *prometheus.Registry, s Sources, labels Words) {
	b.gaugeFunc("rtbeat_in_flight_bytes", func() float64 { return float64(s.Bytes()) })
	b.gaugeFunc("rtbeat_in_flight_bytes_limit", func() float64 { return float64(s.BytesLimit()) })
	b.gaugeFunc("rtbeat_in_flight_high", func() float64 { return number(s.High()) })
	b.gaugeFunc("rtbeat_in_flight_events", func() float64 { return float64(s.Events()) })
	b.gaugeFunc("rtbeat_in_flight_requests_limit", func() float64 { return float64(s.RequestsLimit()) })
	b.gaugeFunc("rtbeat_oldest_unacknowledged_seconds", func() float64 { return s.Oldest().Seconds() })
	b.gaugeFunc("rtbeat_publish_queue_batches", func() float64 { return float64(s.Queued()) })
	b.gaugeFunc("rtbeat_dedupe_entries", func() float64 { return float64(s.Entries()) })
	b.gaugeFunc("rtbeat_dedupe_entries_limit", func() float64 { return float64(s.EntriesLimit()) })
	b.gaugeFunc("rtbeat_connections", func() float64 { return float64(s.Connections()) })
	b.gaugeFunc("rtbeat_connections_limit", func() float64 { return float64(s.ConnectionsLimit()) })
	b.counterFunc("rtbeat_connections_displaced_total", func() float64 { return float64(s.Displaced()) })
	b.gaugeFunc("rtbeat_output_stalled", func() float64 { _, stalled := s.Stalled(); return number(stalled) })
	b.gaugeFunc("rtbeat_output_no_ack_seconds", func() float64 { age, _ := s.Stalled(); return age.Seconds() })
	b.gaugeFunc("rtbeat_output_window_repeats", func() float64 { return float64(s.Repeats()) })
	if s.OnDisk != nil {
		registry.MustRegister(newOnDisk(b.declared, s.OnDisk))
	}
	if s.Expiry != nil {
		b.gaugeFunc("rtbeat_tls_certificate_expiry_timestamp_seconds", func() float64 { return float64(s.Expiry().Unix()) })
	}
	registry.MustRegister(&oneOf{desc: b.the("rtbeat_phase", Gauge).desc(), words: labels.Phases, now: s.Phase})
	if s.Libbeat != nil {
		registry.MustRegister(newLibbeat(b.declared, s.Libbeat))
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// twin is a counter that the scrape shows twice: as what it is, and under the name that it had before counters ended in
// _total, without a type, for OpenMetrics knows no counter of such a name.
type twin struct{ n atomic.Uint64 }

func (t *twin) value() float64 { return float64(t.n.Load()) }

func (b builder) twin(name, old string, t *twin) {
	b.counterFunc(name, t.value)
	b.untypedFunc(old, t.value)
}

// words are counters by a word out of a few.
type words map[string]prometheus.Counter

// other is what a word counts as that is none of the few.
const other = "other"

// words makes a counter with one label, and its series for each word, so that the first increase is seen.
func (b builder) words(name string, few []string) words {
	vec := b.counterVec(name)
	w := make(words, len(few))
	for _, word := range few {
		w[word] = vec.WithLabelValues(word)
	}
	return w
}

func (w words) count(word string) {
	c, ok := w[word]
	if !ok {
		c, ok = w[other]
	}
	if ok {
		c.Inc()
	}
}

// maxScrapes is how many requests for the metrics are served at once. Each takes some 250 KB while it is, which nothing
// else counts: on the port of the senders, whoever reaches it may ask, with each stream of an HTTP/2 connection. It is the
// number of connections to the admin listener, where it is never reached.
const maxScrapes = 64

// Handler serves the registry in the Prometheus text format, or as protobuf with native histograms, or as OpenMetrics, as
// the request asks for. More than maxScrapes requests at once are answered 503.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		Registry: m.registry, EnableOpenMetrics: true, MaxRequestsInFlight: maxScrapes,
	})
}

// Request counts a request in; the function that it returns counts it out.
func (m *Metrics) Request() (done func()) {
	m.requests.Inc()
	return m.requests.Dec
}

// Batch counts a decoded batch.
func (m *Metrics) Batch(messages, numbersAsStrings int) {
	m.batches.n.Add(1)
	m.messages.n.Add(uint64(messages)) //nolint:gosec // it is a length
	m.asStrings.Add(float64(numbersAsStrings))
}

// Read counts bytes of a body.
func (m *Metrics) Read(bytes int) { m.bytes.Add(float64(bytes)) }

// Undecodable counts a body that is no batch.
func (m *Metrics) Undecodable(reason string) { m.undecodable.count(reason) }

// Unwelcome counts a request whose credentials were refused.
func (m *Metrics) Unwelcome(reason string) { m.unwelcome.count(reason) }

// Handshake counts a TLS handshake that failed.
func (m *Metrics) Handshake(reason string) { m.handshakes.count(reason) }

// Reload counts an attempt to read certificates and secrets again.
func (m *Metrics) Reload(result string) { m.reloads.count(result) }

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

// Waited records how long a batch was in line, until its first message was handed over.
func (m *Metrics) Waited(inLine time.Duration) { m.wait.Observe(inLine.Seconds()) }

// Acks counts events in one acknowledgement of the output.
func (m *Metrics) Acks(events int) {
	m.acks.n.Add(uint64(events)) //nolint:gosec // it is a length
	m.lastAck.Set(float64(events))
	m.lastAckAt.SetToCurrentTime()
}

// Rejected counts events that the output gave up.
func (m *Metrics) Rejected(events int) { m.rejected.Add(float64(events)) }

// Filtered counts an event that a processor dropped.
func (m *Metrics) Filtered() { m.filtered.Inc() }

// ProcessorFailed counts an event that a processor failed on.
func (m *Metrics) ProcessorFailed(name string) { m.failures.count(name) }

// Coalesced counts messages that were in flight, or delivered, when they came again.
func (m *Metrics) Coalesced(inFlight, delivered int) {
	m.joinedInFlight.Add(float64(inFlight))
	m.joinedDelivered.Add(float64(delivered))
}

// Withdrawn counts messages that were taken back.
func (m *Metrics) Withdrawn(messages int) { m.withdrawn.Add(float64(messages)) }

// Dropped counts an event that never entered the pipeline.
func (m *Metrics) Dropped() { m.dropped.Inc() }
