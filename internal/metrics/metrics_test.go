package metrics_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/metrics"
)

// manual is the page that lists the metrics for operators.
const manual = "../../docs/metrics.md"

// inFlight has a value of its own for each gauge, so that none can show another's.
func inFlight() metrics.InFlight {
	return metrics.InFlight{
		Bytes:      func() int64 { return 5 << 20 },
		BytesLimit: func() int64 { return 32 << 20 },
		Events:     func() int { return 1234 },
		Queued:     func() int { return 7 },

		Entries:      func() int { return 2345 },
		EntriesLimit: func() int { return 262144 },
		Stalled:      func() (time.Duration, bool) { return 2500 * time.Millisecond, true },

		Connections:      func() int { return 40 },
		ConnectionsLimit: func() int { return 50 },
		Displaced:        func() uint64 { return 6 },
	}
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
	m := metrics.New(registry, inFlight(), "delivered")
	require.Equal(t, series{
		"rtbeat_received_bytes_total":        0,
		"rtbeat_batches_received":            0,
		"rtbeat_messages_parsed":             0,
		"rtbeat_numbers_as_strings_total":    0,
		"rtbeat_in_flight_requests":          0,
		"rtbeat_ack_duration_seconds count":  0,
		"rtbeat_ack_duration_seconds sum":    0,
		"rtbeat_in_flight_bytes":             5 << 20,
		"rtbeat_in_flight_bytes_limit":       32 << 20,
		"rtbeat_in_flight_events":            1234,
		"rtbeat_publish_queue_batches":       7,
		"rtbeat_acks_received":               0,
		"rtbeat_current_acks":                0,
		"rtbeat_events_filtered_total":       0,
		"rtbeat_events_withdrawn_total":      0,
		"rtbeat_events_dropped_total":        0,
		"rtbeat_dedupe_entries":              2345,
		"rtbeat_dedupe_entries_limit":        262144,
		"rtbeat_connections":                 40,
		"rtbeat_connections_limit":           50,
		"rtbeat_connections_displaced_total": 6,
		"rtbeat_output_stalled":              1,
		"rtbeat_output_no_ack_seconds":       2.5,
		"rtbeat_ack_mode mode=delivered":     1,
		"rtbeat_ack_mode mode=persisted":     0,

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
			"rtbeat_batches_received": 1, "rtbeat_messages_parsed": 500, "rtbeat_numbers_as_strings_total": 3,
		}},
		{"an empty batch", func() { m.Batch(0, 0) }, series{"rtbeat_batches_received": 2}},
		{"acknowledgements", func() { m.Acks(400); m.Acks(60) }, series{"rtbeat_acks_received": 460, "rtbeat_current_acks": 60}},
		{"filtered events", func() { m.Filtered(); m.Filtered() }, series{"rtbeat_events_filtered_total": 2}},
		{"joined messages", func() { m.Coalesced(3, 4); m.Coalesced(1, 0) }, series{
			"rtbeat_messages_coalesced_total state=in_flight": 4, "rtbeat_messages_coalesced_total state=delivered": 4,
		}},
		{"withdrawn messages", func() { m.Withdrawn(38); m.Withdrawn(0) }, series{"rtbeat_events_withdrawn_total": 38}},
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
		t.Run(step.name, func(t *testing.T) {
			step.do()
			maps.Copy(want, step.want)
			require.Equal(t, want, gather(t, registry), "this, and nothing else")
		})
	}
}

// A batch of 200 and the timeout that makes a 504 of it must not fall into one bucket.
func TestAckDurationTellsTheTimeoutApart(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := metrics.New(registry, inFlight(), "delivered")
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
	m := metrics.New(one, inFlight(), "delivered")
	metrics.New(two, inFlight(), "delivered")
	m.Filtered()
	require.NotZero(t, gather(t, one)["rtbeat_events_filtered_total"])
	require.Zero(t, gather(t, two)["rtbeat_events_filtered_total"])
}

func TestHandler(t *testing.T) {
	m := metrics.New(prometheus.NewRegistry(), inFlight(), "delivered")
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

// The four names of the first rtbeat are what they are; everything else follows Prometheus' rules.
func TestNamesFollowTheRules(t *testing.T) {
	historic := map[string]string{
		"rtbeat_batches_received": `counter metrics should have "_total" suffix`,
		"rtbeat_messages_parsed":  `counter metrics should have "_total" suffix`,
		"rtbeat_acks_received":    `counter metrics should have "_total" suffix`,
		"rtbeat_current_acks":     "", // a gauge, and no name breaks a rule by being odd
	}
	registry := prometheus.NewRegistry()
	m := metrics.New(registry, inFlight(), "delivered")
	m.Answer(http.StatusOK, "delivered")
	problems, err := testutil.GatherAndLint(registry)
	require.NoError(t, err)
	for _, p := range problems {
		require.Equal(t, historic[p.Metric], p.Text, p.Metric)
	}
	values := gather(t, registry)
	for name := range historic {
		require.Contains(t, values, name)
	}
}

// docs/metrics.md has one row for each metric, with its type and its labels, and none for what is not there.
func TestManual(t *testing.T) {
	type row struct{ kind, labels string }
	data, err := os.ReadFile(manual)
	require.NoError(t, err)
	listed := make(map[string]row)
	for _, cells := range regexp.MustCompile("(?m)^\\| `(rtbeat_[a-z_]+)` \\| (\\w+) \\| ([^|]*?) ?\\| (.+) \\| (.+) \\|$").FindAllStringSubmatch(string(data), -1) {
		require.NotContains(t, listed, cells[1], "listed twice")
		listed[cells[1]] = row{kind: cells[2], labels: strings.ReplaceAll(cells[3], "`", "")}
	}
	require.Len(t, listed, strings.Count(string(data), "\n| `"), "a row that this test cannot read")

	registry := prometheus.NewRegistry()
	m := metrics.New(registry, inFlight(), "delivered")
	m.Answer(http.StatusOK, "delivered") // a vector shows its labels once it has a series
	families, err := registry.Gather()
	require.NoError(t, err)
	registered := make(map[string]row)
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "rtbeat_") {
			continue
		}
		var labels []string
		for _, label := range family.GetMetric()[0].GetLabel() {
			labels = append(labels, label.GetName())
		}
		registered[family.GetName()] = row{strings.ToLower(family.GetType().String()), strings.Join(labels, ", ")}
	}
	require.Equal(t, registered, listed)

	// What the page says elsewhere, in queries for instance, is about metrics that exist.
	for _, name := range regexp.MustCompile(`rtbeat_[a-z_]+`).FindAllString(string(data), -1) {
		require.Contains(t, registered, name)
	}
}
