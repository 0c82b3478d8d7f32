// Package shipper delivers what is stored. It takes batches from the queue on disk and sends them through decode, claim,
// publish and await, as the intake does with a request. A batch that is not delivered is tried again, for ever.
package shipper

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/diskqueue"
	"github.com/txn2/rtbeat/internal/inflight"
)

const (
	// maxUnderway is how many batches are under way at most. Admission bounds their bytes.
	maxUnderway = 64
	// maxDecoded is how many bytes of messages may be decoded and not handed over to the pipeline, beside one batch.
	maxDecoded = 2 << 20
	// lookEvery is how often the shipper looks whether the output acknowledges again, or there is room for a batch.
	lookEvery = 10 * time.Millisecond
	// logInterval is how often the log says at most that a batch was not delivered.
	logInterval = 10 * time.Second
)

// Logger is the part of logp.Logger that the shipper needs.
type Logger interface {
	Errorw(msg string, keysAndValues ...any)
}

// Parts are what the shipper works with.
type Parts struct {
	Queue     *diskqueue.Queue
	Registry  *inflight.Registry
	Admission *inflight.Admission // of what the shipper has in memory; nobody else's
	Log       Logger
}

// Shipper delivers the batches of a queue. Make it with New, then call Run once.
type Shipper struct {
	Parts
	backlog *inflight.Backlog
	slots   chan struct{}  // of batches under way
	batches sync.WaitGroup // under way
	retries retries
	logged  rate.Sometimes
}

// New returns a Shipper that does not run yet.
func New(parts Parts) *Shipper {
	return &Shipper{
		Parts:   parts,
		backlog: parts.Registry.NewBacklog(maxDecoded),
		slots:   make(chan struct{}, maxUnderway),
		retries: retries{due: make(chan struct{}, 1)},
		logged:  rate.Sometimes{Interval: logInterval},
	}
}

// Retrying is the number of batches that were not delivered, and wait to be tried again. It may be called from any goroutine.
func (s *Shipper) Retrying() int { return s.retries.len() }

// Run takes batches until ctx ends, and returns when the batches under way are done. What is not delivered stays in the queue.
// A batch under way ends when the output is done with it, or when the registry is sealed.
func (s *Shipper) Run(ctx context.Context) {
	defer s.batches.Wait()
	for {
		select {
		case s.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		a, ok := s.next(ctx)
		if !ok {
			return
		}
		reservation, ok := s.reserve(ctx, a.ref.Weight)
		if !ok {
			return
		}
		place := s.backlog.Enter(ctx, a.ref.Weight)
		record, err := s.Queue.Load(a.ref)
		s.batches.Go(func() {
			defer func() { <-s.slots }()
			defer place.Leave()
			if err == nil {
				err = s.deliver(a.ref, record, place, reservation)
			} else {
				reservation.Release()
			}
			if err == nil {
				s.Queue.Delete(a.ref)
				return
			}
			s.fail(a, err)
		})
	}
}

// next waits for a batch, while the output acknowledges. It is false when ctx has ended.
func (s *Shipper) next(ctx context.Context) (attempt, bool) {
	for ctx.Err() == nil {
		wait := lookEvery
		if _, isStalled := s.Registry.Stalled(); !isStalled {
			if a, ok := s.retries.take(time.Now()); ok {
				return a, true
			}
			if !s.retries.isFull() {
				ref, ok, err := s.Queue.Next()
				if ok {
					return attempt{ref: ref}, true
				}
				if err != nil {
					s.logged.Do(func() { s.Log.Errorw("the queue cannot be read", "error.message", err.Error()) })
				}
			}
			wait = s.retries.nextIn(time.Now())
		}
		select {
		case <-ctx.Done():
		case <-s.Queue.Stored():
		case <-s.retries.due:
		case <-time.After(wait):
		}
	}
	return attempt{}, false
}

// reserve waits until there is room for the messages of a batch. A batch that weighs more than the whole limit takes all of it.
func (s *Shipper) reserve(ctx context.Context, weight int64) (*inflight.Reservation, bool) {
	weight = min(weight, s.Admission.Limit())
	for ctx.Err() == nil {
		if r, err := s.Admission.Open(weight); err == nil {
			if r.Grow(weight) == nil {
				return r, true
			}
			r.Release()
		}
		select {
		case <-ctx.Done():
		case <-time.After(lookEvery):
		}
	}
	return nil, false
}

// deliver returns nil when the output is done with every message of the batch. The reservation is released then, or when the
// output is done with what it has of it.
func (s *Shipper) deliver(ref diskqueue.Ref, record diskqueue.Record, place *inflight.Place, reservation *inflight.Reservation) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	claimed := false
	defer func() {
		if !claimed {
			reservation.Release()
		}
	}()
	// The limits of the configuration were looked at when the batch came in. They may be others now.
	b, err := batch.Decode(record.Body, batch.Options{Lines: record.Lines, MaxDepth: batch.HighestMaxDepth, MaxKeyBytes: batch.HighestMaxKeyBytes})
	if err != nil {
		return fmt.Errorf("decoding: %w", err)
	}
	messages := without(b.Messages, record.Known)
	for i := range messages {
		if messages[i].UUID == "" {
			messages[i].StoredKey = storedKey(ref.Number, i, record.Origin.Received, messages[i].Raw)
		}
	}
	if len(messages) == 0 {
		return nil
	}
	token, err := s.Registry.Claim(messages, record.Origin, reservation)
	if err != nil {
		return err //nolint:wrapcheck // fail compares it
	}
	claimed = true
	token.Occupies(place)
	token.Publish()
	_, err = token.Await(context.Background()) // until the registry is sealed: nobody waits for an answer
	return err                                 //nolint:wrapcheck // fail compares it
}

// without leaves the messages with these indexes out.
func without(messages []batch.Message, known []int) []batch.Message {
	kept := messages[:0]
	for i := range messages {
		if len(known) > 0 && known[0] == i {
			known = known[1:]
			continue
		}
		kept = append(kept, messages[i])
	}
	return kept
}

// storedKey is the key of a message without a uuid. It is the same for each attempt, also after a restart, and no other
// message has it.
func storedKey(number uint64, index int, received time.Time, raw []byte) (key batch.Key) {
	h := sha256.New()
	var place [24]byte
	binary.BigEndian.PutUint64(place[:], number)
	binary.BigEndian.PutUint64(place[8:], uint64(index))                //nolint:gosec // not negative
	binary.BigEndian.PutUint64(place[16:], uint64(received.UnixNano())) //nolint:gosec // a time after 1970
	_, _ = h.Write(place[:])                                            // never fails
	_, _ = h.Write(raw)
	copy(key[:], h.Sum(nil))
	return key
}

// fail lets a batch be tried again.
func (s *Shipper) fail(a attempt, err error) {
	if errors.Is(err, inflight.ErrSealed) {
		return
	}
	if !errors.As(err, new(*inflight.StalledError)) {
		a.failures++
		s.logged.Do(func() {
			s.Log.Errorw("a stored batch was not delivered; it is tried again", "batch", a.ref.Number, "attempts", a.failures,
				"batches_waiting", s.retries.len()+1, "error.message", err.Error())
		})
	}
	s.retries.add(a, time.Now())
}
