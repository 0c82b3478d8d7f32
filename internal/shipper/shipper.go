// Package shipper stores batches in the queue on disk, and delivers them. It loads stored batches and sends them through decode,
// claim, publish and await, as the intake does with a request. A batch that is not delivered is retried, without end.
//
// While no batch waits on the disk, a batch that was just stored is delivered from memory: it is not loaded and decoded again.
package shipper

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/diskqueue"
	"github.com/txn2/rtbeat/internal/inflight"
)

const (
	// maxUnderway is how many batches are under way at most. Admission bounds their bytes.
	maxUnderway = 64
	// maxDecoded limits the bytes of messages that are decoded and not handed over to the pipeline. One batch may exceed it.
	maxDecoded = 2 << 20
	// lookEvery is how often the shipper checks whether a stall is over, or a batch fits in memory.
	lookEvery = 10 * time.Millisecond
	// readAgainAfter is how long the shipper waits after the queue could not be read.
	readAgainAfter = time.Second
	// logInterval is the shortest time between two log lines about failures.
	logInterval = 10 * time.Second
)

// Logger is the part of logp.Logger that the shipper needs.
type Logger interface {
	Errorw(msg string, keysAndValues ...any)
}

// Parts are the parts of rtbeat that the shipper calls.
type Parts struct {
	Queue     *diskqueue.Queue
	Registry  *inflight.Registry
	Admission *inflight.Admission // for the shipper's batches in memory alone
	Log       Logger
}

// Shipper stores and delivers the batches of a queue. Make it with New, then call Run once.
type Shipper struct {
	Parts
	gate     *inflight.Gate
	underway chan struct{} // has a value for each batch under way
	retries  retries
	logged   rate.Sometimes
	behind   atomic.Bool // batches wait on the disk

	isRetryFirst bool         // only Run uses it
	failing      atomic.Int64 // batches that failed and are not delivered

	mu       sync.Mutex
	stopping bool
	batches  sync.WaitGroup // under way; not added to while stopping
}

// New returns a Shipper that does not run yet.
func New(parts Parts) *Shipper {
	return &Shipper{
		Parts:    parts,
		gate:     parts.Registry.NewGate(maxDecoded),
		underway: make(chan struct{}, maxUnderway),
		retries:  retries{due: make(chan struct{}, 1)},
		logged:   rate.Sometimes{Interval: logInterval},
	}
}

// Store stores a batch of these messages, and returns when it is on the disk. known is the number of messages that were stored
// before. keys and err are as in diskqueue.Queue.Append. The Shipper owns the messages afterwards. Any goroutine may call Store.
func (s *Shipper) Store(ctx context.Context, r diskqueue.Record, messages []batch.Message, keys []batch.Key) (known int, err error) {
	reservation := s.reserveNow(r.Weight)
	ref, indexes, err := s.Queue.Append(ctx, r, keys, reservation != nil)
	if reservation == nil {
		return len(indexes), err
	}
	if err != nil || ref == (diskqueue.Ref{}) {
		reservation.Release()
		s.done()
		return len(indexes), err
	}
	r.Skip = indexes
	go func() {
		defer s.done()
		s.ship(newShipment(attempt{ref: ref}, r.Header, messages), nil, reservation)
	}()
	return len(indexes), nil
}

// reserveNow makes a reservation for a batch that is shipped as soon as it is stored, and counts the batch as under way until done.
// It returns nil while stored batches wait, maxUnderway are under way, no memory is free, or the retries are at their limit.
func (s *Shipper) reserveNow(weight int64) *inflight.Reservation {
	if _, isStalled := s.Registry.Stalled(); isStalled || s.behind.Load() || s.retries.isFull() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return nil
	}
	select {
	case s.underway <- struct{}{}:
	default:
		return nil
	}
	reservation := s.reserveMemory(weight)
	if reservation == nil {
		<-s.underway
		return nil
	}
	s.batches.Add(1)
	return reservation
}

// reserveMemory returns nil if the memory of a batch is not free.
func (s *Shipper) reserveMemory(weight int64) *inflight.Reservation {
	r, err := s.Admission.Open(weight)
	if err != nil || r.Grow(weight) != nil {
		return nil
	}
	return r
}

// done says that a batch is not under way any more.
func (s *Shipper) done() {
	<-s.underway
	s.batches.Done()
}

