// Package libbeatstats reads the numbers that libbeat keeps of its queue and its output, those that its own JSON endpoint
// (http.enabled) shows under /stats.
package libbeatstats

import "github.com/elastic/elastic-agent-libs/monitoring"

// Stats are the numbers of one process. The nil Stats has none.
type Stats struct {
	registry *monitoring.Registry
}

// New returns the numbers that stand in registry and below. It may be empty yet, or nil.
func New(registry *monitoring.Registry) *Stats {
	if registry == nil {
		return nil
	}
	return &Stats{registry: registry}
}

// Value returns the number at path, such as libbeat.output.events.acked, and whether there is one: libbeat makes its numbers
// when it makes the queue and the output, and makes them anew, from 0, with another output. It may be called from any
// goroutine, and takes a few read locks.
//
// A gauge of libbeat's that went below zero is below zero here; in its JSON it is about 2^63.
func (s *Stats) Value(path string) (value float64, ok bool) {
	if s == nil {
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
