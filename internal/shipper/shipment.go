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
	header   diskqueue.Header
	messages []batch.Message // of the whole batch
}

func newShipment(a attempt, header diskqueue.Header, messages []batch.Message) *shipment {
	for i := range messages {
		m := &messages[i]
		if m.Key == (batch.Key{}) {
			m.Key = storedKey(a.ref.Number, i, header.Origin.Received, m.Raw)
		}
		m.Detach()
	}
	return &shipment{attempt: a, header: header, messages: messages}
}

// decode makes a shipment of a stored batch.
func decode(a attempt, record diskqueue.Record) (sh *shipment, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	b, err := record.Decode()
	if err != nil {
		return nil, fmt.Errorf("decoding: %w", err)
	}
	return newShipment(a, record.Header, b.Messages), nil
}

// storedKey is the key of a message that its sender has not made known. No other message has it, and each attempt has the same,
// also after a restart.
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
	messages := sh.toPublish()
	if len(messages) == 0 {
		reservation.Release()
		return nil
	}
	token, err := s.Registry.Claim(messages, sh.header.Origin, reservation)
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
	skip := slices.Concat(sh.header.Skip, s.Registry.Delivered(sh.messages))
	slices.Sort(skip)
	if skip = slices.Compact(skip); len(skip) > len(sh.header.Skip) {
		sh.header.Skip = skip
		s.Queue.SetSkip(sh.ref, skip)
	}
}

// toPublish returns the messages that are not skipped.
func (sh *shipment) toPublish() []batch.Message {
	if len(sh.header.Skip) == 0 {
		return sh.messages
	}
	kept := make([]batch.Message, 0, len(sh.messages)-len(sh.header.Skip))
	for i := range sh.header.ToPublish(len(sh.messages)) {
		kept = append(kept, sh.messages[i])
	}
	return kept
}
