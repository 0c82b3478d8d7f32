package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// OnDisk is what is in the queue on disk, and what went through it.
type OnDisk struct {
	Batches           int
	Bytes             int64 // of those
	Oldest            time.Duration
	Files, FilesLimit int64 // bytes
	Stored, Delivered int64 // bytes, since the start
	Retrying          int   // batches
	IsFull, HasFailed bool
}

// onDisk shows the queue on disk. It is read once for a scrape, for that reads the disk.
type onDisk struct {
	descs []*prometheus.Desc // of onDiskValues
	read  func() OnDisk
}

var onDiskValues = []struct {
	name  string
	kind  Type
	value func(OnDisk) float64
}{
	{"rtbeat_queue_batches", Gauge, func(q OnDisk) float64 { return float64(q.Batches) }},
	{"rtbeat_queue_bytes", Gauge, func(q OnDisk) float64 { return float64(q.Bytes) }},
	{"rtbeat_queue_oldest_seconds", Gauge, func(q OnDisk) float64 { return q.Oldest.Seconds() }},
	{"rtbeat_queue_file_bytes", Gauge, func(q OnDisk) float64 { return float64(q.Files) }},
	{"rtbeat_queue_file_bytes_limit", Gauge, func(q OnDisk) float64 { return float64(q.FilesLimit) }},
	{"rtbeat_queue_stored_bytes_total", Counter, func(q OnDisk) float64 { return float64(q.Stored) }},
	{"rtbeat_queue_delivered_bytes_total", Counter, func(q OnDisk) float64 { return float64(q.Delivered) }},
	{"rtbeat_queue_retrying_batches", Gauge, func(q OnDisk) float64 { return float64(q.Retrying) }},
	{"rtbeat_queue_full", Gauge, func(q OnDisk) float64 { return number(q.IsFull) }},
	{"rtbeat_queue_failed", Gauge, func(q OnDisk) float64 { return number(q.HasFailed) }},
}

func newOnDisk(d declared, read func() OnDisk) *onDisk {
	o := &onDisk{read: read}
	for _, v := range onDiskValues {
		o.descs = append(o.descs, d.the(v.name, v.kind).desc())
	}
	return o
}

// Describe is for prometheus.Collector.
func (o *onDisk) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range o.descs {
		ch <- desc
	}
}

// Collect is for prometheus.Collector.
func (o *onDisk) Collect(ch chan<- prometheus.Metric) {
	now := o.read()
	for i, v := range onDiskValues {
		kind := prometheus.GaugeValue
		if v.kind == Counter {
			kind = prometheus.CounterValue
		}
		ch <- prometheus.MustNewConstMetric(o.descs[i], kind, v.value(now))
	}
}
