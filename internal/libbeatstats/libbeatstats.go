// Package libbeatstats reads libbeat's numbers of its queue and its output. libbeat's own endpoint (http.enabled) shows the same
// numbers at /stats.
package libbeatstats

import (
	"math"

	"github.com/elastic/elastic-agent-libs/monitoring"
)

// Stats are the numbers of one process.
type Stats struct{ registry *monitoring.Registry }

// New returns the numbers in registry, which may be empty yet, or nil.
func New(registry *monitoring.Registry) *Stats { return &Stats{registry} }

// Number returns the number at path, such as libbeat.output.events.acked, or NaN if there is none. libbeat makes its numbers when it
// makes the queue and the output, and makes new ones, from 0, with another output. The limit of the queue is 0 until libbeat has
// made the queue: NaN. Any goroutine may call Number.
//
// A gauge that libbeat counted below zero is below zero here; in libbeat's JSON it is about 2^63.
func (s *Stats) Number(path string) (n float64) {
	if s.registry == nil {
		return math.NaN()
	}
	switch v := s.registry.Get(path).(type) {
	case *monitoring.Uint:
		n = float64(int64(v.Get())) //nolint:gosec // it is counted up and down, and wraps
	case *monitoring.Int:
		n = float64(v.Get())
	case *monitoring.Float:
		n = v.Get()
	default:
		return math.NaN()
	}
	if path == pathQueueLimit && n == 0 {
		return math.NaN()
	}
	return n
}
