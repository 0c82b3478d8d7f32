package harness

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/txn2/rtbeat/internal/lumbersink"
)

// Violation is one breach of the contract. ID names the message. It is empty if no message can be named.
type Violation struct {
	ID, What string
}

func (v Violation) String() string {
	if v.ID == "" {
		return v.What
	}
	return v.What + ": " + strconv.Quote(v.ID)
}

// Violations is the contract:
//
//  1. no 200 before the sink acknowledged every message of the batch;
//  2. every message at the sink was sent, and is unchanged;
//  3. no message of a refused batch is at the sink.
func (l *Ledger) Violations(events []lumbersink.Event) []Violation {
	l.mu.Lock()
	defer l.mu.Unlock()
	var broken []Violation

	// Of several copies of a message the first acknowledged one counts.
	acked := make(map[string]time.Time)
	arrived := make(map[string]bool)
	for _, e := range events {
		id, message, err := MessageOf(e.Raw)
		if err != nil {
			broken = append(broken, Violation{What: err.Error()})
			continue
		}
		arrived[id] = true
		if first, ok := acked[id]; !e.Acked.IsZero() && (!ok || e.Acked.Before(first)) {
			acked[id] = e.Acked
		}
		raw, ok := l.sent[id]
		switch {
		case !ok:
			broken = append(broken, Violation{id, "invented: at the sink and never sent"})
		case l.dropped[id]:
			broken = append(broken, Violation{id, "not filtered, at the sink"})
		case !same(raw, message):
			broken = append(broken, Violation{id, fmt.Sprintf("changed: sent %s, at the sink %s", raw, message)})
		}
	}

	mayArrive := make(map[string]bool)
	for _, a := range l.attempts {
		if !a.Ended || !a.Answer.isRefused() {
			for _, id := range a.IDs {
				mayArrive[id] = true
			}
		}
		if a.OK() && !l.stored {
			broken = append(broken, l.falseOKLocked(a, acked, arrived)...)
		}
	}
	for id := range arrived {
		if _, ok := l.sent[id]; ok && !mayArrive[id] {
			broken = append(broken, Violation{id, "refused, yet published and at the sink"})
		}
	}
	return broken
}

// Lost names every sent message that the sink has not acknowledged. Call it when every sender's queue is empty.
func (l *Ledger) Lost(events []lumbersink.Event) []Violation {
	done := make(map[string]bool)
	for _, e := range events {
		if id, _, err := MessageOf(e.Raw); err == nil && !e.Acked.IsZero() {
			done[id] = true
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.attempts {
		if a.OK() || l.stored && (!a.Ended || !a.Answer.isRefused()) { // a batch may be stored without an answer
			for id, dropped := range a.mayDrop {
				done[id] = done[id] || dropped
			}
		}
	}
	var lost []Violation
	for id := range l.sent {
		if !done[id] && !l.dropped[id] {
			lost = append(lost, Violation{id, "lost: sent, and not delivered in the end"})
		}
	}
	return lost
}

// falseOKLocked compares one 200 with the sink's acknowledgements.
func (l *Ledger) falseOKLocked(a *Attempt, acked map[string]time.Time, arrived map[string]bool) []Violation {
	var broken []Violation
	if a.Answer.Body.Messages != len(a.IDs) {
		broken = append(broken, Violation{"", fmt.Sprintf("200 counts %d messages of %d: %s", a.Answer.Body.Messages, len(a.IDs), a.Answer)})
	}
	filtered := a.Answer.Body.Filtered
	for _, id := range a.IDs {
		at, ok := acked[id]
		switch {
		case l.dropped[id], ok && at.Before(a.Answer.At):
		case a.mayDrop[id] && filtered > 0:
			filtered--
		case !arrived[id]:
			broken = append(broken, Violation{id, "false 200: never reached the sink"})
		case !ok:
			broken = append(broken, Violation{id, "false 200: never acknowledged"})
		default:
			broken = append(broken, Violation{id, fmt.Sprintf("false 200: answered %s before its acknowledgement", at.Sub(a.Answer.At))})
		}
	}
	return broken
}

// NameField holds the id of a message without a uuid. rtbeat does not know the field.
const NameField = "name"

// MessageOf returns the message of an event, and its id.
func MessageOf(raw json.RawMessage) (id string, message json.RawMessage, err error) {
	var event struct {
		Message json.RawMessage `json:"rxtxMsg"`
	}
	if err := json.Unmarshal(raw, &event); err != nil {
		return "", nil, fmt.Errorf("event is not JSON: %w: %s", err, raw)
	}
	var key struct {
		UUID string `json:"uuid"`
		Name string `json:"name"`
	}
	if err := json.Unmarshal(event.Message, &key); err != nil {
		return "", nil, fmt.Errorf("event without a message: %w: %s", err, raw)
	}
	return cmp.Or(key.UUID, key.Name), event.Message, nil
}

// same compares two JSON texts as values, numbers digit by digit: float64 would call 2^53 and 2^53+1 equal.
func same(a, b json.RawMessage) bool {
	x, errX := DecodeExact(a)
	y, errY := DecodeExact(b)
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}

// DecodeExact decodes JSON, and leaves its numbers as they are written.
func DecodeExact(raw json.RawMessage) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}
