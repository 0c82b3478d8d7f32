package inflight

import (
	"time"

	"github.com/txn2/rtbeat/internal/batch"
)

// Origin is where a batch came from, for its events.
type Origin struct {
	Received time.Time
	ClientIP string
}

// joinedSize is what a message that is joined costs of the reservation until its batch is answered: it waits, but
// nothing is kept of it.
const joinedSize = 64

// Claim returns the token of a batch of at least one message. Messages that are in flight already, or were delivered
// lately, are not the batch's to publish; it waits for them, or not even that. From here on the token owns the
// messages, and the reservation, and releases it when it settles. The error is ErrSealed, or ErrStalled when there is
// something to publish and the output is stalled; then nothing has happened, and the reservation stays the caller's.
func (r *Registry) Claim(messages []batch.Message, origin Origin, reservation *Reservation) (*BatchAck, error) {
	t := &BatchAck{
		Origin:      origin,
		registry:    r,
		reservation: reservation,
		messages:    messages,
		waits:       make([]wait, 0, len(messages)),
		resolved:    make(chan struct{}),
	}
	t.progress.Messages = len(messages)
	keys := r.keys(messages)

	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sealed {
		return nil, ErrSealed
	}
	r.delivered.expire(r.now())
	if _, stalled := r.stalledLocked(); stalled && !r.allKnownLocked(keys) {
		return nil, ErrStalled
	}
	r.open[t] = struct{}{}
	var freed int
	for i := range messages {
		freed += r.claimLocked(t, i, keys[i])
	}
	reservation.giveBack(int64(freed))
	r.delivered.shrink(r.settings.MaxEntries - len(r.known))
	t.messages = t.messages[:len(t.events)]
	if t.progress.Acked == len(messages) {
		t.resolveLocked(nil)
	}
	t.settleLocked()
	return t, nil
}

// messageKey is the key of a message, if it has one.
type messageKey struct {
	batch.Key
	ok bool
}

// keys hashes the messages, outside of the lock.
func (r *Registry) keys(messages []batch.Message) []messageKey {
	keys := make([]messageKey, len(messages))
	for i := range messages {
		if r.settings.Join {
			keys[i].Key, keys[i].ok = messages[i].Key()
		}
	}
	return keys
}

func (r *Registry) allKnownLocked(keys []messageKey) bool {
	for _, key := range keys {
		if _, delivered := r.delivered.find(key.Key); !key.ok || !delivered && r.known[key.Key] == nil {
			return false
		}
	}
	return true
}

// claimLocked finds what the message at i of the batch waits for, and returns how many of its bytes need not be kept.
func (r *Registry) claimLocked(t *BatchAck, i int, key messageKey) (freed int) {
	m := t.messages[i]
	t.messages[i] = batch.Message{}
	if key.ok {
		if freed, ok := t.joinLocked(key.Key, len(m.Raw)); ok {
			return freed
		}
	}
	t.carryLocked(m, key)
	return 0
}

// joinLocked makes the batch wait for a message that is in flight, or count one that was delivered.
func (t *BatchAck) joinLocked(key batch.Key, size int) (freed int, ok bool) {
	if filtered, ok := t.registry.delivered.find(key); ok {
		t.progress.Acked++
		t.progress.Delivered++
		if filtered {
			t.progress.Filtered++
		}
		return size, true
	}
	if e := t.registry.known[key]; e != nil {
		t.progress.InFlight++
		t.waitForLocked(e)
		return max(size-joinedSize, 0), true
	}
	return 0, false
}

// carryLocked makes the message the batch's to publish. Such messages stand at the front of t.messages, beside t.events.
func (t *BatchAck) carryLocked(m batch.Message, key messageKey) {
	if t.events == nil {
		t.events = make([]EventAck, 0, len(t.messages))
	}
	size := len(m.Raw)
	m.Raw = nil // a part of the body, which is to go
	t.messages[len(t.events)] = m
	t.events = append(t.events, EventAck{key: key, batch: t, index: len(t.events), size: size}) // within its capacity: pointers to it stay valid
	e := &t.events[len(t.events)-1]
	if key.ok {
		t.registry.known[key.Key] = e
	}
	t.queued++
	t.unsettled++
	t.bytes += int64(size)
	t.waitForLocked(e)
}
