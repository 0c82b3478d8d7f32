package harness

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
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
	stored  bool
}

// post is one attempt. Its answer is the zero Answer while it is under way.
type post struct {
	ids      []string
	start    time.Time
	answer   Answer
	answered bool
	by       string
	mayDrop  map[string]bool // the processors drop these messages, when they see them in this attempt
}

// ok says whether the sender was told that everything is delivered.
func (p *post) ok() bool { return p.answered && p.answer.Err == nil && p.answer.Code == http.StatusOK }

// NewLedger makes an empty ledger whose senders share one client.
func NewLedger(t testing.TB) *Ledger {
	t.Helper()
	return &Ledger{client: NewClient(t), sent: make(map[string]json.RawMessage), dropped: make(map[string]bool)}
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

// HangUp closes the connections on which no sender waits, so that they do not count in the process's figures.
func (l *Ledger) HangUp() { l.client.http.CloseIdleConnections() }

// Go is Post on a goroutine of its own; the channel gives the answer once.
func (l *Ledger) Go(ctx context.Context, addr string, b Batch) <-chan Answer {
	answer := make(chan Answer, 1)
	go func() { answer <- l.Post(ctx, addr, b) }()
	return answer
}

func (l *Ledger) open(b Batch) *post {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := &post{start: time.Now()}
	for _, m := range b {
		p.ids = append(p.ids, m.ID)
		l.sent[m.ID] = m.Raw
	}
	l.posts = append(l.posts, p)
	return p
}

// Sent is how many messages were sent so far.
func (l *Ledger) Sent() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.sent)
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

// Check fails the test for every breach of the contract. It is called after every scenario. Of several sinks it does
// not matter which one has a message.
func (l *Ledger) Check(t testing.TB, sinks ...*lumbersink.Sink) {
	t.Helper()
	events := EventsOf(sinks...)
	if broken := l.Violations(events); len(broken) > 0 {
		require.FailNow(t, "the contract was broken", "%s", l.Report(broken, events, nil))
	}
}

// CheckOnce is Check, and no message may have reached the sink twice. It holds for one life of the process as long
// as no connection to the sink was cut: the output sends a window again when it does not know what became of it.
func (l *Ledger) CheckOnce(t testing.TB, sinks ...*lumbersink.Sink) {
	t.Helper()
	l.Check(t, sinks...)
	copies := make(map[string]int)
	for _, e := range EventsOf(sinks...) {
		id, _, err := MessageOf(e.Raw)
		require.NoError(t, err)
		copies[id]++
	}
	for id, n := range copies {
		require.Equal(t, 1, n, "copies of %s at the sink", id)
	}
}

// Violation is one breach of the contract. ID is the message concerned; it is empty where no message can be named.
type Violation struct {
	ID, What string
}

func (v Violation) String() string {
	if v.ID == "" {
		return v.What
	}
	return v.What + ": " + strconv.Quote(v.ID)
}

// Stored tells the ledger that a 200 means stored, not delivered: it may come before the acknowledgement. What it promises
// then is that the message is delivered in the end, which is what Lost looks at.
func (l *Ledger) Stored() { l.stored = true }

// Violations is the contract:
//
//  1. no 200 before the sink acknowledged every message of the batch, and none for a message it never got;
//  2. nothing is at the sink that was not sent, and what is there is exactly what was sent;
//  3. nothing of a batch is at the sink whose sender was told that nothing of it was taken.
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
	for _, p := range l.posts {
		if !p.answered || !p.answer.tookNothing() {
			for _, id := range p.ids {
				mayArrive[id] = true
			}
		}
		if p.ok() && !l.stored {
			broken = append(broken, l.falseOK(p, acked, arrived)...)
		}
	}
	for id := range arrived {
		if _, ok := l.sent[id]; ok && !mayArrive[id] {
			broken = append(broken, Violation{id, "refused, yet published and at the sink"})
		}
	}
	return broken
}

// Lost names every message that was sent and is not at the sink, acknowledged. It holds once every sender has come to
// the end of its queue.
func (l *Ledger) Lost(events []lumbersink.Event) []Violation {
	acked := make(map[string]bool)
	for _, e := range events {
		if id, _, err := MessageOf(e.Raw); err == nil && !e.Acked.IsZero() {
			acked[id] = true
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var lost []Violation
	filtered := make(map[string]bool)
	for _, p := range l.posts {
		if p.ok() || l.stored && (!p.answered || !p.answer.tookNothing()) { // a batch may be stored without an answer
			for id := range p.mayDrop {
				filtered[id] = true
			}
		}
	}
	for id := range l.sent {
		if !acked[id] && !l.dropped[id] && !filtered[id] {
			lost = append(lost, Violation{id, "lost: sent, and not delivered in the end"})
		}
	}
	return lost
}

// falseOK holds one 200 against the sink's acknowledgements. The caller holds the lock.
func (l *Ledger) falseOK(p *post, acked map[string]time.Time, arrived map[string]bool) []Violation {
	var broken []Violation
	if p.answer.Body.Messages != len(p.ids) {
		broken = append(broken, Violation{"", fmt.Sprintf("200 counts %d messages of %d: %s", p.answer.Body.Messages, len(p.ids), p.answer)})
	}
	filtered := p.answer.Body.Filtered
	for _, id := range p.ids {
		at, ok := acked[id]
		switch {
		case l.dropped[id], ok && at.Before(p.answer.At):
		case p.mayDrop[id] && filtered > 0:
			filtered--
		case !arrived[id]:
			broken = append(broken, Violation{id, "false 200: never reached the sink"})
		case !ok:
			broken = append(broken, Violation{id, "false 200: never acknowledged"})
		default:
			broken = append(broken, Violation{id, fmt.Sprintf("false 200: answered %s before its acknowledgement", at.Sub(p.answer.At))})
		}
	}
	return broken
}

// NameField holds the id of a message without a uuid. It means nothing to rtbeat.
const NameField = "name"

// MessageOf takes the message and its id out of an event.
func MessageOf(raw json.RawMessage) (id string, message json.RawMessage, err error) {
	var event struct {
		Message json.RawMessage `json:"rxtxMsg"`
	}
	if err := json.Unmarshal(raw, &event); err != nil {
		return "", nil, fmt.Errorf("event is no JSON: %w: %s", err, raw)
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
