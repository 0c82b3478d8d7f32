package shipper

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/diskqueue"
	"github.com/txn2/rtbeat/internal/inflight"
)

// shipment is a stored batch that is being delivered.
type shipment struct {
	attempt
	origin   inflight.Origin
	messages []batch.Message // of the whole batch
	skip     []int           // as in diskqueue.Header
}

func newShipment(a attempt, origin inflight.Origin, messages []batch.Message, skip []int) *shipment {
	for i := range messages {
		m := &messages[i]
		if m.UUID == "" {
			m.StoredKey = storedKey(a.ref.Number, i, origin.Received, m.Raw)
		} else {
			m.StoredKey, _ = m.Key()
		}
		m.Raw = nil // it keeps the whole body in memory
	}
	return &shipment{attempt: a, origin: origin, messages: messages, skip: skip}
}

// decode makes a shipment of a stored batch. The intake checked the limits of the configuration when it stored the batch; they
// may differ now.
func decode(a attempt, record diskqueue.Record) (sh *shipment, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	b, err := batch.Decode(record.Body, batch.Options{Lines: record.Lines, MaxDepth: batch.HighestMaxDepth, MaxKeyBytes: batch.HighestMaxKeyBytes})
	if err != nil {
		return nil, fmt.Errorf("decoding: %w", err)
	}
	return newShipment(a, record.Origin, b.Messages, record.Skip), nil
}

// storedKey is the key of a message without a uuid. No other message has it, and each attempt has the same, also after a restart.
func storedKey(number uint64, index int, received time.Time, raw []byte) (key batch.Key) {
	h := sha256.New()
	var id [24]byte
	binary.BigEndian.PutUint64(id[:], number)
	binary.BigEndian.PutUint64(id[8:], uint64(index)) //nolint:gosec // not negative
	binary.BigEndian.PutUint64(id[16:], uint64(received.UnixNano()))
	_, _ = h.Write(id[:]) // never fails
	_, _ = h.Write(raw)
	copy(key[:], h.Sum(nil))
	return key
}

// ship delivers a batch, and deletes it or adds it to the retries. The reservation is released then, or when the output is done with
// all messages that it has.
func (s *Shipper) ship(sh *shipment, slot *inflight.DecodeSlot, reservation *inflight.Reservation) {
	err := s.deliver(sh, slot, reservation)
	switch {
	case err == nil:
		if sh.failures > 0 {
			s.failing.Add(-1)
		}
		s.Queue.Delete(sh.ref)
	case errors.Is(err, inflight.ErrSealed): // the next process delivers the other messages
		s.noteDelivered(sh)
	default:
		s.noteDelivered(sh) // the registry may have forgotten it by the next attempt
		s.fail(sh.attempt, err)
	}
}

// deliver returns nil when the output is done with every message.
func (s *Shipper) deliver(sh *shipment, slot *inflight.DecodeSlot, reservation *inflight.Reservation) error {
	messages := without(sh.messages, sh.skip)
	if len(messages) == 0 {
		reservation.Release()
		return nil
	}
	token, err := s.Registry.Claim(messages, sh.origin, reservation)
	if err != nil {
		reservation.Release()
		return err
	}
	for i := range sh.messages {
		sh.messages[i].Fields = nil // the pipeline owns them
	}
	token.Attach(slot)
	token.Publish()
	_, err = token.Await(context.Background()) // ends when the registry is sealed
	return err
}

// noteDelivered stores which messages of an undelivered batch were delivered. They are not published again, not even by the next
// process.
func (s *Shipper) noteDelivered(sh *shipment) {
	skip := slices.Concat(sh.skip, s.Registry.Delivered(sh.messages))
	slices.Sort(skip)
	if skip = slices.Compact(skip); len(skip) > len(sh.skip) {
		sh.skip = skip
		s.Queue.SetSkip(sh.ref, skip)
	}
}

func without(messages []batch.Message, skip []int) []batch.Message {
	if len(skip) == 0 {
		return messages
	}
	kept := make([]batch.Message, 0, len(messages)-len(skip))
	for i := range messages {
		if _, skips := slices.BinarySearch(skip, i); !skips {
			kept = append(kept, messages[i])
		}
	}
	return kept
}
