package inflight

import (
	"slices"
	"time"

	"github.com/txn2/rtbeat/internal/batch"
)

// Origin is the data of a request that the events of its batch carry.
type Origin struct {
	Received time.Time
	ClientIP string            // empty when it is unknown
	Headers  map[string]string // of the request; all events share them
	Trace    Trace
	Source   string `json:",omitempty"` // the name of the source; empty reads as DefaultSource
	Sender   string `json:",omitempty"` // the name of the accepted credentials; empty without a name
	Path     string `json:",omitempty"` // of the request; empty unless the events have it
}

// DefaultSource is the name of the source that is there without a list of sources. It is also that of batches that name none, which
// an earlier rtbeat wrote into a queue on disk.
const DefaultSource = "in"

// Trace is the distributed trace of a batch, and the span that sent it, in hexadecimal. Both are empty without a trace.
type Trace struct{ ID, SpanID string }

// dedupedSize is how many bytes a deduped message is charged at most: only its wait is kept.
const dedupedSize = 64

// Claim returns the token of a batch of at least one message. The batch waits for messages that are in flight for another batch,
// and counts messages that were delivered lately as acknowledged: it publishes neither. The token owns the messages and the
// reservation, and releases the reservation when it settles. The error is ErrSealed, or a *StalledError when the output is
// stalled and the batch has messages to publish. With an error nothing has happened, and the caller keeps the reservation.
func (r *Registry) Claim(messages []batch.Message, origin Origin, reservation *Reservation) (*BatchAck, error) {
	t := &BatchAck{Origin: origin, registry: r, reservation: reservation, resolved: make(chan struct{})}
	t.progress.Messages = len(messages)
	keys := r.keys(messages)

	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sealed {
		return nil, ErrSealed
	}
	now := r.now() // the same for both: allDedupedLocked and skipDeliveredLocked must find the same
	if age, stalled := r.stalledLocked(); stalled && !r.allDedupedLocked(keys, now) {
		return nil, &StalledError{Age: age}
	}
	t.receivedAt = r.receivedAt(origin)
	r.open[t] = struct{}{}
	freed := t.skipDeliveredLocked(messages, keys, now)
	t.waits = make([]wait, 0, len(messages)-t.progress.DedupedDelivered)
	for i := range messages {
		switch e := r.pending[keys[i].Key]; {
		case keys[i].delivered:
		case keys[i].ok && e != nil:
			t.progress.DedupedInFlight++
			t.waitForLocked(e)
			freed += max(messages[i].Weight-dedupedSize, 0)
		default:
			t.addOwnLocked(&messages[i], keys[i])
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
	ok        bool // the message may be deduped
	delivered bool // when the batch was claimed
}

// NeedsKeys reports whether Settings ask for the keys of messages.
func (r *Registry) NeedsKeys() bool {
	return r.settings.Dedupe.Enabled || r.settings.DocumentID == ContentID
}

func (r *Registry) keys(messages []batch.Message) []messageKey {
	keys := make([]messageKey, len(messages))
	if !r.NeedsKeys() {
		return keys
	}
	for i := range messages {
		keys[i].Key, keys[i].has = messages[i].Key, messages[i].Key != batch.Key{}
		keys[i].ok = keys[i].has && r.settings.Dedupe.Enabled
	}
	return keys
}

func (r *Registry) allDedupedLocked(keys []messageKey, now time.Duration) bool {
	return !slices.ContainsFunc(keys, func(key messageKey) bool {
		return !key.ok || !r.delivered.Find(key.Key, now) && r.pending[key.Key] == nil
	})
}

// skipDeliveredLocked counts the messages that were delivered before, and returns their bytes.
func (t *BatchAck) skipDeliveredLocked(messages []batch.Message, keys []messageKey, now time.Duration) (freed int) {
	for i := range messages {
		if !keys[i].ok || !t.registry.delivered.Find(keys[i].Key, now) {
			continue
		}
		keys[i].delivered = true
		t.progress.Acked++
		t.progress.DedupedDelivered++
		freed += messages[i].Weight
	}
	return freed
}

func (t *BatchAck) addOwnLocked(m *batch.Message, key messageKey) {
	e := &EventAck{key: key, batch: t, size: m.Weight, fields: m.Fields, id: m.ID}
	t.own = append(t.own, e)
	if m.Failure != nil {
		if t.invalid == nil {
			t.invalid = make(map[*EventAck]batch.Message)
		}
		invalid := batch.Message{Failure: m.Failure, Raw: m.Raw}
		invalid.Detach()
		t.invalid[e] = invalid
	}
	if key.ok {
		t.registry.pending[key.Key] = e
		t.registry.mostPending = max(t.registry.mostPending, len(t.registry.pending))
	}
	t.unpublished++
	t.unsettled++
	t.bytes += int64(e.size)
	t.waitForLocked(e)
}
