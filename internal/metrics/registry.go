// Package metrics makes metrics of declarations, and serves them. A package of rtbeat declares and registers its own metrics,
// on the Registry that it is given, beside the code that counts. tools/metrics writes docs/metrics.md from the declarations.
package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Registry has the metrics of one instance of rtbeat. Register all of them before the first scrape.
type Registry struct {
	*prometheus.Registry
	sections []*Section
}

// NewRegistry returns a registry with the metrics of the Go runtime and the process.
func NewRegistry() *Registry {
	r := &Registry{Registry: prometheus.NewRegistry()}
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return r
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
