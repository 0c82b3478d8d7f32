package intake

import (
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/metrics"
)

// counters are the metrics that the intake counts.
type counters struct {
	requests  prometheus.Gauge
	bytes     prometheus.Counter
	batches   prometheus.Counter
	messages  prometheus.Counter
	asStrings prometheus.Counter
	withdrawn prometheus.Counter

	dedupedInFlight  prometheus.Counter
	dedupedDelivered prometheus.Counter

	answers     [len(outcomes)]prometheus.Counter // nil for answers of health
	ackDuration prometheus.Histogram

	decodeFailures    metrics.CounterBy
	authFailures      metrics.CounterBy
	handshakeFailures metrics.CounterBy
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

func newCounters(r *metrics.Registry) *counters {
	senders, intake := r.Section(sectionSenders), r.Section(sectionIntake)
	c := &counters{
		handshakeFailures: senders.CounterBy(metrics.Declaration{
			Name: "rtbeat_tls_handshake_failures_total", Labels: []string{"reason"},
			Help: "TLS handshakes that failed, by reason.",
			More: "`closed`: the connection ended or was reset, as with a port scan or a probe of a load balancer; it is not logged as a warning. `timeout`: it took longer than `read_timeout`. " +
				"`not_tls`: plain HTTP, or something else. `no_certificate`: the sender presented none, and one is required. `bad_certificate`: the sender's certificate is expired, " +
				"or its authority is not trusted. `rejected_by_peer`: the sender does not trust rtbeat's certificate. `protocol`: no version or cipher suite in common, or broken records. " +
				"`other`: the log has the text. Zero without TLS.",
			Moves: "`rejected_by_peer` after a renewal: the new certificate, or its chain, is not what senders trust. `bad_certificate`: a sender's certificate expired.",
		}, handshakeReasons),
		authFailures: senders.CounterBy(metrics.Declaration{
			Name: "rtbeat_auth_failures_total", Labels: []string{"reason"},
			Help: "Requests that rtbeat refused because of their credentials, by reason.",
			More: "401: `missing`, `repeated_header`, `bad_scheme`, `bad_authorization`, `wrong_token`, `wrong_login`, `bad_signature`, `bad_timestamp`, `stale_timestamp`, " +
				"`wrong_signature`. 403: `no_certificate`, `name_not_allowed`. `not_checked` is a defect in rtbeat.",
			Moves: "`wrong_token`, `wrong_login`, `wrong_signature`: a sender has an old secret, or somebody tries. `stale_timestamp`: a clock is wrong.",
		}, auth.Details()),
		requests: intake.Gauge(metrics.Declaration{
			Name:  "rtbeat_in_flight_requests",
			Help:  "Open requests to /in.",
			More:  "Most of them wait for the acknowledgement.",
			Moves: "A plateau with `rtbeat_events_acked_total` flat: the output is stalled.",
		}),
		bytes: intake.Counter(metrics.Declaration{
			Name:  "rtbeat_received_bytes_total",
			Help:  "Bytes of request bodies read.",
			More:  "Refused bodies count, too.",
			Moves: "Its rate is the load.",
		}),
		decodeFailures: intake.CounterBy(metrics.Declaration{
			Name: "rtbeat_decode_failures_total", Labels: []string{"reason"},
			Help:  "Bodies that could not be decoded, by reason.",
			More:  "`" + strings.Join(decodeReasons(), "`, `") + "`: [http-api.md](http-api.md) says what each means.",
			Moves: "A sender is stuck: rtbeat will refuse the same bytes for ever. The log has its address.",
		}, decodeReasons()),
		batches: intake.Counter(metrics.Declaration{
			Name:  "rtbeat_batches_total",
			Help:  "Decoded batches.",
			More:  "Empty batches count, too.",
			Moves: "A rate that falls to zero: the senders are gone, or rtbeat refuses everything. See `rtbeat_answers_total`.",
		}),
		messages: intake.Counter(metrics.Declaration{
			Name: "rtbeat_messages_total",
			Help: "Messages in decoded batches.",
			More: "Retries count again.",
			Moves: "Subtract `rtbeat_messages_coalesced_total`, and compare with `rtbeat_events_acked_total`. A growing difference is messages that were withdrawn or refused, " +
				"or filtered events.",
		}),
		asStrings: intake.Counter(metrics.Declaration{
			Name:  "rtbeat_numbers_as_strings_total",
			Help:  "Numbers that became strings of their digits, because neither 64 bits nor a double hold them.",
			Moves: "A field that a store maps as a number sometimes gets a string. Change the sender, or map the field as a keyword.",
		}),
	}
	deduped := intake.CounterVec(metrics.Declaration{
		Name: "rtbeat_messages_coalesced_total", Labels: []string{"state"},
		Help:  "Deduped messages: in flight already, or delivered before. They are not published again.",
		More:  "`in_flight`: the message waits for its acknowledgement. `delivered`: it was delivered within `dedupe.window`.",
		Moves: "Grows with 504s, and with answers that senders did not receive. `delivered` alone: senders repeat messages after a 200.",
	})
	c.dedupedInFlight, c.dedupedDelivered = deduped.WithLabelValues("in_flight"), deduped.WithLabelValues("delivered")

	answers := intake.CounterVec(metrics.Declaration{
		Name: "rtbeat_answers_total", Labels: []string{"code", "reason"},
		Help: "Answers by status code and reason.",
		More: "[http-api.md](http-api.md) lists all of them. A 200 has the reason `delivered`; `499` `client_gone`: the sender left before its answer. " +
			"`/livez`, `/readyz` and `/metrics` are not counted.",
		Moves: "See [operations.md](operations.md#when-senders-are-refused), by reason.",
	})
	for i, o := range &outcomes {
		if !outcome(i).health() {
			c.answers[i] = answers.WithLabelValues(strconv.Itoa(o.status), o.reason)
		}
	}
	c.ackDuration = intake.Histogram(metrics.Declaration{
		Name:   "rtbeat_ack_duration_seconds",
		Help:   "Time from the end of a body to the last acknowledgement of its batch, for batches with a 200.",
		More:   "Empty batches do not count. In durable mode it ends when the batch is on the disk.",
		Moves:  "When the upper quantiles approach `rtbeat.timeout`, 504s follow. Look at Logstash first, or at the disk in durable mode.",
		Bounds: AckBounds,
	})
	intake.RenamedCounter(metrics.Declaration{
		Name:  "rtbeat_batches_received",
		Help:  "rtbeat_batches_total under its old name.",
		Moves: "Kept for dashboards of the first rtbeat.",
	}, c.batches)
	intake.RenamedCounter(metrics.Declaration{
		Name:  "rtbeat_messages_parsed",
		Help:  "rtbeat_messages_total under its old name.",
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
		More:  "`leaving` still takes batches for `shutdown_delay`, `draining` refuses them.",
		Moves: "`leaving` and `draining` follow the signal. With `admin.port` set, scrapes show them to the end.",
	}, phases[:], s.Phase)
}

// decodeReasons are the label values of rtbeat_decode_failures_total: the reasons of the decoder, and corrupt_encoding.
func decodeReasons() []string {
	reasons := []string{outcomes[corruptEncoding].reason}
	for reason := range bodyRefusals {
		reasons = append(reasons, string(reason))
	}
	slices.Sort(reasons)
	return reasons
}

// deduped counts messages that were not published, because they were in flight or delivered already.
func (c *counters) deduped(inFlight, delivered int) {
	c.dedupedInFlight.Add(float64(inFlight))
	c.dedupedDelivered.Add(float64(delivered))
}
