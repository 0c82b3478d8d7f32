package beater

import (
	"errors"
	"math"
	"time"

	"github.com/txn2/rtbeat/internal/diskqueue"
	"github.com/txn2/rtbeat/internal/intake"
	"github.com/txn2/rtbeat/internal/outputs"
	"github.com/txn2/rtbeat/internal/status"
)

func (bt *Beater) snapshot(a *assembly) status.Numbers {
	in, out := a.server.Counts(), a.publisher.Counts()
	_, _, isHigh := a.admission.High()
	noAck, isStalled := a.registry.Stalled()
	n := status.Numbers{
		Phase:         a.server.Phase(),
		ReceivedBytes: status.Number(in.Bytes), ReceivedBatches: status.Number(in.Batches), ReceivedMessages: status.Number(in.Messages),
		DedupedInFlight: status.Number(in.DedupedInFlight), DedupedDelivered: status.Number(in.DedupedDelivered), Withdrawn: status.Number(in.Withdrawn),
		Acked: status.Number(out.Acked), Filtered: status.Number(out.Filtered), Dropped: status.Number(out.Dropped), LastAck: status.Number(out.LastAck),
		AckDurations: status.Histogram{Bounds: intake.AckBounds, Counts: in.AckDurations},

		Bytes:          bounded(a.inFlightBytes(), int64(bt.config.MaxInFlight)),
		Events:         status.Bounded{Value: status.Number(a.registry.Events()), Limit: bt.libbeatNumber("pipeline.queue.max_events")},
		Requests:       status.Bounded{Value: status.Number(in.Requests), Limit: status.Number(a.server.RequestsLimit())},
		Connections:    bounded(bt.listeners.connections.Open(), bt.listeners.connections.Limit()),
		IsHigh:         isHigh,
		BatchesWaiting: status.Number(a.registry.QueueLength()),
		DedupeEntries:  bounded(a.registry.DedupeEntries(), a.registry.DedupeLimit()),
		Displaced:      status.Number(bt.listeners.connections.Displaced()),
		OldestSeconds:  seconds(a.registry.Oldest()),
		IsStalled:      isStalled,
		NoAckSeconds:   seconds(noAck),
		WindowRepeats:  status.Number(outputs.WindowRepeats()),

		Libbeat: status.Libbeat{
			QueueEvents: status.Bounded{Value: bt.libbeatNumber("pipeline.queue.filled.events"), Limit: bt.libbeatNumber("pipeline.queue.max_events")},
			Retried:     bt.libbeatNumber("pipeline.events.retry"), Failed: bt.libbeatNumber("output.events.failed"),
			Dropped: bt.libbeatNumber("output.events.dropped"), WriteErrors: bt.libbeatNumber("output.write.errors"),
		},
		CertificateExpiry: status.Number(math.NaN()),
		Memory:            status.Number(a.metrics.ResidentBytes()),
	}
	for _, f := range in.Failures {
		n.Failures = append(n.Failures, status.Failure(f))
	}
	if bt.listeners.certificates != nil {
		n.CertificateExpiry = status.Number(bt.listeners.certificates.Expiry().Unix())
	}
	if bt.queue != nil {
		n.Disk = a.shipping.snapshot()
	}
	return n
}

func (s *shipping) snapshot() status.Disk {
	stats := s.queue.Stats()
	_, trouble := s.queue.Trouble()
	isFull := errors.Is(trouble, diskqueue.ErrFull)
	return status.Disk{
		Batches: status.Number(stats.Batches), Bytes: status.Number(stats.Bytes), OldestSeconds: seconds(stats.Oldest),
		Files: bounded(stats.Files, stats.Limit), Stored: status.Number(stats.Stored), Delivered: status.Number(stats.Deleted),
		Retrying: status.Number(s.shipper.Retrying()), IsFull: isFull, HasFailed: trouble != nil && !isFull,
	}
}

func bounded[N int | int64](value, limit N) status.Bounded {
	return status.Bounded{Value: status.Number(value), Limit: status.Number(limit)}
}

func seconds(d time.Duration) status.Number { return status.Number(d.Seconds()) }

// libbeatNumber is NaN if libbeat has no such number, or no queue yet.
func (bt *Beater) libbeatNumber(path string) status.Number {
	return status.Number(bt.libbeat.Number("libbeat." + path))
}
