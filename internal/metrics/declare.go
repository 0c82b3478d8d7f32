package metrics

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Type is what a metric is to Prometheus.
type Type string

// The types that there are.
const (
	Counter   Type = "counter"
	Gauge     Type = "gauge"
	Histogram Type = "histogram"
	Untyped   Type = "untyped"
)

// Declaration is all that is known of a metric before it has a value. It is written once: the scrape has its name, type,
// labels and help from it, and docs/metrics.md all of it.
type Declaration struct {
	Name   string
	Type   Type
	Labels []string
	// Help is a sentence for the scrape, and the first of the manual.
	Help string
	// More is what the manual says besides, in Markdown.
	More string
	// Moves says what it means when it moves, and what to do then.
	Moves string
	// Path is where libbeat has it, for a metric that is libbeat's.
	Path string
	// Buckets are the classic ones of a histogram. It has native ones as well.
	Buckets []float64
}

// Section are metrics of one stop of the walk.
type Section struct {
	Name    string // in the manual
	Metrics []Declaration
}

// Sections are all metrics of rtbeat's own, in the order of the walk. The caller must not change them.
func Sections() []Section {
	return []Section{senders, intake, durable, inFlight, queue, output, process}
}

// declared are the metrics by name.
type declared map[string]Declaration

func newDeclared() declared {
	d := make(declared)
	for _, section := range Sections() {
		for _, m := range section.Metrics {
			if _, twice := d[m.Name]; twice {
				panic("metrics: " + m.Name + " is declared twice")
			}
			d[m.Name] = m
		}
	}
	return d
}

// the returns a declaration. What is not declared, or as something else, is a defect of this package, and no process starts
// with it.
func (d declared) the(name string, t Type) Declaration {
	m, ok := d[name]
	if !ok || m.Type != t {
		panic(fmt.Sprintf("metrics: no %s %s is declared", t, name))
	}
	return m
}

// desc is what a collector of one's own needs.
func (m Declaration) desc() *prometheus.Desc {
	return prometheus.NewDesc(m.Name, m.Help, m.Labels, nil)
}
