// Package libbeatstats reads libbeat's numbers of its queue and its output. libbeat's own endpoint (http.enabled) shows the same
// numbers at /stats.
package libbeatstats

import "github.com/elastic/elastic-agent-libs/monitoring"

// Stats are the numbers of one process.
type Stats struct{ registry *monitoring.Registry }

// New returns the numbers in registry, which may be empty yet, or nil.
func New(registry *monitoring.Registry) *Stats { return &Stats{registry} }

// Value returns the number at path, such as libbeat.output.events.acked; false if there is none. libbeat makes its numbers when it
// makes the queue and the output, and makes new ones, from 0, with another output. Any goroutine may call Value.
//
// A gauge that libbeat counted below zero is below zero here; in libbeat's JSON it is about 2^63.
func (s *Stats) Value(path string) (value float64, ok bool) {
	if s.registry == nil {
		return 0, false
	}
	switch v := s.registry.Get(path).(type) {
	case *monitoring.Uint:
		return float64(int64(v.Get())), true //nolint:gosec // it is counted up and down, and wraps
	case *monitoring.Int:
		return float64(v.Get()), true
	case *monitoring.Float:
		return v.Get(), true
	default:
		return 0, false
	}
}
