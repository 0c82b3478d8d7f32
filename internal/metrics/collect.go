package metrics

import "github.com/prometheus/client_golang/prometheus"

// libbeat shows the numbers that libbeat has, as they are when they are scraped. It describes nothing ahead: which of them
// there are may change with the output. The names cannot clash with others, as all of them are declared.
type libbeat struct {
	metrics []bridged
	value   func(path string) (float64, bool)
}

// bridged is a number of libbeat's, and what it is called here.
type bridged struct {
	path  string
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	limit bool
}

func newLibbeat(d declared, value func(path string) (float64, bool)) *libbeat {
	l := &libbeat{value: value}
	for _, section := range Sections() {
		for _, m := range section.Metrics {
			if m.Path == "" {
				continue
			}
			kind := prometheus.GaugeValue
			if m.Type == Counter {
				kind = prometheus.CounterValue
			}
			l.metrics = append(l.metrics, bridged{path: m.Path, desc: d.the(m.Name, m.Type).desc(), kind: kind, limit: m.Path == pathQueueLimit})
		}
	}
	return l
}

// Describe is for prometheus.Collector. A collector without descriptions is not checked ahead.
func (*libbeat) Describe(chan<- *prometheus.Desc) {}

// Collect is for prometheus.Collector.
func (l *libbeat) Collect(ch chan<- prometheus.Metric) {
	for _, m := range l.metrics {
		value, ok := l.value(m.path)
		if !ok || m.limit && value == 0 { // libbeat leaves the number at 0 until it has made its queue
			continue
		}
		ch <- prometheus.MustNewConstMetric(m.desc, m.kind, value)
	}
}

// oneOf shows a word out of a few as a series for each: 1 for the one that is in force, else 0. All are read at once.
type oneOf struct {
	desc  *prometheus.Desc
	words []string
	now   func() string
}

// Describe is for prometheus.Collector.
func (o *oneOf) Describe(ch chan<- *prometheus.Desc) { ch <- o.desc }

// Collect is for prometheus.Collector.
func (o *oneOf) Collect(ch chan<- prometheus.Metric) {
	now := o.now()
	for _, word := range o.words {
		ch <- prometheus.MustNewConstMetric(o.desc, prometheus.GaugeValue, number(word == now), word)
	}
}
