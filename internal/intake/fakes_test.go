package intake

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/inflight"
)

// fakePublisher stands for the publisher and all behind it. It does nothing with a batch: the test says what becomes
// of it, with the calls that the real one makes.
type fakePublisher struct {
	batches     chan published
	withdrawals atomic.Int32

	onPublish  func(published)          // called before Publish returns
	onWithdraw func(*inflight.BatchAck) // called before anything is withdrawn
}

// published is a batch that the handler published.
type published struct {
	batch.Batch
	token    *inflight.BatchAck
	received time.Time
	clientIP string
}

func newFakePublisher() *fakePublisher {
	return &fakePublisher{
		batches:    make(chan published, 64),
		onPublish:  func(published) {},
		onWithdraw: func(*inflight.BatchAck) {},
	}
}

func (p *fakePublisher) Publish(b batch.Batch, received time.Time, clientIP string, token *inflight.BatchAck) {
	job := published{Batch: b, token: token, received: received, clientIP: clientIP}
	p.batches <- job
	p.onPublish(job)
}

func (p *fakePublisher) Withdraw(token *inflight.BatchAck) (withdrawn int, delivered bool) {
	p.withdrawals.Add(1)
	p.onWithdraw(token)
	return token.Withdraw()
}

// next waits for the next batch to be published.
func (p *fakePublisher) next(t *testing.T) published {
	t.Helper()
	select {
	case job := <-p.batches:
		return job
	case <-time.After(patience):
		require.FailNow(t, "nothing was published")
		return published{}
	}
}

// requireUntouched checks that nothing was published and nothing withdrawn.
func (p *fakePublisher) requireUntouched(t *testing.T) {
	t.Helper()
	require.Empty(t, p.batches, "batches published")
	require.Zero(t, p.withdrawals.Load(), "withdrawals")
}

// handOver gives n messages to the pipeline, as a worker does.
func (j published) handOver(n int) {
	for range n {
		if !j.token.HandOver(messageSize) {
			panic("the token refused a message")
		}
	}
}

// deliver hands everything over, and the output acknowledges it.
func (j published) deliver() {
	j.handOver(len(j.Messages))
	j.token.Ack(len(j.Messages))
}

// fakeMetrics keeps what the intake reports.
type fakeMetrics struct {
	onBatch func() // called in Batch

	mu         sync.Mutex
	requests   int // being served
	bytes      int
	batches    int
	messages   int
	asStrings  int
	withdrawn  int
	deliveries []time.Duration
	answers    map[string]int // by "code reason"
}

// Expect makes no difference here.
func (*fakeMetrics) Expect(int, string) {}

func newFakeMetrics() *fakeMetrics {
	return &fakeMetrics{onBatch: func() {}, answers: make(map[string]int)}
}

func (m *fakeMetrics) locked(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

func (m *fakeMetrics) Request() (done func()) {
	m.locked(func() { m.requests++ })
	return func() { m.locked(func() { m.requests-- }) }
}

func (m *fakeMetrics) Read(bytes int) { m.locked(func() { m.bytes += bytes }) }

func (m *fakeMetrics) Batch(messages, numbersAsStrings int) {
	m.onBatch()
	m.locked(func() {
		m.batches++
		m.messages += messages
		m.asStrings += numbersAsStrings
	})
}

func (m *fakeMetrics) Withdrawn(messages int) { m.locked(func() { m.withdrawn += messages }) }

func (m *fakeMetrics) Delivered(after time.Duration) {
	m.locked(func() { m.deliveries = append(m.deliveries, after) })
}

func (m *fakeMetrics) Answer(code int, reason string) {
	m.locked(func() { m.answers[fmt.Sprint(code, " ", reason)]++ })
}

// answered is how many answers there were, by "code reason".
func (m *fakeMetrics) answered() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.answers)
}

func (m *fakeMetrics) serving() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.requests
}

func (m *fakeMetrics) bytesRead() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.bytes
}

// fakeLog keeps every line.
type fakeLog struct {
	mu    sync.Mutex
	lines []line
}

// line is a log line; its fields are in text too.
type line struct {
	level  string
	msg    string
	fields map[string]any
}

func (l *fakeLog) Debugw(msg string, pairs ...any) { l.add("debug", msg, pairs) }
func (l *fakeLog) Warnw(msg string, pairs ...any)  { l.add("warn", msg, pairs) }
func (l *fakeLog) Errorw(msg string, pairs ...any) { l.add("error", msg, pairs) }

func (l *fakeLog) add(level, msg string, pairs []any) {
	fields := make(map[string]any)
	for i := 0; i < len(pairs); i += 2 {
		fields[pairs[i].(string)] = pairs[i+1]
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line{level: level, msg: msg, fields: fields})
}

// about is the lines with this reason.
func (l *fakeLog) about(o outcome) []line {
	l.mu.Lock()
	defer l.mu.Unlock()
	var lines []line
	for _, line := range l.lines {
		if line.fields["reason"] == outcomes[o].reason {
			lines = append(lines, line)
		}
	}
	return lines
}

// text is the whole log.
func (l *fakeLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var text strings.Builder
	for _, line := range l.lines {
		fmt.Fprintln(&text, line.level, line.msg, line.fields)
	}
	return text.String()
}
