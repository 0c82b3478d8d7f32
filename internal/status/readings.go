package status

import (
	"math"
	"regexp"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// reading is one number of a sample.
type reading int

const (
	receivedBytes reading = iota
	receivedBatches
	receivedMessages
	acked
	bytesInFlight
	bytesLimit
	inFlightHigh
	eventsInFlight
	eventsLimit
	requests
	requestsLimit
	connections
	connectionsLimit
	displaced
	batchesWaiting
	queueEvents
	queueLimit
	diskBatches
	diskBytes
	diskOldest
	diskFiles
	diskFilesLimit
	diskStored
	diskDelivered
	diskRetrying
	diskFull
	diskFailed
	dedupeEntries
	dedupeLimit
	joinedInFlight
	joinedDelivered
	filtered
	withdrawn
	dropped
	stalled
	noAckSeconds
	windowRepeats
	oldestSeconds
	lastAck
	outputRetried
	outputFailed
	outputDropped
	outputWriteErrors
	certificateExpiry
	memory
	readings // how many there are
)

// source is where a reading comes from: a metric, and the label that the series must have, if any.
type source struct {
	reading      reading
	label, value string
}

// sources are the metrics that are read, by name. Of two names for the same number either will do.
var sources = map[string][]source{
	"rtbeat_received_bytes_total":                     {{receivedBytes, "", ""}},
	"rtbeat_batches_received":                         {{receivedBatches, "", ""}},
	"rtbeat_batches_total":                            {{receivedBatches, "", ""}},
	"rtbeat_messages_parsed":                          {{receivedMessages, "", ""}},
	"rtbeat_messages_total":                           {{receivedMessages, "", ""}},
	"rtbeat_acks_received":                            {{acked, "", ""}},
	"rtbeat_events_acked_total":                       {{acked, "", ""}},
	"rtbeat_in_flight_bytes":                          {{bytesInFlight, "", ""}},
	"rtbeat_in_flight_bytes_limit":                    {{bytesLimit, "", ""}},
	"rtbeat_in_flight_high":                           {{inFlightHigh, "", ""}},
	"rtbeat_in_flight_events":                         {{eventsInFlight, "", ""}},
	"rtbeat_in_flight_events_limit":                   {{eventsLimit, "", ""}},
	"rtbeat_in_flight_requests":                       {{requests, "", ""}},
	"rtbeat_in_flight_requests_limit":                 {{requestsLimit, "", ""}},
	"rtbeat_connections":                              {{connections, "", ""}},
	"rtbeat_connections_limit":                        {{connectionsLimit, "", ""}},
	"rtbeat_connections_displaced_total":              {{displaced, "", ""}},
	"rtbeat_publish_queue_batches":                    {{batchesWaiting, "", ""}},
	"rtbeat_libbeat_queue_events":                     {{queueEvents, "", ""}},
	"rtbeat_libbeat_queue_events_limit":               {{queueLimit, "", ""}},
	"rtbeat_queue_batches":                            {{diskBatches, "", ""}},
	"rtbeat_queue_bytes":                              {{diskBytes, "", ""}},
	"rtbeat_queue_oldest_seconds":                     {{diskOldest, "", ""}},
	"rtbeat_queue_file_bytes":                         {{diskFiles, "", ""}},
	"rtbeat_queue_file_bytes_limit":                   {{diskFilesLimit, "", ""}},
	"rtbeat_queue_stored_bytes_total":                 {{diskStored, "", ""}},
	"rtbeat_queue_delivered_bytes_total":              {{diskDelivered, "", ""}},
	"rtbeat_queue_retrying_batches":                   {{diskRetrying, "", ""}},
	"rtbeat_queue_full":                               {{diskFull, "", ""}},
	"rtbeat_queue_failed":                             {{diskFailed, "", ""}},
	"rtbeat_dedupe_entries":                           {{dedupeEntries, "", ""}},
	"rtbeat_dedupe_entries_limit":                     {{dedupeLimit, "", ""}},
	"rtbeat_messages_coalesced_total":                 {{joinedInFlight, "state", "in_flight"}, {joinedDelivered, "state", "delivered"}},
	"rtbeat_events_filtered_total":                    {{filtered, "", ""}},
	"rtbeat_events_withdrawn_total":                   {{withdrawn, "", ""}},
	"rtbeat_events_dropped_total":                     {{dropped, "", ""}},
	"rtbeat_output_stalled":                           {{stalled, "", ""}},
	"rtbeat_output_no_ack_seconds":                    {{noAckSeconds, "", ""}},
	"rtbeat_output_window_repeats":                    {{windowRepeats, "", ""}},
	"rtbeat_oldest_unacknowledged_seconds":            {{oldestSeconds, "", ""}},
	"rtbeat_last_ack_timestamp_seconds":               {{lastAck, "", ""}},
	"rtbeat_libbeat_output_events_retried_total":      {{outputRetried, "", ""}},
	"rtbeat_libbeat_output_events_failed_total":       {{outputFailed, "", ""}},
	"rtbeat_libbeat_output_events_dropped_total":      {{outputDropped, "", ""}},
	"rtbeat_libbeat_output_write_errors_total":        {{outputWriteErrors, "", ""}},
	"rtbeat_tls_certificate_expiry_timestamp_seconds": {{certificateExpiry, "", ""}},
	"process_resident_memory_bytes":                   {{memory, "", ""}},
}

// ackHistogram is the one histogram that is read.
const ackHistogram = "rtbeat_ack_duration_seconds"

const (
	// maxErrors bounds the kinds of errors that are told apart. There are some forty.
	maxErrors = 64
	// maxBuckets bounds a histogram; one with more is not read.
	maxBuckets = 32
)

// sample is what the metrics were at a moment. What a metric did not say is NaN.
type sample struct {
	at     time.Time
	values [readings]float64
	errors [maxErrors]float64 // totals, by the place of their kind in recorder.kinds
	ack    [maxBuckets]uint64 // of ackHistogram, cumulative; the last one in use counts all
}

// kind is a kind of error: an answer that was no 200, or a failure that has a metric of its own.
type kind struct {
	what   string // answer, auth or tls
	code   string // of an answer
	reason string
}

// words are what the metrics say in labels.
type words struct {
	phase, ackMode                           string
	version, commit, libbeatVersion, runtime string
}

// errorMetrics are the metrics whose series are kinds of errors.
var errorMetrics = map[string]string{
	"rtbeat_answers_total":                "answer",
	"rtbeat_auth_failures_total":          "auth",
	"rtbeat_tls_handshake_failures_total": "tls",
}

// read makes a sample of what was gathered. It learns the kinds of errors and the bounds of the histogram as they come.
func (r *recorder) read(families []*dto.MetricFamily, at time.Time) *sample {
	s := &sample{at: at}
	for i := range s.values {
		s.values[i] = math.NaN()
	}
	for _, family := range families {
		name := family.GetName()
		if what, ok := errorMetrics[name]; ok {
			r.readErrors(s, what, family.GetMetric())
			continue
		}
		switch name {
		case ackHistogram:
			r.readAcks(s, family.GetMetric())
		case "rtbeat_phase":
			r.words.phase = oneOf(inForce(family.GetMetric(), "phase"), "starting", "serving", "leaving", "draining")
		case "rtbeat_ack_mode":
			r.words.ackMode = oneOf(inForce(family.GetMetric(), "mode"), "delivered", persisted)
		case "rtbeat_build_info":
			r.readBuild(family.GetMetric())
		default:
			for _, from := range sources[name] {
				for _, m := range family.GetMetric() {
					if from.label == "" || labelOf(m, from.label) == from.value {
						s.values[from.reading] = valueOf(m)
					}
				}
			}
		}
	}
	return s
}

func (r *recorder) readErrors(s *sample, what string, series []*dto.Metric) {
	for _, m := range series {
		total := valueOf(m)
		if !(total > 0) { // nor NaN
			continue
		}
		k := kind{what: what, code: word(labelOf(m, "code")), reason: word(labelOf(m, "reason"))}
		if k.code == "200" {
			continue
		}
		i := slices.Index(r.kinds, k)
		if i < 0 {
			if len(r.kinds) == maxErrors {
				continue
			}
			i = len(r.kinds)
			r.kinds = append(r.kinds, k)
		}
		s.errors[i] = total
	}
}

func (r *recorder) readAcks(s *sample, series []*dto.Metric) {
	if len(series) != 1 {
		return
	}
	h := series[0].GetHistogram()
	buckets := h.GetBucket()
	if len(buckets) == 0 || len(buckets) >= maxBuckets {
		return
	}
	if r.bounds == nil {
		for _, b := range buckets {
			r.bounds = append(r.bounds, b.GetUpperBound())
		}
	}
	for i, b := range buckets {
		s.ack[i] = b.GetCumulativeCount()
	}
	s.ack[len(buckets)] = h.GetSampleCount()
}

func (r *recorder) readBuild(series []*dto.Metric) {
	for _, m := range series {
		r.words.version = word(labelOf(m, "version"))
		r.words.commit = word(labelOf(m, "commit"))
		r.words.libbeatVersion = word(labelOf(m, "libbeat_version"))
		r.words.runtime = word(labelOf(m, "goversion"))
	}
}

// inForce is the value of a label of the series that is 1.
func inForce(series []*dto.Metric, label string) string {
	for _, m := range series {
		if valueOf(m) == 1 {
			return labelOf(m, label)
		}
	}
	return ""
}

func valueOf(m *dto.Metric) float64 {
	switch {
	case m.GetGauge() != nil:
		return m.GetGauge().GetValue()
	case m.GetCounter() != nil:
		return m.GetCounter().GetValue()
	case m.GetUntyped() != nil:
		return m.GetUntyped().GetValue()
	default:
		return math.NaN()
	}
}

func labelOf(m *dto.Metric, name string) string {
	for _, label := range m.GetLabel() {
		if label.GetName() == name {
			return label.GetValue()
		}
	}
	return ""
}

var wordPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}$`)

// word lets the value of a label through that looks like one of ours. The metrics have no others; if one ever takes in
// what a sender wrote, it stops here.
func word(text string) string {
	if text == "" || wordPattern.MatchString(text) {
		return text
	}
	return "other"
}

func oneOf(text string, known ...string) string {
	if slices.Contains(known, text) {
		return text
	}
	return ""
}
