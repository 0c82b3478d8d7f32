package metrics_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/metrics"
)

// sources has a value of its own for each gauge, so that none can show another's.
func sources() metrics.Sources {
	return metrics.Sources{
		Bytes:         func() int64 { return 5 << 20 },
		BytesLimit:    func() int64 { return 32 << 20 },
		High:          func() bool { return true },
		Events:        func() int { return 1234 },
		Oldest:        func() time.Duration { return 3500 * time.Millisecond },
		Queued:        func() int { return 7 },
		RequestsLimit: func() int { return 4096 },
		Timeout:       4500 * time.Millisecond,

		Entries:      func() int { return 2345 },
		EntriesLimit: func() int { return 262144 },
		Stalled:      func() (time.Duration, bool) { return 2500 * time.Millisecond, true },
		Repeats:      func() int { return 4 },

		Connections:      func() int { return 40 },
		ConnectionsLimit: func() int { return 50 },
		Displaced:        func() uint64 { return 6 },
		Expiry:           func() time.Time { return time.Unix(1893456000, 0) },

		OnDisk: func() metrics.OnDisk {
			return metrics.OnDisk{
				Batches: 21, Bytes: 22, Oldest: 23500 * time.Millisecond, Files: 24, FilesLimit: 25, Stored: 26, Delivered: 27, Retrying: 28, IsFull: true,
			}
		},

		Phase:   func() string { return "leaving" },
		Libbeat: func(path string) (float64, bool) { return libbeat[path], true },
	}
}

// libbeat is what libbeat has.
var libbeat = map[string]float64{
	"libbeat.pipeline.queue.filled.events": 11,
	"libbeat.pipeline.queue.max_events":    3200,
	"libbeat.pipeline.clients":             2,
	"libbeat.pipeline.events.retry":        12,
	"libbeat.output.events.acked":          13,
	"libbeat.output.events.failed":         14,
	"libbeat.output.events.dropped":        15,
	"libbeat.output.events.active":         16,
	"libbeat.output.events.batches":        17,
	"libbeat.output.write.bytes":           18,
	"libbeat.output.write.errors":          19,
}

func labels() metrics.Words {
	return metrics.Words{
		AckModes:   []string{"delivered", "persisted"},
		Phases:     []string{"starting", "serving", "leaving", "draining"},
		Decode:     []string{"malformed_json", "wrong_shape"},
		Auth:       []string{"missing", "wrong_token"},
		Handshakes: []string{"closed", "other"},
		Reloads:    []string{"done", "failed"},
		Processors: []string{"fingerprint"},
	}
}

func build() metrics.Build {
	return metrics.Build{Version: "1.2.3", Commit: "abc", Libbeat: "9.3.0"}
}

// newMetrics registers everything that there can be.
func newMetrics(registry *prometheus.Registry) *metrics.Metrics {
	return metrics.New(registry, sources(), labels(), build(), "delivered")
}

// series are values by name, with the labels behind it.
type series = map[string]float64

// gather reads all of rtbeat's series. Of a histogram it takes count and sum.
func gather(t *testing.T, registry *prometheus.Registry) series {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	values := make(series)
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "rtbeat_") {
			continue
		}
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, label := range m.GetLabel() {
				name += " " + label.GetName() + "=" + label.GetValue()
			}
			switch {
			case m.GetCounter() != nil:
				values[name] = m.GetCounter().GetValue()
			case m.GetGauge() != nil:
				values[name] = m.GetGauge().GetValue()
			case m.GetUntyped() != nil:
				values[name] = m.GetUntyped().GetValue()
			default:
				values[name+" count"] = float64(m.GetHistogram().GetSampleCount())
				values[name+" sum"] = m.GetHistogram().GetSampleSum()
			}
		}
	}
	return values
}

