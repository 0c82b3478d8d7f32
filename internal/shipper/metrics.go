package shipper

import "github.com/txn2/rtbeat/internal/metrics"

// Register registers the metric of the shipper.
func (s *Shipper) Register(r *metrics.Registry) {
	r.Section("durable mode").GaugeFunc(metrics.Declaration{
		Name:  "rtbeat_queue_retrying_batches",
		Help:  "Batches in the queue on disk that failed at least once, and are retried.",
		More:  "They wait up to a minute between two attempts, and do not delay other batches. A stall of the output does not count.",
		Moves: "Above zero for long: a batch cannot be delivered. The log has its number and the reason. [Alert](runbooks.md#rtbeatdurableretries).",
	}, func() float64 { return float64(s.Retrying()) })
}
