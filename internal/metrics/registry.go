// Package metrics makes metrics of declarations, and serves them. A package of rtbeat declares and registers its own metrics,
// on the Registry that it is given, beside the code that counts. tools/metrics writes docs/metrics.md from the declarations.
package metrics

import (
	"math"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Registry has the metrics of one instance of rtbeat. Register all of them before the first scrape.
type Registry struct {
	*prometheus.Registry
	process  *prometheus.Registry // has the metrics of the process alone
	sections []*Section
}

// NewRegistry returns a registry with the metrics of the Go runtime and the process.
func NewRegistry() *Registry {
	r := &Registry{Registry: prometheus.NewRegistry(), process: prometheus.NewRegistry()}
	process := collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})
	r.MustRegister(collectors.NewGoCollector(), process)
	r.process.MustRegister(process)
	return r
}

// ResidentBytes is the memory that the process has, as process_resident_memory_bytes says; NaN where that cannot be read.
func (r *Registry) ResidentBytes() float64 {
	families, _ := r.process.Gather() // a value that cannot be read is missing
	for _, family := range families {
		if family.GetName() == "process_resident_memory_bytes" {
			return family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return math.NaN()
}

// Section returns the section of docs/metrics.md with this name. The first call makes it.
func (r *Registry) Section(name string) *Section {
	for _, s := range r.sections {
		if s.Name == name {
			return s
		}
	}
	s := &Section{Name: name, registry: r}
	r.sections = append(r.sections, s)
	return s
}

// Sections returns all sections. The caller must not change them.
func (r *Registry) Sections() []*Section { return r.sections }

// maxScrapes bounds the requests for metrics that are served at once. One takes about 250 KB, which no other limit counts. On
// the port of the senders everybody may ask, with each stream of an HTTP/2 connection. The admin listener has no more
// connections than this.
const maxScrapes = 64

// Handler serves the metrics in the Prometheus text format, as OpenMetrics, or as protobuf with native histograms; the request
// chooses. Beyond maxScrapes at once it answers 503.
func (r *Registry) Handler() http.Handler {
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{Registry: r, EnableOpenMetrics: true, MaxRequestsInFlight: maxScrapes})
}