func TestEveryMetricMoves(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := newMetrics(registry)
	require.Equal(t, series{
		"rtbeat_received_bytes_total":        0,
		"rtbeat_batches_total":               0,
		"rtbeat_batches_received":            0,
		"rtbeat_messages_total":              0,
		"rtbeat_messages_parsed":             0,
		"rtbeat_numbers_as_strings_total":    0,
		"rtbeat_in_flight_requests":          0,
		"rtbeat_ack_duration_seconds count":  0,
		"rtbeat_ack_duration_seconds sum":    0,
		"rtbeat_in_flight_bytes":             5 << 20,
		"rtbeat_in_flight_bytes_limit":       32 << 20,
		"rtbeat_in_flight_high":              1,
		"rtbeat_in_flight_events":            1234,
		"rtbeat_publish_queue_batches":       7,
		"rtbeat_events_acked_total":          0,
		"rtbeat_acks_received":               0,
		"rtbeat_last_ack_timestamp_seconds":  0,
		"rtbeat_current_acks":                0,
		"rtbeat_events_filtered_total":       0,
		"rtbeat_events_withdrawn_total":      0,
		"rtbeat_events_dropped_total":        0,
		"rtbeat_events_rejected_total":       0,
		"rtbeat_dedupe_entries":              2345,
		"rtbeat_dedupe_entries_limit":        262144,
		"rtbeat_connections":                 40,
		"rtbeat_connections_limit":           50,
		"rtbeat_connections_displaced_total": 6,
		"rtbeat_output_stalled":              1,
		"rtbeat_output_no_ack_seconds":       2.5,
		"rtbeat_output_window_repeats":       4,
		"rtbeat_ack_mode mode=delivered":     1,
		"rtbeat_ack_mode mode=persisted":     0,

		"rtbeat_queue_batches":               21,
		"rtbeat_queue_bytes":                 22,
		"rtbeat_queue_oldest_seconds":        23.5,
		"rtbeat_queue_file_bytes":            24,
		"rtbeat_queue_file_bytes_limit":      25,
		"rtbeat_queue_stored_bytes_total":    26,
		"rtbeat_queue_delivered_bytes_total": 27,
		"rtbeat_queue_retrying_batches":      28,
		"rtbeat_queue_full":                  1,
		"rtbeat_queue_failed":                0,

		"rtbeat_publish_wait_seconds count":               0,
		"rtbeat_publish_wait_seconds sum":                 0,
		"rtbeat_in_flight_requests_limit":                 4096,
		"rtbeat_timeout_seconds":                          4.5,
		"rtbeat_in_flight_events_limit":                   3200,
		"rtbeat_oldest_unacknowledged_seconds":            3.5,
		"rtbeat_tls_certificate_expiry_timestamp_seconds": 1893456000,
		"rtbeat_phase phase=starting":                     0,
		"rtbeat_phase phase=serving":                      0,
		"rtbeat_phase phase=leaving":                      1,
		"rtbeat_phase phase=draining":                     0,

		"rtbeat_build_info commit=abc goversion=" + runtime.Version() + " libbeat_version=9.3.0 version=1.2.3": 1,

		"rtbeat_decode_failures_total reason=malformed_json": 0,
		"rtbeat_decode_failures_total reason=wrong_shape":    0,
		"rtbeat_auth_failures_total reason=missing":          0,
		"rtbeat_auth_failures_total reason=wrong_token":      0,
		"rtbeat_tls_handshake_failures_total reason=closed":  0,
		"rtbeat_tls_handshake_failures_total reason=other":   0,
		"rtbeat_reloads_total result=done":                   0,
		"rtbeat_reloads_total result=failed":                 0,

		"rtbeat_processor_failures_total processor=fingerprint": 0,

		"rtbeat_libbeat_queue_events":                11,
		"rtbeat_libbeat_queue_events_limit":          3200,
		"rtbeat_libbeat_pipeline_clients":            2,
		"rtbeat_libbeat_output_events_retried_total": 12,
		"rtbeat_libbeat_output_events_acked_total":   13,
		"rtbeat_libbeat_output_events_failed_total":  14,
		"rtbeat_libbeat_output_events_dropped_total": 15,
		"rtbeat_libbeat_output_events_active":        16,
		"rtbeat_libbeat_output_batches_total":        17,
		"rtbeat_libbeat_output_write_bytes_total":    18,
		"rtbeat_libbeat_output_write_errors_total":   19,

		"rtbeat_messages_coalesced_total state=in_flight": 0,
		"rtbeat_messages_coalesced_total state=delivered": 0,
	}, gather(t, registry), "a counter is there before its first event, so that a rate sees it")

	steps := []struct {
		name string
		do   func()
		want series // what changes
	}{
		{"a request comes", func() { t.Cleanup(m.Request()) }, series{"rtbeat_in_flight_requests": 1}},
		{"another comes and goes", func() { m.Request()() }, series{}},
		{"bytes", func() { m.Read(1000); m.Read(24) }, series{"rtbeat_received_bytes_total": 1024}},
		{"a batch", func() { m.Batch(500, 3) }, series{
			"rtbeat_batches_total": 1, "rtbeat_batches_received": 1, "rtbeat_messages_total": 500, "rtbeat_messages_parsed": 500, "rtbeat_numbers_as_strings_total": 3,
		}},
		{"an empty batch", func() { m.Batch(0, 0) }, series{"rtbeat_batches_total": 2, "rtbeat_batches_received": 2}},
		{"acknowledgements", func() { m.Acks(400); m.Acks(60) }, series{
			"rtbeat_events_acked_total": 460, "rtbeat_acks_received": 460, "rtbeat_current_acks": 60,
			"rtbeat_last_ack_timestamp_seconds": 946684800, // in the bubble it is 2000, and no time passes
		}},
		{"a body that is no batch", func() { m.Undecodable("wrong_shape") }, series{"rtbeat_decode_failures_total reason=wrong_shape": 1}},
		{"wrong credentials", func() { m.Unwelcome("wrong_token") }, series{"rtbeat_auth_failures_total reason=wrong_token": 1}},
		{"handshakes", func() { m.Handshake("closed"); m.Handshake("never heard of") }, series{
			"rtbeat_tls_handshake_failures_total reason=closed": 1, "rtbeat_tls_handshake_failures_total reason=other": 1,
		}},
		{"a reload", func() { m.Reload("done") }, series{"rtbeat_reloads_total result=done": 1}},
		{"words that there are not, and no other", func() { m.Undecodable("x"); m.Unwelcome("x") }, series{}},
		{"a wait", func() { m.Waited(250 * time.Millisecond); m.Waited(time.Second) }, series{
			"rtbeat_publish_wait_seconds count": 2, "rtbeat_publish_wait_seconds sum": 1.25,
		}},
		{"filtered events", func() { m.Filtered(); m.Filtered() }, series{"rtbeat_events_filtered_total": 2}},
		{"events that a processor failed on", func() { m.ProcessorFailed("fingerprint"); m.ProcessorFailed("not configured") }, series{
			"rtbeat_processor_failures_total processor=fingerprint": 1,
		}},
		{"joined messages", func() { m.Coalesced(3, 4); m.Coalesced(1, 0) }, series{
			"rtbeat_messages_coalesced_total state=in_flight": 4, "rtbeat_messages_coalesced_total state=delivered": 4,
		}},
		{"withdrawn messages", func() { m.Withdrawn(38); m.Withdrawn(0) }, series{"rtbeat_events_withdrawn_total": 38}},
		{"rejected events", func() { m.Rejected(3) }, series{"rtbeat_events_rejected_total": 3}},
		{"a dropped event", func() { m.Dropped() }, series{"rtbeat_events_dropped_total": 1}},
		{"a delivery", func() { m.Delivered(1500 * time.Millisecond); m.Delivered(time.Second) }, series{
			"rtbeat_ack_duration_seconds count": 2, "rtbeat_ack_duration_seconds sum": 2.5,
		}},
		{"answers", func() {
			m.Answer(http.StatusOK, "delivered")
			m.Answer(http.StatusServiceUnavailable, "in_flight_limit")
			m.Answer(http.StatusServiceUnavailable, "stopping")
			m.Answer(http.StatusServiceUnavailable, "stopping")
		}, series{
			"rtbeat_answers_total code=200 reason=delivered":       1,
			"rtbeat_answers_total code=503 reason=in_flight_limit": 1,
			"rtbeat_answers_total code=503 reason=stopping":        2,
		}},
	}
	want := gather(t, registry)
	for _, step := range steps {
		synctest.Test(t, func(*testing.T) { step.do() })
		maps.Copy(want, step.want)
		require.Equal(t, want, gather(t, registry), "%s: this, and nothing else", step.name)
	}
}

