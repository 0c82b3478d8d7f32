package intake

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/txn2/rtbeat/internal/metrics"
)

// counters are the metrics that the intake counts.
type counters struct {
	requests          prometheus.Gauge
	asStrings         prometheus.Counter
	withdrawn         prometheus.Counter
	ackDuration       prometheus.Histogram
	handshakeFailures metrics.CounterBy

	sources []*sourceCounters // first the one of requests that reach no source
}

// Sections of docs/metrics.md.
const (
	sectionSenders  = "senders"
	sectionIntake   = "intake"
	sectionInFlight = "in flight"
	sectionOutput   = "output"
	sectionProcess  = "process"
)

// AckBounds are the upper bounds of the buckets of rtbeat_ack_duration_seconds. They are dense around the default timeout of
// 5 s, where 200 turns into 504.
var AckBounds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 3, 4, 5, 7.5, 10, 15, 30, 60}

func newCounters(r *metrics.Registry, sources []Source) *counters {
	senders, intake := r.Section(sectionSenders), r.Section(sectionIntake)
	c := new(counters)
	c.handshakeFailures = senders.CounterBy(metrics.Declaration{
		Name: "rtbeat_tls_handshake_failures_total", Labels: []string{"reason"},
		Help: "TLS handshakes that failed, by reason.",
		More: "`closed`: the connection ended or was reset, as with a port scan or a probe of a load balancer; it is not logged as a warning. `timeout`: it took longer than `read_timeout`. " +
			"`not_tls`: plain HTTP, or something else. `no_certificate`: the sender presented none, and one is required. `bad_certificate`: the sender's certificate is expired, " +
			"or its authority is not trusted. `rejected_by_peer`: the sender does not trust rtbeat's certificate. `protocol`: no version or cipher suite in common, or broken records. " +
			"`other`: the log has the text. Zero without TLS.",
		Moves: "`rejected_by_peer` after a renewal: the new certificate, or its chain, is not what senders trust. `bad_certificate`: a sender's certificate expired.",
	}, handshakeReasons)
	families := declareSources(r)
	c.sources = append(c.sources, families.nowhere(c))
	for _, source := range sources {
		c.sources = append(c.sources, families.of(c, source.Name))
	}
	c.requests = intake.Gauge(metrics.Declaration{
		Name:  "rtbeat_in_flight_requests",
		Help:  "Open requests to sources.",
		More:  "Most of them wait for the acknowledgement.",
		Moves: "A plateau with `rtbeat_events_acked_total` flat: the output is stalled.",
	})
	c.asStrings = intake.Counter(metrics.Declaration{
		Name:  "rtbeat_numbers_as_strings_total",
		Help:  "Numbers that became strings of their digits, because neither 64 bits nor a double hold them.",
		Moves: "A field that a store maps as a number sometimes gets a string. Change the sender, or map the field as a keyword.",
	})
	c.ackDuration = intake.Histogram(metrics.Declaration{
		Name:   "rtbeat_ack_duration_seconds",
		Help:   "Time from the end of a body to the last acknowledgement of its batch, for batches with a 200.",
		More:   "Empty batches do not count. In durable mode it ends when the batch is on the disk.",
		Moves:  "When the upper quantiles approach `rtbeat.timeout`, 504s follow. Look at Logstash first, or at the disk in durable mode.",
		Bounds: AckBounds,
	})
	intake.RenamedCounter(metrics.Declaration{
		Name:  "rtbeat_batches_received",
		Help:  "rtbeat_batches_total of all sources under its old name.",
		Moves: "Kept for dashboards of the first rtbeat.",
	}, c.batches)
	intake.RenamedCounter(metrics.Declaration{
		Name:  "rtbeat_messages_parsed",
		Help:  "rtbeat_messages_total of all sources under its old name.",
		Moves: "Kept for dashboards of the first rtbeat.",
	}, c.messages)
	c.withdrawn = r.Section(sectionInFlight).Counter(metrics.Declaration{
		Name:  "rtbeat_events_withdrawn_total",
		Help:  "Messages withdrawn before the pipeline had them, because their sender has its answer or is gone.",
		More:  "They are not delivered, and their retry makes no copy.",
		Moves: "Grows with 504s while the queue is full.",
	})
	return c
}

// registerGauges registers the metrics that a scrape reads from the server and its settings.
func (s *Server) registerGauges(r *metrics.Registry) {
	r.Section(sectionIntake).GaugeFunc(metrics.Declaration{
		Name:  "rtbeat_in_flight_requests_limit",
		Help:  "Limit of open requests with few headers.",
		More:  "Requests have a quarter of `max_in_flight_bytes`, at 2 KiB each, or more with many headers.",
		Moves: "At the limit rtbeat answers 503 `in_flight_limit`.",
	}, func() float64 { return float64(s.RequestsLimit()) })
	r.Section(sectionIntake).Gauge(metrics.Declaration{
		Name:  "rtbeat_timeout_seconds",
		Help:  "How long a batch waits for its acknowledgement before rtbeat answers 504 (timeout).",
		Moves: "Never while the process lives. Compare the quantiles of `rtbeat_ack_duration_seconds` with it, not with a number.",
	}).Set(s.handler.Timeout.Seconds())
	r.Section(sectionOutput).OneOf(metrics.Declaration{
		Name: "rtbeat_ack_mode", Labels: []string{"mode"},
		Help:  "1 for the meaning of a 200: delivered by the output, processed by an unconfirmed output, or persisted in the queue on disk (durable mode).",
		Moves: "Never while the process lives.",
	}, []string{string(Delivered), string(Processed), string(Persisted)}, func() string { return string(s.handler.Ack) })
	r.Section(sectionProcess).OneOf(metrics.Declaration{
		Name: "rtbeat_phase", Labels: []string{"phase"},
		Help:  "1 for the phase of rtbeat: starting, serving, leaving, draining.",
		More:  "`leaving` still accepts connections for `shutdown_delay`. `draining` serves the open ones, and ends idle ones.",
		Moves: "`leaving` and `draining` follow the signal. With `admin.port` set, scrapes show them to the end.",
	}, phases[:], s.Phase)
}
