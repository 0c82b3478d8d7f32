package diskqueue

import (
	"errors"

	"github.com/txn2/rtbeat/internal/metrics"
)

type reading struct {
	Stats
	trouble error
}

// Register registers the metrics of the queue. Each scrape calls Stats once.
func (q *Queue) Register(r *metrics.Registry) {
	r.MustRegister(group(r.Section("durable mode"), func() reading {
		_, trouble := q.Trouble()
		return reading{q.Stats(), trouble}
	}))
}

func group(durable *metrics.Section, read func() reading) *metrics.Group[reading] {
	g := &metrics.Group[reading]{Read: read}
	g.Gauge(durable, metrics.Declaration{
		Name:  "rtbeat_queue_batches",
		Help:  "Undelivered batches in the queue on disk.",
		Moves: "Grows while the output is down or slower than the senders. Senders get 200 meanwhile.",
	}, func(q reading) float64 { return float64(q.Batches) })
	g.Gauge(durable, metrics.Declaration{
		Name:  "rtbeat_queue_bytes",
		Help:  "Bytes of the undelivered batches in the queue on disk.",
		Moves: "As the batches.",
	}, func(q reading) float64 { return float64(q.Bytes) })
	g.Gauge(durable, metrics.Declaration{
		Name:  "rtbeat_queue_oldest_seconds",
		Help:  "Age of the oldest batch in the queue on disk; 0 without one.",
		Moves: "Grows by a second each second: the output is down, or this batch cannot be delivered. [Alert](runbooks.md#rtbeatdurablelate).",
	}, func(q reading) float64 { return q.Oldest.Seconds() })
	g.Gauge(durable, metrics.Declaration{
		Name:  "rtbeat_queue_file_bytes",
		Help:  "Size of the files of the queue on disk.",
		More:  "rtbeat makes a file of up to 64 MiB at once, and removes it when all of its batches are delivered. So this is more than `rtbeat_queue_bytes`, also while the queue is empty.",
		Moves: "At its limit, rtbeat refuses batches with `queue_full`.",
	}, func(q reading) float64 { return float64(q.Files) })
	g.Gauge(durable, metrics.Declaration{
		Name:  "rtbeat_queue_file_bytes_limit",
		Help:  "The limit of rtbeat_queue_file_bytes (durable.max_bytes).",
		Moves: "Never while the process lives. Alert on the ratio of the two, and on the time until they meet: [alert](runbooks.md#rtbeatdurablequeuefills).",
	}, func(q reading) float64 { return float64(q.Limit) })
	g.Counter(durable, metrics.Declaration{
		Name:  "rtbeat_queue_stored_bytes_total",
		Help:  "Bytes of batches written to the queue on disk.",
		Moves: "Its rate less the rate of `rtbeat_queue_delivered_bytes_total` is the speed at which the queue fills, or drains below zero.",
	}, func(q reading) float64 { return float64(q.Stored) })
	g.Counter(durable, metrics.Declaration{
		Name:  "rtbeat_queue_delivered_bytes_total",
		Help:  "Bytes of batches deleted from the queue on disk, because they are delivered.",
		Moves: "Flat while `rtbeat_queue_batches` is above zero: nothing is delivered.",
	}, func(q reading) float64 { return float64(q.Deleted) })
	g.Gauge(durable, metrics.Declaration{
		Name:  "rtbeat_queue_full",
		Help:  "1 while the queue on disk has no space for a batch, else 0.",
		More:  "`durable.max_bytes` is reached, or the disk is full.",
		Moves: "`/readyz` and the answers are 503 `queue_full`. [Alert](runbooks.md#rtbeatdurablequeuefull).",
	}, func(q reading) float64 { return metrics.Bool(errors.Is(q.trouble, ErrFull)) })
	g.Gauge(durable, metrics.Declaration{
		Name:  "rtbeat_queue_failed",
		Help:  "1 while the queue on disk cannot be written, and from the moment that a file is found damaged, else 0.",
		Moves: "`/readyz` is 503 `queue_failed`, and so are the answers while nothing can be written. [Alert](runbooks.md#rtbeatdurablequeuefailed).",
	}, func(q reading) float64 { return metrics.Bool(q.trouble != nil && !errors.Is(q.trouble, ErrFull)) })
	return g
}