// A batch of 200 and the timeout that makes a 504 of it must not fall into one bucket.
func TestAckDurationTellsTheTimeoutApart(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := newMetrics(registry)
	for _, d := range []time.Duration{2 * time.Millisecond, 3900 * time.Millisecond, 4900 * time.Millisecond, 5100 * time.Millisecond, 61 * time.Second} {
		m.Delivered(d)
	}
	families, err := registry.Gather()
	require.NoError(t, err)
	var cumulative []uint64
	for _, family := range families {
		if family.GetName() != "rtbeat_ack_duration_seconds" {
			continue
		}
		last := uint64(0)
		for _, bucket := range family.GetMetric()[0].GetHistogram().GetBucket() {
			if n := bucket.GetCumulativeCount(); n != last {
				cumulative = append(cumulative, n)
				last = n
			}
		}
	}
	require.Equal(t, []uint64{1, 2, 3, 4}, cumulative, "each in a bucket of its own, the last beyond all")
}

// Two instances in one process, as tests have them, share nothing.
func TestInstancesAreApart(t *testing.T) {
	one, two := prometheus.NewRegistry(), prometheus.NewRegistry()
	m := newMetrics(one)
	newMetrics(two)
	m.Filtered()
	require.NotZero(t, gather(t, one)["rtbeat_events_filtered_total"])
	require.Zero(t, gather(t, two)["rtbeat_events_filtered_total"])
}

func TestHandler(t *testing.T) {
	m := newMetrics(prometheus.NewRegistry())
	m.Answer(http.StatusOK, "delivered")
	recorder := httptest.NewRecorder()
	m.Handler().ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))

	require.Equal(t, http.StatusOK, recorder.Code)
	require.Contains(t, recorder.Header().Get("Content-Type"), "text/plain; version=0.0.4")
	body, err := io.ReadAll(recorder.Body)
	require.NoError(t, err)
	for _, want := range []string{
		"rtbeat_answers_total{code=\"200\",reason=\"delivered\"} 1\n",
		"rtbeat_in_flight_events 1234\n",
		"\ngo_goroutines ", "\nprocess_resident_memory_bytes ", "\npromhttp_metric_handler_errors_total{",
	} {
		require.Contains(t, string(body), want)
	}
}
