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
		Acked: status.Number(out.Acked), LastAck: status.Number(out.LastAck),
		AckDurations: status.Histogram{Bounds: intake.AckBounds, Counts: in.AckDurations},
		Failures:     in.Failures,
		Sources:      in.Sources,

		InFlight: status.InFlight{
			Bytes:       bounded(a.inFlightBytes(), int64(bt.config.MaxInFlight)),
			Events:      status.Bounded{Value: status.Number(a.registry.Events()), Limit: bt.libbeatNumber("pipeline.queue.max_events")},
			Requests:    status.Bounded{Value: status.Number(in.Requests), Limit: status.Number(a.server.RequestsLimit())},
			Connections: bounded(bt.listeners.connections.Open(), bt.listeners.connections.Limit()),
		},
		IsHigh: isHigh,
		Output: status.Output{
			Stalled: isStalled, NoAckSeconds: seconds(noAck), OldestUnacknowledgedSeconds: seconds(a.registry.Oldest()),
			RetriedTotal: bt.libbeatNumber("pipeline.events.retry"), FailedTotal: bt.libbeatNumber("output.events.failed"),
			DroppedTotal: bt.libbeatNumber("output.events.dropped"), WriteErrorsTotal: bt.libbeatNumber("output.write.errors"),
		},
		Queue: status.Queue{
			Events:         status.Bounded{Value: bt.libbeatNumber("pipeline.queue.filled.events"), Limit: bt.libbeatNumber("pipeline.queue.max_events")},
			BatchesWaiting: status.Number(a.registry.QueueLength()),
		},
		Retries: status.Retries{
			Entries:              bounded(a.registry.DedupeEntries(), a.registry.DedupeLimit()),
			DedupedInFlightTotal: status.Number(in.DedupedInFlight), DedupedDeliveredTotal: status.Number(in.DedupedDelivered),
			FilteredTotal: status.Number(out.Filtered), WithdrawnTotal: status.Number(in.Withdrawn), DroppedTotal: status.Number(out.Dropped),
		},
		Displaced:         status.Number(bt.listeners.connections.Displaced()),
		WindowRepeats:     status.Number(outputs.WindowRepeats()),
		CertificateExpiry: status.Number(math.NaN()),
		Memory:            status.Number(a.metrics.ResidentBytes()),
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
