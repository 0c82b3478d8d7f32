package status

import (
	"encoding/json"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/txn2/rtbeat/internal/effective"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a page over metrics that a test sets.
type rig struct {
	t        *testing.T
	registry *prometheus.Registry
	gathered atomic.Int64
	gauges   map[string]prometheus.Gauge
	answers  *prometheus.CounterVec
	phase    *prometheus.GaugeVec
	acks     prometheus.Histogram
	status   *Status
}

// defaults are what an rtbeat at rest says.
func defaults() map[string]float64 {
	return map[string]float64{
		"rtbeat_received_bytes_total": 0, "rtbeat_batches_total": 0, "rtbeat_messages_total": 0, "rtbeat_events_acked_total": 0,
		"rtbeat_in_flight_bytes": 0, "rtbeat_in_flight_bytes_limit": 1000, "rtbeat_in_flight_events": 0,
		"rtbeat_output_stalled": 0, "rtbeat_output_no_ack_seconds": 0, "rtbeat_output_window_repeats": 0, "rtbeat_last_ack_timestamp_seconds": 0,
		"rtbeat_events_dropped_total": 0, "rtbeat_libbeat_output_write_errors_total": 0, "rtbeat_connections_displaced_total": 0,
		"rtbeat_libbeat_output_events_dropped_total": 0,
	}
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, registry: prometheus.NewRegistry(), gauges: make(map[string]prometheus.Gauge)}
	for name, value := range defaults() {
		r.set(name, value)
	}
	r.answers = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rtbeat_answers_total", Help: "as rtbeat has it"}, []string{"code", "reason"})
	r.phase = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "rtbeat_phase", Help: "as rtbeat has it"}, []string{"phase"})
	r.acks = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "rtbeat_ack_duration_seconds", Help: "as rtbeat has it", Buckets: []float64{.1, 1, 10}, NativeHistogramBucketFactor: 1.1,
	})
	r.registry.MustRegister(r.answers, r.phase, r.acks)
	r.inPhase("serving")
	r.status = New(prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		r.gathered.Add(1)
		return r.registry.Gather()
	}), Settings{Timeout: 5 * time.Second, Configuration: []effective.Setting{{Key: "rtbeat.port", Value: "8081"}}})
	return r
}

// set gives a metric without labels a value.
func (r *rig) set(name string, value float64) {
	r.t.Helper()
	if r.gauges[name] == nil {
		r.gauges[name] = prometheus.NewGauge(prometheus.GaugeOpts{Name: name})
		require.NoError(r.t, r.registry.Register(r.gauges[name]))
	}
	r.gauges[name].Set(value)
}

// durable makes it one in durable mode, with an empty queue.
func (r *rig) durable() {
	mode := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "rtbeat_ack_mode", Help: "as rtbeat has it"}, []string{"mode"})
	mode.WithLabelValues("persisted").Set(1)
	r.registry.MustRegister(mode)
	for name, value := range map[string]float64{
		"rtbeat_queue_batches": 0, "rtbeat_queue_bytes": 0, "rtbeat_queue_oldest_seconds": 0, "rtbeat_queue_file_bytes": 100, "rtbeat_queue_file_bytes_limit": 10000,
		"rtbeat_queue_stored_bytes_total": 0, "rtbeat_queue_delivered_bytes_total": 0, "rtbeat_queue_retrying_batches": 0,
		"rtbeat_queue_full": 0, "rtbeat_queue_failed": 0,
	} {
		r.set(name, value)
	}
}

func (r *rig) add(name string, value float64) { r.gauges[name].Add(value) }

func (r *rig) inPhase(now string) {
	for _, phase := range []string{"starting", "serving", "leaving", "draining"} {
		value := 0.0
		if phase == now {
			value = 1
		}
		r.phase.WithLabelValues(phase).Set(value)
	}
}

func (r *rig) answer(code, reason string, n float64) { r.answers.WithLabelValues(code, reason).Add(n) }

func (r *rig) get(path string) *httptest.ResponseRecorder {
	r.t.Helper()
	w := httptest.NewRecorder()
	req := httptest.NewRequestWithContext(r.t.Context(), http.MethodGet, "http://127.0.0.1:9090"+path, http.NoBody)
	r.status.ServeHTTP(w, req)
	require.Equal(r.t, http.StatusOK, w.Code)
	return w
}

// report is what a reader of status.json gets.
func (r *rig) report() Report {
	r.t.Helper()
	var report Report
	require.NoError(r.t, json.Unmarshal(r.get("/status.json").Body.Bytes(), &report))
	return report
}

// leaves are the paths of all values in decoded JSON; of a list, those of its first element.
func leaves(prefix string, value any) []string {
	switch v := value.(type) {
	case map[string]any:
		var paths []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			paths = append(paths, leaves(prefix+"."+key, v[key])...)
		}
		return paths
	case []any:
		if len(v) > 0 {
			if _, isGroup := v[0].(map[string]any); isGroup {
				return leaves(prefix+"[]", v[0])
			}
		}
		return []string{prefix + "[]"}
	default:
		return []string{prefix}
	}
}

func isUnknown(n Number) bool { return math.IsNaN(float64(n)) }
