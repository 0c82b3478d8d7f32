package inflight

import (
	"time"

	"github.com/txn2/rtbeat/internal/batch"
)

// Origin is where a batch came from, for its events.
type Origin struct {
	Received time.Time
	ClientIP string            // empty when nobody knows
	Headers  map[string]string // of the request, those that go into the events; shared by them all
	Trace    Trace
}

// Trace is the distributed trace that a batch belongs to, and the span that sent it, as hexadecimal text; both are empty
// when there is none.
type Trace struct{ ID, SpanID string }

// joinedSize is what a message that is joined costs of the reservation at most, until its batch is answered: nothing is
// kept of it but a wait.
const joinedSize = 64

// Claim returns the token of a batch of at least one message. Messages that are in flight already, or were delivered
// lately, are not the batch's to publish; it waits for them, or not even that. From here on the token owns the
// messages, and the reservation, and releases it when it settles. The error is ErrSealed, or a *StalledError when there
// is something to publish and the output is stalled; then nothing has happened, and the reservation stays the caller's.
func (r *Registry) Claim(messages []batch.Message, origin Origin, reservation *Reservation) (*BatchAck, error) {
	t := &BatchAck{Origin: origin, registry: r, reservation: reservation, resolved: make(chan struct{})}
	t.progress.Messages = len(messages)
	keys := r.keys(messages)

	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sealed {
		return nil, ErrSealed
	}
	now := r.now() // one moment for all: what allKnownLocked finds, skipDeliveredLocked finds as well
	if age, stalled := r.stalledLocked(); stalled && !r.allKnownLocked(keys, now) {
		return nil, &StalledError{Age: age}
	}
	t.received = r.receivedAt(origin)
	r.open[t] = struct{}{}
	freed := t.skipDeliveredLocked(messages, keys, now)
	t.waits = make([]wait, 0, len(messages)-t.progress.Delivered)
	for i := range messages {
		switch e := r.known[keys[i].Key]; {
		case keys[i].delivered:
		case keys[i].ok && e != nil:
			t.progress.InFlight++
			t.waitForLocked(e)
			freed += max(messages[i].Weight-joinedSize, 0)
		default:
			t.carryLocked(&messages[i], keys[i])
		}
	}
	reservation.GiveBack(int64(freed))
	if t.progress.Acked == len(messages) {
		t.resolveLocked(nil)
	}
	t.settleLocked()
	return t, nil
}

// messageKey is the key of a message, if it has one.
type messageKey struct {
	batch.Key
	has       bool // the message has a key, and Settings ask for keys
	ok        bool // the registry knows the message by its key
	delivered bool // when the batch was claimed
}

// keys hashes the messages, each once, outside of the lock.
func (r *Registry) keys(messages []batch.Message) []messageKey {
	keys := make([]messageKey, len(messages))
	if !r.settings.Dedupe.Enabled && r.settings.DocumentID != ContentID {
		return keys
	}
	for i := range messages {
		keys[i].Key, keys[i].has = messages[i].Key()
		keys[i].ok = keys[i].has && r.settings.Dedupe.Enabled
	}
	return keys
}

func (r *Registry) allKnownLocked(keys []messageKey, now time.Duration) bool {
	for _, key := range keys {
		if !key.ok || !r.delivered.Find(key.Key, now) && r.known[key.Key] == nil {
			return false
		}
	}
	return true
}

// skipDeliveredLocked counts the messages that were delivered before, and returns the bytes of them.
func (t *BatchAck) skipDeliveredLocked(messages []batch.Message, keys []messageKey, now time.Duration) (freed int) {
	for i := range messages {
		if !keys[i].ok || !t.registry.delivered.Find(keys[i].Key, now) {
			continue
		}
		keys[i].delivered = true
		t.progress.Acked++
		t.progress.Delivered++
		freed += messages[i].Weight
	}
	return freed
}

// carryLocked makes the message the batch's to publish.
func (t *BatchAck) carryLocked(m *batch.Message, key messageKey) {
	e := &EventAck{key: key, batch: t, size: m.Weight, fields: m.Fields, uuid: m.UUID}
	t.own = append(t.own, e)
	if key.ok {
		t.registry.known[key.Key] = e
		t.registry.mostKnown = max(t.registry.mostKnown, len(t.registry.known))
	}
	t.queued++
	t.unsettled++
	t.bytes += int64(e.size)
	t.waitForLocked(e)
}
