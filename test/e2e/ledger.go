//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
)

// Ledger is the contract checker. Senders post through it, so it knows every message id that was sent and what its
// sender was told; Check compares that with what the sink received and acknowledged. Sender and sink live in this
// process and share its clock, so "before" is meant strictly.
type Ledger struct {
	client *Client

	mu      sync.Mutex
	sent    map[string]json.RawMessage
	dropped map[string]bool
	posts   []*post
}

// post is one attempt. Its answer is the zero Answer while it is under way.
type post struct {
	ids      []string
	answer   Answer
	answered bool
}

func newLedger(t testing.TB) *Ledger {
	t.Helper()
	return &Ledger{client: newClient(t), sent: make(map[string]json.RawMessage), dropped: make(map[string]bool)}
}

// Post sends a batch and records how it ended.
func (l *Ledger) Post(ctx context.Context, addr string, b Batch) Answer {
	// The messages count as sent before the first byte leaves: an event at the sink may be older than its answer.
	p := l.open(b)
	a := l.client.Post(ctx, addr, b.Body())
	l.mu.Lock()
	defer l.mu.Unlock()
	p.answer, p.answered = a, true
	return a
}

// Go is Post on a goroutine of its own; the channel gives the answer once.
func (l *Ledger) Go(ctx context.Context, addr string, b Batch) <-chan Answer {
	answer := make(chan Answer, 1)
	go func() { answer <- l.Post(ctx, addr, b) }()
	return answer
}

func (l *Ledger) open(b Batch) *post {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := &post{}
	for _, m := range b {
		p.ids = append(p.ids, m.ID)
		l.sent[m.ID] = m.Raw
	}
	l.posts = append(l.posts, p)
	return p
}

// WillDrop tells the ledger that the processors of this scenario drop these messages: they are no loss, and none
// of them may reach the sink.
func (l *Ledger) WillDrop(ids ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		l.dropped[id] = true
	}
}

// Check fails the test for every breach of the contract. It is called after every scenario.
func (l *Ledger) Check(t testing.TB, sink *lumbersink.Sink) {
	t.Helper()
	require.NoError(t, errors.Join(l.violations(sink.Events())...), "the contract was broken")
}

// CheckOnce is Check, and no message may have reached the sink twice. It holds for one life of the process as long
// as no connection to the sink was cut: the output sends a window again when it does not know what became of it.
func (l *Ledger) CheckOnce(t testing.TB, sink *lumbersink.Sink) {
	t.Helper()
	l.Check(t, sink)
	copies := make(map[string]int)
	for _, e := range sink.Events() {
		id, _, err := messageOf(e.Raw)
		require.NoError(t, err)
		copies[id]++
	}
	for id, n := range copies {
		require.Equal(t, 1, n, "copies of %s at the sink", id)
	}
}

// violations is the contract:
//
//  1. no 200 before the sink acknowledged every message of the batch, and none for a message it never got;
//  2. nothing is at the sink that was not sent, and what is there is exactly what was sent;
//  3. nothing of a batch is at the sink whose sender was told that nothing of it was taken.
func (l *Ledger) violations(events []lumbersink.Event) []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var broken []error

	// Of several copies of a message the first acknowledged one counts.
	acked := make(map[string]time.Time)
	arrived := make(map[string]bool)
	for _, e := range events {
		id, message, err := messageOf(e.Raw)
		if err != nil {
			broken = append(broken, err)
			continue
		}
		arrived[id] = true
		if first, ok := acked[id]; !e.Acked.IsZero() && (!ok || e.Acked.Before(first)) {
			acked[id] = e.Acked
		}
		raw, ok := l.sent[id]
		switch {
		case !ok:
			broken = append(broken, fmt.Errorf("invented: %q is at the sink and was never sent", id))
		case l.dropped[id]:
			broken = append(broken, fmt.Errorf("not filtered: %q is at the sink", id))
		case !same(raw, message):
			broken = append(broken, fmt.Errorf("changed: sent %s, at the sink %s", raw, message))
		}
	}

	mayArrive := make(map[string]bool)
	for _, p := range l.posts {
		if !p.answered || !p.answer.tookNothing() {
			for _, id := range p.ids {
				mayArrive[id] = true
			}
		}
		if p.answered && p.answer.Err == nil && p.answer.Code == http.StatusOK {
			broken = append(broken, l.falseOK(p, acked, arrived)...)
		}
	}
	for id := range arrived {
		if _, ok := l.sent[id]; ok && !mayArrive[id] {
			broken = append(broken, fmt.Errorf("refused, yet published: %q is at the sink", id))
		}
	}
	return broken
}

// falseOK holds one 200 against the sink's acknowledgements. The caller holds the lock.
func (l *Ledger) falseOK(p *post, acked map[string]time.Time, arrived map[string]bool) []error {
	var broken []error
	if p.answer.Body.Messages != len(p.ids) {
		broken = append(broken, fmt.Errorf("200 counts %d messages of %d: %s", p.answer.Body.Messages, len(p.ids), p.answer))
	}
	for _, id := range p.ids {
		at, ok := acked[id]
		switch {
		case l.dropped[id]:
		case !arrived[id]:
			broken = append(broken, fmt.Errorf("false 200: %q never reached the sink", id))
		case !ok:
			broken = append(broken, fmt.Errorf("false 200: %q was never acknowledged", id))
		case !at.Before(p.answer.At):
			broken = append(broken, fmt.Errorf("false 200: %q was answered %s before its acknowledgement", id, at.Sub(p.answer.At)))
		}
	}
	return broken
}

// messageOf takes the message and its id out of an event.
func messageOf(raw json.RawMessage) (id string, message json.RawMessage, err error) {
	var event struct {
		Message json.RawMessage `json:"rxtxMsg"`
	}
	if err := json.Unmarshal(raw, &event); err != nil {
		return "", nil, fmt.Errorf("event is no JSON: %w: %s", err, raw)
	}
	var key struct {
		UUID string `json:"uuid"`
	}
	if err := json.Unmarshal(event.Message, &key); err != nil {
		return "", nil, fmt.Errorf("event without a message: %w: %s", err, raw)
	}
	return key.UUID, event.Message, nil
}

// same compares two JSON texts as values, numbers digit by digit: float64 would call 2^53 and 2^53+1 equal.
func same(a, b json.RawMessage) bool {
	x, errX := decodeExact(a)
	y, errY := decodeExact(b)
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}

func decodeExact(raw json.RawMessage) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}
