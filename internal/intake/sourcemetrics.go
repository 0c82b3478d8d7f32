package intake

import (
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/metrics"
)

// sourceCounters are the metrics of one source, and those of all.
type sourceCounters struct {
	*counters
	source   string // empty for requests that reach no source; then it has answers only
	bytes    prometheus.Counter
	batches  prometheus.Counter
	messages prometheus.Counter

	dedupedInFlight  prometheus.Counter
	dedupedDelivered prometheus.Counter

	answers        [len(outcomes)]prometheus.Counter // nil for answers that it never gives
	decodeFailures metrics.CounterBy
	authFailures   metrics.CounterBy
	invalid        metrics.CounterBy // messages
}

// of returns the counters of a source.
func (c *counters) of(source string) *sourceCounters {
	return c.sources[slices.IndexFunc(c.sources, func(s *sourceCounters) bool { return s.source == source })]
}

// sum adds up a counter of all sources.
func (c *counters) sum(counter func(*sourceCounters) prometheus.Counter) (total float64) {
	for _, s := range c.sources[1:] {
		total += metrics.Value(counter(s))
	}
	return total
}

func (c *counters) batches() float64 {
	return c.sum(func(s *sourceCounters) prometheus.Counter { return s.batches })
}

func (c *counters) messages() float64 {
	return c.sum(func(s *sourceCounters) prometheus.Counter { return s.messages })
}

// deduped counts messages that were not published, because they were in flight or delivered already.
func (s *sourceCounters) deduped(inFlight, delivered int) {
	s.dedupedInFlight.Add(float64(inFlight))
	s.dedupedDelivered.Add(float64(delivered))
}

// sourceFamilies are the metrics with the label source.
type sourceFamilies struct {
	answers, authFailures, bytes, decodeFailures, batches, messages, invalid, deduped *prometheus.CounterVec
}

func declareSources(r *metrics.Registry) sourceFamilies {
	senders, intake := r.Section(sectionSenders), r.Section(sectionIntake)
	return sourceFamilies{
		authFailures: senders.CounterVec(metrics.Declaration{
			Name: "rtbeat_auth_failures_total", Labels: []string{"source", "reason"},
			Help: "Requests that rtbeat refused because of their credentials, by source and reason.",
			More: "401: `missing`, `repeated_header`, `bad_scheme`, `bad_authorization`, `wrong_token`, `wrong_login`, `bad_signature`, `bad_timestamp`, `bad_signed_header`, `stale_timestamp`, " +
				"`wrong_signature`. 403: `no_certificate`, `name_not_allowed`. `not_checked` is a defect in rtbeat.",
			Moves: "`wrong_token`, `wrong_login`, `wrong_signature`: a sender has an old secret, or somebody tries. `stale_timestamp`: a clock is wrong.",
		}),
		answers: intake.CounterVec(metrics.Declaration{
			Name: "rtbeat_answers_total", Labels: []string{"source", "code", "reason"},
			Help: "Answers by source, status code and reason.",
			More: "[http-api.md](http-api.md) lists all of them. A 200 has the reason `delivered`; `499` `client_gone`: the sender left before its answer. " +
				"`source` is empty for requests that reach no source. `/livez`, `/readyz` and `/metrics` are not counted.",
			Moves: "See [operations.md](operations.md#when-senders-are-refused), by reason.",
		}),
		bytes: intake.CounterVec(metrics.Declaration{
			Name: "rtbeat_received_bytes_total", Labels: []string{"source"},
			Help:  "Bytes of request bodies read, by source.",
			More:  "Refused bodies count, too.",
			Moves: "Its rate is the load.",
		}),
		decodeFailures: intake.CounterVec(metrics.Declaration{
			Name: "rtbeat_decode_failures_total", Labels: []string{"source", "reason"},
			Help:  "Bodies that could not be decoded, by source and reason.",
			More:  "`" + strings.Join(decodeReasons(), "`, `") + "`: [http-api.md](http-api.md) says what each means.",
			Moves: "A sender is stuck: rtbeat will refuse the same bytes for ever. The log has its address.",
		}),
		batches: intake.CounterVec(metrics.Declaration{
			Name: "rtbeat_batches_total", Labels: []string{"source"},
			Help:  "Decoded batches, by source.",
			More:  "Empty batches count, too.",
			Moves: "A rate that falls to zero: the senders are gone, or rtbeat refuses everything. See `rtbeat_answers_total`.",
		}),
		messages: intake.CounterVec(metrics.Declaration{
			Name: "rtbeat_messages_total", Labels: []string{"source"},
			Help: "Messages in decoded batches, by source.",
			More: "Retries count again.",
			Moves: "Subtract `rtbeat_messages_coalesced_total`, and compare with `rtbeat_events_acked_total`. A growing difference is messages that were withdrawn or refused, " +
				"or filtered events.",
		}),
		invalid: intake.CounterVec(metrics.Declaration{
			Name: "rtbeat_messages_invalid_total", Labels: []string{"source", "reason"},
			Help:  "Messages that are not valid and became events that say so, by source and reason.",
			More:  "Only with `on_invalid: event`. The reasons are those of `rtbeat_decode_failures_total` that one message may have. Such messages count in `rtbeat_messages_total`, too.",
			Moves: "A sender writes text that is no strict JSON. Its events have `error.message` and `event.original`.",
		}),
		deduped: intake.CounterVec(metrics.Declaration{
			Name: "rtbeat_messages_coalesced_total", Labels: []string{"source", "state"},
			Help:  "Deduped messages, by source: in flight already, or delivered before. They are not published again.",
			More:  "`in_flight`: the message waits for its acknowledgement. `delivered`: it was delivered within `dedupe.window`.",
			Moves: "Grows with 504s, and with answers that senders did not receive. `delivered` alone: senders repeat messages after a 200.",
		}),
	}
}

