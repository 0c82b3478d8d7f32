package metrics

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"
)

// Group collects metrics that share one call of Read for each scrape. Register it after its last metric was added.
type Group[T any] struct {
	Read    func() T
	members []member[T]
}

type member[T any] struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(T) float64
}

// Gauge adds a gauge. Where value returns NaN, the scrape leaves the series out.
func (g *Group[T]) Gauge(s *Section, d Declaration, value func(T) float64) {
	g.members = append(g.members, member[T]{s.Declare(Gauge, d), prometheus.GaugeValue, value})
}

// Counter adds a counter. Where value returns NaN, the scrape leaves the series out.
func (g *Group[T]) Counter(s *Section, d Declaration, value func(T) float64) {
	g.members = append(g.members, member[T]{s.Declare(Counter, d), prometheus.CounterValue, value})
}

// Describe is for prometheus.Collector.
func (g *Group[T]) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range g.members {
		ch <- m.desc
	}
}

// Collect is for prometheus.Collector.
func (g *Group[T]) Collect(ch chan<- prometheus.Metric) {
	now := g.Read()
	for _, m := range g.members {
		if v := m.value(now); !math.IsNaN(v) {
			ch <- prometheus.MustNewConstMetric(m.desc, m.kind, v)
		}
	}
}

// OneOf registers a gauge with one label, whose series for the value that now returns is 1, and 0 for the other values.
func (s *Section) OneOf(d Declaration, labelValues []string, now func() string) {
	s.registry.MustRegister(&oneOf{desc: s.Declare(Gauge, d), labelValues: labelValues, now: now})
}

// oneOf calls now once for a scrape: exactly one series is 1.
type oneOf struct {
	desc        *prometheus.Desc
	labelValues []string
	now         func() string
}

// Describe is for prometheus.Collector.
func (o *oneOf) Describe(ch chan<- *prometheus.Desc) { ch <- o.desc }

// Collect is for prometheus.Collector.
func (o *oneOf) Collect(ch chan<- prometheus.Metric) {
	now := o.now()
	for _, value := range o.labelValues {
		ch <- prometheus.MustNewConstMetric(o.desc, prometheus.GaugeValue, Bool(value == now), value)
	}
}
