// Package shipper stores batches and delivers what is stored. It takes batches from the queue on disk and sends them through
// decode, claim, publish and await, as the intake does with a request. A batch that is not delivered is tried again, for ever.
//
// While nothing waits on the disk, a batch that was just stored is delivered from memory: it is not read and decoded again.
package shipper

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
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

// Shipper stores and delivers the batches of a queue. Make it with New, then call Run once.
type Shipper struct {
	Parts
	backlog *inflight.Backlog
	slots   chan struct{} // of batches under way
	retries retries
	logged  rate.Sometimes
	behind  atomic.Bool // batches wait on the disk

	mu       sync.Mutex
	stopping bool
	batches  sync.WaitGroup // under way; not added to while stopping
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

// Store stores a batch of these messages, and returns when it is on the disk; keys and errors are those of
// diskqueue.Queue.Append. The messages are the Shipper's from here on. It may be called from any goroutine.
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
	go func() {
		defer s.done()
		addKeys(ref, r.Origin, messages)
		s.end(attempt{ref: ref}, s.deliver(r.Origin, without(messages, indexes), nil, reservation))
	}()
	return len(indexes), nil
}

// reserveNow takes a slot and a reservation for a batch that is shipped as soon as it is stored; nil where batches that were
// stored before wait, or there is no room. done ends it.
func (s *Shipper) reserveNow(weight int64) *inflight.Reservation {
	if _, isStalled := s.Registry.Stalled(); isStalled || s.behind.Load() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return nil
	}
	select {
	case s.slots <- struct{}{}:
	default:
		return nil
	}
	reservation, err := s.Admission.Open(weight)
	if err == nil && reservation.Grow(weight) == nil {
		s.batches.Add(1)
		return reservation
	}
	<-s.slots
	return nil
}

// done gives the slot of a batch back.
func (s *Shipper) done() {
	<-s.slots
	s.batches.Done()
}

// Trouble is that of the queue.
func (s *Shipper) Trouble() (age time.Duration, err error) { return s.Queue.Trouble() }

// Retrying is the number of batches that were not delivered, and wait to be tried again. It may be called from any goroutine.
func (s *Shipper) Retrying() int { return s.retries.len() }

// Run takes batches until ctx ends, and returns when the batches under way are done. What is not delivered stays in the queue.
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
		reservation, ok := s.reserve(ctx, a.ref.Weight)
		if !ok {
			return
		}
		place := s.backlog.Enter(ctx, a.ref.Weight)
		record, err := s.Queue.Load(a.ref)
		if err != nil {
			place.Leave()
			reservation.Release()
			s.done()
			s.end(a, err)
			continue
		}
		go func() {
			defer s.done()
			defer place.Leave()
			messages, err := s.undelivered(a, record)
			if err == nil {
				err = s.deliver(record.Origin, messages, place, reservation)
			} else {
				reservation.Release()
			}
			s.end(a, err)
		}()
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
				s.behind.Store(ok)
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

// reserve waits until there is a slot, and room for the messages of a batch. A batch that weighs more than the whole limit
// takes all of it. done ends it. It is false when ctx has ended.
func (s *Shipper) reserve(ctx context.Context, weight int64) (*inflight.Reservation, bool) {
	select {
	case s.slots <- struct{}{}:
		s.batches.Add(1)
	case <-ctx.Done():
		return nil, false
	}
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
	s.done()
	return nil, false
}

// undelivered returns the messages of a batch that are to be delivered. What was delivered by an attempt that failed as a whole is
// noted on the disk: it is not published again, however long the batch is tried.
//
// The limits of the configuration were looked at when the batch came in. They may be others now.
func (s *Shipper) undelivered(a attempt, record diskqueue.Record) (messages []batch.Message, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	b, err := batch.Decode(record.Body, batch.Options{Lines: record.Lines, MaxDepth: batch.HighestMaxDepth, MaxKeyBytes: batch.HighestMaxKeyBytes})
	if err != nil {
		return nil, fmt.Errorf("decoding: %w", err)
	}
	addKeys(a.ref, record.Origin, b.Messages)
	known := record.Known
	if a.failures > 0 {
		known = union(known, s.Registry.Delivered(b.Messages))
		if len(known) > len(record.Known) {
			s.Queue.SetKnown(a.ref, known)
		}
	}
	return without(b.Messages, known), nil
}

// union returns the numbers of two sorted lists, sorted, each once.
func union(a, b []int) []int {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// addKeys gives the messages without a uuid the keys that they have as stored messages.
func addKeys(ref diskqueue.Ref, origin inflight.Origin, messages []batch.Message) {
	for i := range messages {
		if messages[i].UUID == "" {
			messages[i].StoredKey = storedKey(ref.Number, i, origin.Received, messages[i].Raw)
		}
	}
}

// deliver returns nil when the output is done with every message. The reservation is released then, or when the output is done
// with what it has of them.
func (s *Shipper) deliver(origin inflight.Origin, messages []batch.Message, place *inflight.Place, reservation *inflight.Reservation) error {
	if len(messages) == 0 {
		reservation.Release()
		return nil
	}
	token, err := s.Registry.Claim(messages, origin, reservation)
	if err != nil {
		reservation.Release()
		return err //nolint:wrapcheck // end compares it
	}
	token.Occupies(place)
	token.Publish()
	_, err = token.Await(context.Background()) // until the registry is sealed: nobody waits for an answer
	return err                                 //nolint:wrapcheck // end compares it
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

// end deletes a batch that is delivered, and lets any other be tried again.
func (s *Shipper) end(a attempt, err error) {
	switch {
	case err == nil:
		s.Queue.Delete(a.ref)
		return
	case errors.Is(err, inflight.ErrSealed):
		return
	case !errors.As(err, new(*inflight.StalledError)):
		a.failures++
		s.logged.Do(func() {
			s.Log.Errorw("a stored batch was not delivered; it is tried again", "batch", a.ref.Number, "attempts", a.failures,
				"batches_waiting", s.retries.len()+1, "error.message", err.Error())
		})
	}
	s.retries.add(a, time.Now())
}
