package libbeatstats

import (
	"strings"

	"github.com/txn2/rtbeat/internal/metrics"
)

// pathQueueLimit is the path of the capacity of libbeat's queue, in events.
const pathQueueLimit = "libbeat.pipeline.queue.max_events"

type number struct {
	section, path string
	metrics.Declaration
}

var numbers = []number{
	{"in flight", pathQueueLimit, metrics.Declaration{
		Name: "rtbeat_in_flight_events_limit", Type: metrics.Gauge,
		Help:  "Capacity of libbeat's queue, in events; absent if libbeat does not have it.",
		More:  "`queue.mem.events`, 3,200 by default.",
		Moves: "Never while the process lives.",
	}},
	{"queue", "libbeat.pipeline.queue.filled.events", metrics.Declaration{
		Name: "rtbeat_libbeat_queue_events", Type: metrics.Gauge,
		Help:  "Events in libbeat's queue, including events at the output.",
		Moves: "At its limit, publishing waits for the output.",
	}},
	{"queue", pathQueueLimit, metrics.Declaration{
		Name: "rtbeat_libbeat_queue_events_limit", Type: metrics.Gauge,
		Help:  "Capacity of libbeat's queue, in events; absent if libbeat does not have it.",
		Moves: "Alert on the ratio of the two.",
	}},
	{"queue", "libbeat.pipeline.clients", metrics.Declaration{
		Name: "rtbeat_libbeat_pipeline_clients", Type: metrics.Gauge,
		Help:  "Clients of libbeat's pipeline: one for each publishing worker, and one more for each source with `fields`.",
		Moves: "Never between start and stop.",
	}},
	{"output", "libbeat.output.events.acked", metrics.Declaration{
		Name: "rtbeat_libbeat_output_events_acked_total", Type: metrics.Counter,
		Help:  "Acknowledged events, as libbeat counts them.",
		Moves: "As `rtbeat_events_acked_total`, with the events that the output gave up.",
	}},
	{"output", "libbeat.output.events.failed", metrics.Declaration{
		Name: "rtbeat_libbeat_output_events_failed_total", Type: metrics.Counter,
		Help:  "Events that the output failed to send, and sends again.",
		Moves: "Connections to Logstash break, or Logstash refuses events. Each may become a copy.",
	}},
	{"output", "libbeat.output.events.dropped", metrics.Declaration{
		Name: "rtbeat_libbeat_output_events_dropped_total", Type: metrics.Counter,
		Help:  "Events that the output gave up, because they can never be sent.",
		Moves: "Their batches get 502 `output_rejected`; in durable mode rtbeat retries them. With Logstash it stays 0.",
	}},
	{"output", "libbeat.pipeline.events.retry", metrics.Declaration{
		Name: "rtbeat_libbeat_output_events_retried_total", Type: metrics.Counter,
		Help:  "Events that an output worker sent back, to be sent again.",
		Moves: "As the failed events. A lost connection sends back all of its windows.",
	}},
	{"output", "libbeat.output.events.active", metrics.Declaration{
		Name: "rtbeat_libbeat_output_events_active", Type: metrics.Gauge,
		Help:  "Events at the output, without acknowledgement.",
		Moves: "Above zero for long: Logstash has them and does not acknowledge.",
	}},
	{"output", "libbeat.output.events.batches", metrics.Declaration{
		Name: "rtbeat_libbeat_output_batches_total", Type: metrics.Counter,
		Help:  "Windows that the output got.",
		Moves: "The rate of acknowledged events divided by this rate is the size of a window.",
	}},
	{"output", "libbeat.output.write.bytes", metrics.Declaration{
		Name: "rtbeat_libbeat_output_write_bytes_total", Type: metrics.Counter,
		Help:  "Bytes that the output has written to its connections, compressed.",
		Moves: "Its rate is the load of the network.",
	}},
	{"output", "libbeat.output.write.errors", metrics.Declaration{
		Name: "rtbeat_libbeat_output_write_errors_total", Type: metrics.Counter,
		Help:  "Errors in writing to the output's connections.",
		Moves: "Connections to Logstash break. Look at Logstash's log, and at proxies and firewalls.",
	}},
}

// Register registers libbeat's numbers as metrics. A scrape leaves out the numbers that libbeat does not have: libbeat makes some of
// them with the output, and outputs differ.
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
