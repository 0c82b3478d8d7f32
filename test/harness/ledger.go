package harness

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
)

// Ledger checks the contract. Senders post through it, so it knows every message and every answer. Check compares them with the
// events that the sink received and acknowledged. Sender and sink share this process's clock, so "before" is exact.
type Ledger struct {
	client *Client

	mu       sync.Mutex
	sent     map[string]json.RawMessage
	dropped  map[string]bool
	attempts []*Attempt
	stored   bool
}

// Attempt is one POST as its sender saw it. Answer is the zero Answer until the attempt has ended.
type Attempt struct {
	IDs    []string
	Start  time.Time
	Answer Answer
	Ended  bool
	By     string // the sender, if it has a name

	mayDrop map[string]bool // the processors drop these messages, if they see them in this attempt
}

// OK says whether the answer means that everything is delivered.
func (a *Attempt) OK() bool { return a.Ended && a.Answer.Err == nil && a.Answer.Code == http.StatusOK }

// Delivered says whether the answer means that the message is delivered. It is false if a processor may have dropped the message.
func (a *Attempt) Delivered(id string) bool { return a.OK() && !a.mayDrop[id] }

// NewLedger makes an empty ledger whose senders share one client.
func NewLedger(t testing.TB) *Ledger {
	t.Helper()
	return &Ledger{client: NewClient(t), sent: make(map[string]json.RawMessage), dropped: make(map[string]bool)}
}

// Attributes are a sender's additions to an attempt.
type Attributes struct {
	// By is the sender's name. Several senders may send equal messages.
	By string
	// Path is the path of a source; "" is /in.
	Path string
	// Header has the request headers beside the usual ones.
	Header http.Header
	// MayDrop says whether the processors drop a message if they see it with this Header. A 200 does not prove its delivery
	// then. nil means no message.
	MayDrop func(Message) bool
}

// Post sends a batch and records its answer.
func (l *Ledger) Post(ctx context.Context, addr string, b Batch) Answer {
	return l.PostWith(ctx, addr, b, Attributes{})
}

// PostWith is Post with attributes.
func (l *Ledger) PostWith(ctx context.Context, addr string, b Batch, with Attributes) Answer {
	return l.post(ctx, l.client, "http://"+addr+cmp.Or(with.Path, "/in"), b, with)
}

// PostBy is Post with the caller's client, for TLS or credentials.
func (l *Ledger) PostBy(ctx context.Context, c *Client, url string, header http.Header, b Batch) Answer {
	return l.post(ctx, c, url, b, Attributes{Header: header})
}

func (l *Ledger) post(ctx context.Context, c *Client, url string, b Batch, with Attributes) Answer {
	a := l.open(b, with) // before the first byte is sent: an event at the sink may be older than its answer
	answer := c.PostTo(ctx, url, with.Header, b.Body())
	l.mu.Lock()
	defer l.mu.Unlock()
	a.Answer, a.Ended = answer, true
	return answer
}

func (l *Ledger) open(b Batch, with Attributes) *Attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := &Attempt{Start: time.Now(), By: with.By, mayDrop: make(map[string]bool)}
	for _, m := range b {
		a.IDs = append(a.IDs, m.ID)
		a.mayDrop[m.ID] = with.MayDrop != nil && with.MayDrop(m)
		l.sent[m.ID] = m.Raw
	}
	l.attempts = append(l.attempts, a)
	return a
}

// Attempts is every POST so far, in the order of their starts.
func (l *Ledger) Attempts() []Attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	attempts := make([]Attempt, len(l.attempts))
	for i, a := range l.attempts {
		attempts[i] = *a
	}
	return attempts
}

// CloseIdle closes the connections without a request, so that they do not count in the process's figures.
func (l *Ledger) CloseIdle() { l.client.http.CloseIdleConnections() }

// Go is Post in a goroutine; the channel gives the answer once.
func (l *Ledger) Go(ctx context.Context, addr string, b Batch) <-chan Answer {
	answer := make(chan Answer, 1)
	go func() { answer <- l.Post(ctx, addr, b) }()
	return answer
}

// Sent is the number of messages sent so far.
func (l *Ledger) Sent() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.sent)
}

// WillDrop tells the ledger that the processors drop these messages: they are not lost, and must not reach the sink.
func (l *Ledger) WillDrop(ids ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		l.dropped[id] = true
	}
}

// Check fails the test if the contract was broken. A message may be at any of the sinks.
func (l *Ledger) Check(t testing.TB, sinks ...*lumbersink.Sink) {
	t.Helper()
	events := EventsOf(sinks...)
	if broken := l.Violations(events); len(broken) > 0 {
		require.FailNow(t, "the contract was broken", "%s", l.Report(broken, events, nil))
	}
}

// CheckOnce is Check, and no message may have reached the sink twice. That holds for one process, while no connection to the sink
// is cut: the output sends a window again if it does not know whether the window has arrived.
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

// Stored tells the ledger that a 200 means stored, not delivered. It may precede the acknowledgement. Lost checks its promise, the
// delivery in the end.
func (l *Ledger) Stored() { l.stored = true }
