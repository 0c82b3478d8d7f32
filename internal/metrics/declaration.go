package metrics

import "github.com/prometheus/client_golang/prometheus"

// Type is the type that Prometheus knows a metric by.
type Type string

// The types of rtbeat's metrics.
const (
	Counter   Type = "counter"
	Gauge     Type = "gauge"
	Histogram Type = "histogram"
	Untyped   Type = "untyped"
)

// Declaration is a metric without its value. The scrape gets its name, labels and help from it, docs/metrics.md gets all of it.
type Declaration struct {
	Name   string
	Labels []string
	Help   string    // one sentence, for the scrape and the manual
	More   string    // further sentences for the manual alone, in Markdown
	Moves  string    // for the manual: the meaning of a change, and the action to take
	Type   Type      // set by the method of Section that registers the metric
	Bounds []float64 // upper bounds of the classic buckets of a histogram
}

// Section is a part of docs/metrics.md. Its methods declare a metric there and register it. They panic when the name is
// registered already: no process starts with such a defect.
type Section struct {
	Name     string
	Declared []Declaration // in the order of registration

	registry *Registry
}

// Declare adds a metric to the manual, and returns the description for a collector. The caller registers the collector.
func (s *Section) Declare(t Type, d Declaration) *prometheus.Desc {
	d.Type = t
	s.Declared = append(s.Declared, d)
	return prometheus.NewDesc(d.Name, d.Help, d.Labels, nil)
}