// of makes the series of a source.
func (f *sourceFamilies) of(c *counters, source string) *sourceCounters {
	s := &sourceCounters{
		counters: c, source: source,
		bytes: f.bytes.WithLabelValues(source), batches: f.batches.WithLabelValues(source), messages: f.messages.WithLabelValues(source),
		dedupedInFlight: f.deduped.WithLabelValues(source, "in_flight"), dedupedDelivered: f.deduped.WithLabelValues(source, "delivered"),
		decodeFailures: series(f.decodeFailures, source, decodeReasons()), authFailures: series(f.authFailures, source, auth.Details()),
		invalid: series(f.invalid, source, invalidReasons),
	}
	for o := range outcome(len(outcomes)) {
		if !o.health() && o != notFound && o != headerTimeout {
			s.answers[o] = f.answer(source, o)
		}
	}
	return s
}

// nowhere makes the series of requests that reach no source.
func (f *sourceFamilies) nowhere(c *counters) *sourceCounters {
	s := &sourceCounters{counters: c}
	for _, o := range []outcome{notFound, methodNotAllowed, headerTimeout, panicked} {
		s.answers[o] = f.answer("", o)
	}
	return s
}

func (f *sourceFamilies) answer(source string, o outcome) prometheus.Counter {
	return f.answers.WithLabelValues(source, strconv.Itoa(outcomes[o].status), outcomes[o].reason)
}

func series(vec *prometheus.CounterVec, source string, reasons []string) metrics.CounterBy {
	c := make(metrics.CounterBy, len(reasons))
	for _, reason := range reasons {
		c[reason] = vec.WithLabelValues(source, reason)
	}
	return c
}

// invalidReasons are the label values of rtbeat_messages_invalid_total: the reasons of the decoder that one message may have.
var invalidReasons = []string{
	string(batch.MalformedJSON), string(batch.TooDeep), string(batch.KeyTooLong), string(batch.StringTooLong), string(batch.WrongShape),
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
