package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

const (
	// A native bucket is at most a tenth wider than the one before it: a graph shows no smaller difference. At the limit of
	// their number the buckets are reset, at most once in nativeReset, and merged until then.
	nativeFactor  = 1.1
	nativeBuckets = 160
	nativeReset   = time.Hour
)

// register declares a metric in the section, and registers its collector.
func register[C prometheus.Collector](s *Section, t Type, d Declaration, c C) C {
	s.Declare(t, d)
	s.registry.MustRegister(c)
	return c
}

// Counter registers a counter.
func (s *Section) Counter(d Declaration) prometheus.Counter {
	return register(s, Counter, d, prometheus.NewCounter(prometheus.CounterOpts{Name: d.Name, Help: d.Help}))
}

// CounterVec registers a counter with labels. The caller makes each series at once: a rate misses the first increase of a
// series that did not exist before.
func (s *Section) CounterVec(d Declaration) *prometheus.CounterVec {
	return register(s, Counter, d, prometheus.NewCounterVec(prometheus.CounterOpts{Name: d.Name, Help: d.Help}, d.Labels))
}

// CounterBy registers a counter with one label, with a series for each of its values.
func (s *Section) CounterBy(d Declaration, labelValues []string) CounterBy {
	vec := s.CounterVec(d)
	c := make(CounterBy, len(labelValues))
	for _, value := range labelValues {
		c[value] = vec.WithLabelValues(value)
	}
	return c
}

// CounterFunc registers a counter that value counts.
func (s *Section) CounterFunc(d Declaration, value func() float64) {
	register(s, Counter, d, prometheus.NewCounterFunc(prometheus.CounterOpts{Name: d.Name, Help: d.Help}, value))
}

// RenamedCounter registers the former name of a counter that value reads. It has no type: OpenMetrics has no counter whose name
// does not end in _total.
func (s *Section) RenamedCounter(d Declaration, value func() float64) {
	register(s, Untyped, d, prometheus.NewUntypedFunc(prometheus.UntypedOpts{Name: d.Name, Help: d.Help}, value))
}

// Gauge registers a gauge.
func (s *Section) Gauge(d Declaration) prometheus.Gauge {
	return register(s, Gauge, d, prometheus.NewGauge(prometheus.GaugeOpts{Name: d.Name, Help: d.Help}))
}

// GaugeFunc registers a gauge that each scrape reads by calling value, from any goroutine.
func (s *Section) GaugeFunc(d Declaration, value func() float64) {
	register(s, Gauge, d, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: d.Name, Help: d.Help}, value))
}

// GaugeVec registers a gauge with labels.
func (s *Section) GaugeVec(d Declaration) *prometheus.GaugeVec {
	return register(s, Gauge, d, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: d.Name, Help: d.Help}, d.Labels))
}

// Histogram registers a histogram with classic and native buckets.
func (s *Section) Histogram(d Declaration) prometheus.Histogram {
	return register(s, Histogram, d, prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: d.Name, Help: d.Help, Buckets: d.Bounds,
		NativeHistogramBucketFactor: nativeFactor, NativeHistogramMaxBucketNumber: nativeBuckets, NativeHistogramMinResetDuration: nativeReset,
	}))
}

// CounterBy has a counter for each value of a label.
type CounterBy map[string]prometheus.Counter

// other counts the values that are not known.
const other = "other"

// Inc adds 1 to the counter of value. A value that is not known counts as "other", if there is such a series.
func (c CounterBy) Inc(value string) {
	counter, ok := c[value]
	if !ok {
		counter, ok = c[other]
	}
	if ok {
		counter.Inc()
	}
}

// Value returns the value of a counter or gauge, and the number of observations of a histogram.
func Value(m prometheus.Metric) float64 {
	var d dto.Metric
	if m.Write(&d) != nil {
		return 0
	}
	if h := d.GetHistogram(); h != nil {
		return float64(h.GetSampleCount())
	}
	return d.GetCounter().GetValue() + d.GetGauge().GetValue()
}

// Buckets returns the cumulative counts of a histogram's classic buckets, and last the number of all observations.
func Buckets(h prometheus.Histogram) []uint64 {
	var d dto.Metric
	if h.Write(&d) != nil {
		return nil
	}
	buckets := d.GetHistogram().GetBucket()
	counts := make([]uint64, 0, len(buckets)+1)
	for _, b := range buckets {
		counts = append(counts, b.GetCumulativeCount())
	}
	return append(counts, d.GetHistogram().GetSampleCount())
}

// Bool returns the value of a gauge that says yes (1) or no (0).
func Bool(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
