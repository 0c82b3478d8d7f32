package beater

import (
	"context"
	"errors"
	"fmt"

	"github.com/elastic/elastic-agent-libs/logp"
	"github.com/elastic/elastic-agent-libs/paths"

	"github.com/txn2/rtbeat/config"
	"github.com/txn2/rtbeat/internal/diskqueue"
	"github.com/txn2/rtbeat/internal/inflight"
	"github.com/txn2/rtbeat/internal/intake"
	"github.com/txn2/rtbeat/internal/metrics"
	"github.com/txn2/rtbeat/internal/shipper"
)

// openQueue opens the queue on disk; it returns nil without durable mode.
func openQueue(c config.Config, log *logp.Logger) (*diskqueue.Queue, error) {
	s := c.Durable
	s.Path, s.Dedupe = paths.Resolve(paths.Data, s.Path), c.Dedupe
	if !s.Enabled {
		if holdsBatches(s.Path) {
			log.Warnf("durable mode is off, and the queue in %s has undelivered batches with a 200: switch durable mode on until they are delivered (docs/durable.md)", s.Path)
		}
		return nil, nil
	}
	log.Infof("durable mode: a 200 means that the batch is on the disk; reading the queue in %s before serving", s.Path)
	queue, err := diskqueue.Open(s)
	if damage, ok := errors.AsType[*diskqueue.DamagedError](err); ok {
		return nil, fmt.Errorf("%w. Save the readable batches with \"rtbeat queue export\", move %s away, start rtbeat, and post the saved batches (docs/durable.md)", damage, s.Path)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the queue on disk (rtbeat.durable.path): %w", err)
	}
	stats := queue.Stats()
	log.Infow(fmt.Sprintf("durable mode: %d batches wait to be delivered", stats.Batches), "bytes", stats.Bytes, "max_bytes", stats.Limit)
	return queue, nil
}

var errFound = errors.New("a batch is there")

// holdsBatches tells whether a queue that is not open has batches.
func holdsBatches(path string) bool {
	_, err := diskqueue.Read(path, func(diskqueue.ExportedBatch) error { return errFound })
	return errors.Is(err, errFound)
}

// ack is the meaning of a 200. In durable mode it is the write to disk, for every output.
func (bt *Beater) ack() intake.Ack {
	switch {
	case bt.queue != nil:
		return intake.Persisted
	case bt.unconfirmed:
		return intake.Processed
	default:
		return intake.Delivered
	}
}

// shipping delivers the batches of the queue on disk. The zero value is memory mode: its methods do nothing.
type shipping struct {
	queue     *diskqueue.Queue
	admission *inflight.Admission
	shipper   *shipper.Shipper
	stop      func() // ends the shipper and waits for the batches under way; set by start
}

// newShipping makes the shipper of a queue. inFlight is the limit of its messages in memory, in bytes. queue may be nil.
func newShipping(queue *diskqueue.Queue, registry *inflight.Registry, inFlight int64, log *logp.Logger) shipping {
	if queue == nil {
		return shipping{}
	}
	s := shipping{queue: queue, admission: inflight.NewAdmission(inFlight)}
	s.shipper = shipper.New(shipper.Parts{Queue: queue, Registry: registry, Admission: s.admission, Log: log.Named("shipper")})
	return s
}

func (s *shipping) start() {
	if s.queue == nil {
		return
	}
	s.stop = background(s.shipper.Run)
}

// finish stops taking batches, and waits for the batches under way.
func (s *shipping) finish(ctx context.Context) error {
	if s.queue == nil {
		return nil
	}
	return within(ctx, func() error { s.stop(); return nil })
}

// close waits for the batches under way, which end because the registry is sealed, and closes the queue. It returns the counts
// of the batches that stay on disk. After ctx it returns the counts of that moment.
func (s *shipping) close(ctx context.Context) (left diskqueue.Stats, err error) {
	if s.queue == nil {
		return left, nil
	}
	err = within(ctx, func() error {
		s.stop()
		return s.queue.Close() // deletes the delivered batches
	})
	return s.queue.Counts(), err
}

func (s *shipping) register(r *metrics.Registry) {
	if s.queue == nil {
		return
	}
	s.queue.Register(r)
	s.shipper.Register(r)
}

func (s *shipping) inFlight() int64 {
	if s.queue == nil {
		return 0
	}
	return s.admission.Used()
}
