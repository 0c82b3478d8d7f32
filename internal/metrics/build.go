package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

const (
	// Native buckets grow by a tenth at most, about what one sees in a graph. Their number is bounded: at the limit they
	// are reset, but not more often than once in an hour, and made coarser in between.
	nativeFactor  = 1.1
	nativeBuckets = 160
	nativeReset   = time.Hour
)

// builder makes metrics of their declarations.
type builder struct {
	declared
	promauto.Factory
}

func (b builder) counter(name string) prometheus.Counter {
	m := b.the(name, Counter)
	return b.NewCounter(prometheus.CounterOpts{Name: m.Name, Help: m.Help})
}

// counterVec makes a counter with labels.
func (b builder) counterVec(name string) *prometheus.CounterVec {
	m := b.the(name, Counter)
	return b.NewCounterVec(prometheus.CounterOpts{Name: m.Name, Help: m.Help}, m.Labels)
}

func (b builder) counterFunc(name string, value func() float64) {
	m := b.the(name, Counter)
	b.NewCounterFunc(prometheus.CounterOpts{Name: m.Name, Help: m.Help}, value)
}

func (b builder) untypedFunc(name string, value func() float64) {
	m := b.the(name, Untyped)
	b.NewUntypedFunc(prometheus.UntypedOpts{Name: m.Name, Help: m.Help}, value)
}

func (b builder) gauge(name string) prometheus.Gauge {
	m := b.the(name, Gauge)
	return b.NewGauge(prometheus.GaugeOpts{Name: m.Name, Help: m.Help})
}

func (b builder) gaugeFunc(name string, value func() float64) {
	m := b.the(name, Gauge)
	b.NewGaugeFunc(prometheus.GaugeOpts{Name: m.Name, Help: m.Help}, value)
}

// gaugeVec makes a gauge with labels.
func (b builder) gaugeVec(name string) *prometheus.GaugeVec {
	m := b.the(name, Gauge)
	return b.NewGaugeVec(prometheus.GaugeOpts{Name: m.Name, Help: m.Help}, m.Labels)
}

func (b builder) histogram(name string) prometheus.Histogram {
	m := b.the(name, Histogram)
	return b.NewHistogram(prometheus.HistogramOpts{
		Name: m.Name, Help: m.Help, Buckets: m.Buckets,
		NativeHistogramBucketFactor: nativeFactor, NativeHistogramMaxBucketNumber: nativeBuckets, NativeHistogramMinResetDuration: nativeReset,
	})
}
