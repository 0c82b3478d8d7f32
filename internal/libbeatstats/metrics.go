package libbeatstats

import (
	"math"
	"strings"

	"github.com/txn2/rtbeat/internal/metrics"
)

// pathQueueLimit is the path of the number of events that libbeat's queue holds.
const pathQueueLimit = "libbeat.pipeline.queue.max_events"

// number is a number of libbeat that rtbeat shows as a metric.
type number struct {
	section, path string
	metrics.Declaration
}

var numbers = []number{
	{"in flight", pathQueueLimit, metrics.Declaration{
		Name: "rtbeat_in_flight_events_limit", Type: metrics.Gauge,
		Help:  "How many events libbeat's queue holds; absent where libbeat does not say.",
		More:  "`queue.mem.events`, 3,200 by default.",
		Moves: "Never while the process lives.",
	}},
	{"queue", "libbeat.pipeline.queue.filled.events", metrics.Declaration{
		Name: "rtbeat_libbeat_queue_events", Type: metrics.Gauge,
		Help:  "Events in libbeat's queue, those on their way to the output included.",
		Moves: "At its limit, publishing waits for the output.",
	}},
	{"queue", pathQueueLimit, metrics.Declaration{
		Name: "rtbeat_libbeat_queue_events_limit", Type: metrics.Gauge,
		Help:  "How many events libbeat's queue holds; absent where libbeat does not say.",
		Moves: "Alert on the ratio of the two.",
	}},
	{"queue", "libbeat.pipeline.clients", metrics.Declaration{
		Name: "rtbeat_libbeat_pipeline_clients", Type: metrics.Gauge,
		Help:  "Clients of libbeat's pipeline: a publishing worker has one each.",
		Moves: "Never between start and stop.",
	}},
	{"output", "libbeat.output.events.acked", metrics.Declaration{
		Name: "rtbeat_libbeat_output_events_acked_total", Type: metrics.Counter,
		Help:  "Events that the output's receiver accepted, as libbeat counts them.",
		Moves: "As `rtbeat_events_acked_total`, events that the output gave up included.",
	}},
	{"output", "libbeat.output.events.failed", metrics.Declaration{
		Name: "rtbeat_libbeat_output_events_failed_total", Type: metrics.Counter,
		Help:  "Events that the output failed to send, and that are sent again.",
		Moves: "Connections to Logstash break, or it refuses what it gets. Each is a chance of a copy.",
	}},
	{"output", "libbeat.output.events.dropped", metrics.Declaration{
		Name: "rtbeat_libbeat_output_events_dropped_total", Type: metrics.Counter,
		Help:  "Events that the output gave up, because they can never be sent.",
		Moves: "Their batches are answered 502 `output_rejected`; in durable mode they are tried again. With Logstash it stays 0.",
	}},
	{"output", "libbeat.pipeline.events.retry", metrics.Declaration{
		Name: "rtbeat_libbeat_output_events_retried_total", Type: metrics.Counter,
		Help:  "Events that an output worker sent back, to be sent again.",
		Moves: "As the failed ones; a lost connection sends back all of its windows.",
	}},
	{"output", "libbeat.output.events.active", metrics.Declaration{
		Name: "rtbeat_libbeat_output_events_active", Type: metrics.Gauge,
		Help:  "Events sent to the output's receiver and not yet accepted.",
		Moves: "Resting above zero: Logstash has them and does not acknowledge.",
	}},
	{"output", "libbeat.output.events.batches", metrics.Declaration{
		Name: "rtbeat_libbeat_output_batches_total", Type: metrics.Counter,
		Help:  "Windows given to the output.",
		Moves: "The rate of acknowledged events by this one's is how large they are.",
	}},
	{"output", "libbeat.output.write.bytes", metrics.Declaration{
		Name: "rtbeat_libbeat_output_write_bytes_total", Type: metrics.Counter,
		Help:  "Bytes that the output has written to its connections, compressed.",
		Moves: "Its rate is the load of the network.",
	}},
	{"output", "libbeat.output.write.errors", metrics.Declaration{
		Name: "rtbeat_libbeat_output_write_errors_total", Type: metrics.Counter,
		Help:  "Errors in writing to the output's connections.",
		Moves: "Connections to Logstash break. Its log, or what is between, says why.",
	}},
}

// Register registers libbeat's numbers as metrics. A number that libbeat does not have is left out of the scrape: libbeat
// makes some of them with the output, and other outputs have others.
func (s *Stats) Register(r *metrics.Registry) {
	g := &metrics.Group[*Stats]{Read: func() *Stats { return s }}
	for _, n := range numbers {
		n.More = strings.TrimSpace(n.More + " In libbeat: `" + n.path + "`.")
		add := g.Gauge
		if n.Type == metrics.Counter {
			add = g.Counter
		}
		add(r.Section(n.section), n.Declaration, func(s *Stats) float64 { return s.Number(n.path) })
	}
	r.MustRegister(g)
}

// Number returns the number at path. It is NaN where libbeat has none. The limit of the queue is 0 until libbeat has made the
// queue, which is none.
func (s *Stats) Number(path string) float64 {
	value, ok := s.Value(path)
	if !ok || path == pathQueueLimit && value == 0 {
		return math.NaN()
	}
	return value
}
