package metrics_test

import (
	"maps"
	"math"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/metrics"
)

// series are values by name, with the labels behind it.
type series = map[string]float64

// gather reads all series of rtbeat. Of a histogram it takes the number of observations.
func gather(t *testing.T, r *metrics.Registry) series {
	t.Helper()
	families, err := r.Gather()
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
			values[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetUntyped().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return values
}

func declared(name string, labels ...string) metrics.Declaration {
	return metrics.Declaration{Name: "rtbeat_" + name, Labels: labels, Help: "A metric."}
}

// Each kind of metric is there before its first event, moves alone, and is declared in its section.
func TestMetricsAreDeclaredRegisteredAndMove(t *testing.T) {
	r := metrics.NewRegistry()
	s := r.Section("one")
	counter := s.Counter(declared("batches_total"))
	s.RenamedCounter(declared("batches_received"), func() float64 { return metrics.Value(counter) })
	by := s.CounterBy(declared("failures_total", "reason"), []string{"closed", "other"})
	strict := s.CounterBy(declared("reloads_total", "result"), []string{"done"})
	gauge := s.Gauge(declared("requests"))
	now := "serving"
	r.Section("two").OneOf(declared("phase", "phase"), []string{"starting", "serving"}, func() string { return now })
	r.Section("two").GaugeFunc(declared("events"), func() float64 { return 7 })
	histogram := r.Section("two").Histogram(metrics.Declaration{Name: "rtbeat_wait_seconds", Help: "A wait.", Bounds: []float64{1}})
	want := series{
		"rtbeat_batches_total": 0, "rtbeat_batches_received": 0, "rtbeat_failures_total reason=closed": 0, "rtbeat_failures_total reason=other": 0,
		"rtbeat_reloads_total result=done": 0, "rtbeat_requests": 0, "rtbeat_phase phase=starting": 0, "rtbeat_phase phase=serving": 1,
		"rtbeat_events": 7, "rtbeat_wait_seconds": 0,
	}
	require.Equal(t, want, gather(t, r))

	var names []string
	for _, section := range r.Sections() {
		for _, d := range section.Declared {
			names = append(names, section.Name+" "+strings.TrimPrefix(d.Name, "rtbeat_")+" "+string(d.Type))
		}
	}
	require.Equal(t, []string{
		"one batches_total counter", "one batches_received untyped", "one failures_total counter", "one reloads_total counter", "one requests gauge",
		"two phase gauge", "two events gauge", "two wait_seconds histogram",
	}, names)

	for _, step := range []struct {
		do   func()
		want series
	}{
		{func() { counter.Add(2) }, series{"rtbeat_batches_total": 2, "rtbeat_batches_received": 2}},
		{func() { by.Inc("closed") }, series{"rtbeat_failures_total reason=closed": 1}},
		{func() { by.Inc("not known") }, series{"rtbeat_failures_total reason=other": 1}},
		{func() { strict.Inc("not known") }, series{}},
		{gauge.Inc, series{"rtbeat_requests": 1}},
		{func() { now = "starting" }, series{"rtbeat_phase phase=starting": 1, "rtbeat_phase phase=serving": 0}},
		{func() { histogram.Observe(3) }, series{"rtbeat_wait_seconds": 1}},
	} {
		step.do()
		maps.Copy(want, step.want)
		require.Equal(t, want, gather(t, r))
	}
	for m, value := range map[prometheus.Metric]float64{counter: 2, gauge: 1, histogram: 1} {
		require.InDelta(t, value, metrics.Value(m), 0)
	}
}

// A name is declared once.
func TestAMetricCannotBeRegisteredTwice(t *testing.T) {
	r := metrics.NewRegistry()
	r.Section("one").Counter(declared("batches_total"))
	require.Panics(t, func() { r.Section("two").Gauge(declared("batches_total")) })
}

// Two registries in one process share nothing.
func TestInstancesAreApart(t *testing.T) {
	one, two := metrics.NewRegistry(), metrics.NewRegistry()
	one.Section("a").Counter(declared("batches_total")).Inc()
	two.Section("a").Counter(declared("batches_total"))
	require.NotEqual(t, gather(t, one), gather(t, two))
}

// A group is read once for each scrape. A value that does not exist has no series, instead of a 0.
func TestMetricsThatAreReadTogether(t *testing.T) {
	r, reads := metrics.NewRegistry(), 0
	times := func(n float64) func(int) float64 { return func(read int) float64 { return n * float64(read) } }
	g := &metrics.Group[int]{Read: func() int { reads++; return reads }}
	g.Gauge(r.Section("one"), declared("batches"), times(10))
	g.Counter(r.Section("one"), declared("bytes_total"), times(100))
	g.Gauge(r.Section("one"), declared("absent"), times(math.NaN()))
	r.MustRegister(g)
	require.Equal(t, series{"rtbeat_batches": 10, "rtbeat_bytes_total": 100}, gather(t, r))
	require.Equal(t, series{"rtbeat_batches": 20, "rtbeat_bytes_total": 200}, gather(t, r))
	require.Len(t, r.Section("one").Declared, 3)
}

func TestHandler(t *testing.T) {
	r := metrics.NewRegistry()
	r.Section("one").GaugeFunc(declared("events"), func() float64 { return 1234 })
	text, contentType := scrape(t, r.Handler(), "")
	require.Contains(t, contentType, "text/plain; version=0.0.4")
	for _, want := range []string{
		"rtbeat_events 1234\n", "\ngo_goroutines ", "\nprocess_resident_memory_bytes ", "\npromhttp_metric_handler_errors_total{",
	} {
		require.Contains(t, string(text), want)
	}
}