// Trouble returns the trouble of the queue.
func (s *Shipper) Trouble() (age time.Duration, err error) { return s.Queue.Trouble() }

// Retrying is the number of batches that failed and are not delivered yet, also of retries under way. A stall of the output is no
// failure. Any goroutine may call Retrying.
func (s *Shipper) Retrying() int { return int(s.failing.Load()) }

// Run takes batches until ctx ends, and returns when the batches under way are done. Other batches stay in the queue.
// A batch under way ends when the output is done with it, or when the registry is sealed.
func (s *Shipper) Run(ctx context.Context) {
	defer func() {
		s.mu.Lock()
		s.stopping = true
		s.mu.Unlock()
		s.batches.Wait()
	}()
	for {
		a, ok := s.next(ctx)
		if !ok {
			return
		}
		reservation := s.reserve(ctx, a.ref.Weight)
		if reservation == nil {
			return
		}
		decodeSlot := s.gate.Enter(ctx, a.ref.Weight)
		record, err := s.Queue.Load(a.ref)
		if err != nil {
			decodeSlot.Leave()
			reservation.Release()
			s.done()
			s.fail(a, err)
			continue
		}
		go func() {
			defer s.done()
			defer decodeSlot.Leave()
			sh, err := decode(a, record)
			if err != nil {
				reservation.Release()
				s.fail(a, err)
				return
			}
			if a.failures > 0 {
				s.noteDelivered(sh)
			}
			s.ship(sh, decodeSlot, reservation)
		}()
	}
}

// next waits for a batch, while the output acknowledges. It is false when ctx has ended.
func (s *Shipper) next(ctx context.Context) (attempt, bool) {
	for ctx.Err() == nil {
		a, ok, wait := s.tryNext()
		if ok {
			return a, true
		}
		select {
		case <-ctx.Done():
		case <-s.Queue.Added():
		case <-s.retries.due:
		case <-time.After(wait):
		}
	}
	return attempt{}, false
}

// tryNext returns the batch to deliver now, or the longest time to wait before the next call. It alternates between retries and
// other batches.
func (s *Shipper) tryNext() (a attempt, ok bool, wait time.Duration) {
	if _, isStalled := s.Registry.Stalled(); isStalled {
		return attempt{}, false, lookEvery
	}
	s.isRetryFirst = !s.isRetryFirst
	if s.isRetryFirst {
		if a, ok := s.retries.take(time.Now()); ok {
			return a, true, 0
		}
	}
	if !s.retries.isFull() {
		ref, ok, err := s.Queue.Next()
		s.behind.Store(ok)
		if err != nil {
			s.logged.Do(func() { s.Log.Errorw("the queue cannot be read", "error.message", err.Error()) })
		}
		if ok {
			return attempt{ref: ref}, true, 0
		}
		if err != nil {
			return attempt{}, false, min(readAgainAfter, s.retries.nextIn(time.Now()))
		}
	}
	a, ok = s.retries.take(time.Now())
	return a, ok, s.retries.nextIn(time.Now())
}

// reserve waits until fewer than maxUnderway batches are under way, and for the memory of a batch, which is under way until done. A
// batch that weighs more than the limit takes all of it. reserve returns nil when ctx has ended.
func (s *Shipper) reserve(ctx context.Context, weight int64) *inflight.Reservation {
	select {
	case s.underway <- struct{}{}:
		s.batches.Add(1)
	case <-ctx.Done():
		return nil
	}
	weight = min(weight, s.Admission.Limit())
	for ctx.Err() == nil {
		if r := s.reserveMemory(weight); r != nil {
			return r
		}
		s.behind.Store(true) // until tryNext sets it: reserveNow must not take the memory meanwhile
		select {
		case <-ctx.Done():
		case <-time.After(lookEvery):
		}
	}
	s.done()
	return nil
}

// fail adds a batch to the retries. A stall of the output does not count as a failure.
func (s *Shipper) fail(a attempt, err error) {
	if _, isStalled := errors.AsType[*inflight.StalledError](err); !isStalled {
		a.failures++
		if a.failures == 1 {
			s.failing.Add(1)
		}
		s.logged.Do(func() {
			s.Log.Errorw("a stored batch was not delivered; rtbeat retries it", "batch", a.ref.Number, "attempts", a.failures,
				"batches_failing", s.Retrying(), "error.message", err.Error())
		})
	}
	s.retries.add(a, time.Now())
}
