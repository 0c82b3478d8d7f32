package intake

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/inflight"
	"github.com/txn2/rtbeat/internal/metrics"
)

// taken is a published batch. The test does with it as a worker and the output do.
type taken struct {
	*inflight.BatchAck
	registry *inflight.Registry
	messages []batch.Message // handed over
	events   []any           // of those
	acked    int
}

// take waits for the next batch to be published.
func (r *rig) take() *taken {
	r.t.Helper()
	batches := make(chan *inflight.BatchAck, 1)
	go func() { batches <- r.registry.Take() }()
	select {
	case b := <-batches:
		return &taken{BatchAck: b, registry: r.registry}
	case <-time.After(patience):
		require.FailNow(r.t, "nothing was published")
		return nil
	}
}

// handOver gives n messages to the pipeline, as a worker does.
func (j *taken) handOver(n int) {
	for range n {
		m, e, ok := j.Next()
		if !ok {
			panic("the batch has no more messages")
		}
		e.ReachOutput()
		j.messages = append(j.messages, m)
		j.events = append(j.events, e)
	}
}

// filter hands the next message over, and a processor drops it.
func (j *taken) filter() {
	_, e, ok := j.Next()
	if !ok {
		panic("the batch has no more messages")
	}
	e.Filter()
}

// ack acknowledges the next n messages that were handed over.
func (j *taken) ack(n int) {
	j.registry.Ack(j.events[j.acked : j.acked+n])
	j.acked += n
}

// event is the last message that was handed over.
func (j *taken) event() *inflight.EventAck {
	return j.events[len(j.events)-1].(*inflight.EventAck)
}

// handOverAll gives all messages to the pipeline, except withdrawn ones.
func (j *taken) handOverAll() {
	for m, e, ok := j.Next(); ok; m, e, ok = j.Next() {
		e.ReachOutput()
		j.messages = append(j.messages, m)
		j.events = append(j.events, e)
	}
}

// deliver hands the batch over, and the output acknowledges it.
func (j *taken) deliver() {
	j.handOverAll()
	j.ack(len(j.events))
}

// requireNoMore checks that no message is left for a worker.
func (j *taken) requireNoMore(t *testing.T) {
	t.Helper()
	_, _, ok := j.Next()
	require.False(t, ok, "a withdrawn message is not published any more")
}

// work calls a function of the test with each published batch, until the test ends.
func (r *rig) work(with func(*taken)) {
	var worker sync.WaitGroup
	worker.Go(func() {
		for b := r.registry.Take(); b != nil; b = r.registry.Take() {
			with(&taken{BatchAck: b, registry: r.registry})
		}
	})
	r.t.Cleanup(func() {
		r.registry.CloseQueue()
		worker.Wait()
	})
}

// deliverAll delivers each batch at once, until the test ends.
func (r *rig) deliverAll() { r.work((*taken).deliver) }

// requireUntouched checks that nothing was published.
func (r *rig) requireUntouched() {
	r.t.Helper()
	require.Zero(r.t, r.registry.QueueLength(), "batches published")
}

// anyConnections bounds nothing.
type anyConnections struct{}

func (anyConnections) ConnState(net.Conn, http.ConnState)                          {}
func (anyConnections) ConnContext(ctx context.Context, _ net.Conn) context.Context { return ctx }
func (anyConnections) CloseIdle(context.Context)                                   {}
func (anyConnections) IsOld(context.Context, time.Time) bool                       { return false }
func (anyConnections) HeadersTimedOut(net.Conn) bool                               { return false }
func (anyConnections) Complete(context.Context) (done func(), ok bool)             { return func() {}, true }

// counted reads the metrics of a rig.
type counted struct{ *sourceCounters }

// number is the value of a metric.
func number(m prometheus.Metric) int { return int(metrics.Value(m)) }

// failedTimes counts failures, by "kind reason".
func (c counted) failedTimes() map[string]int {
	times := make(map[string]int)
	for kind, by := range map[string]metrics.CounterBy{"decode": c.decodeFailures, "auth": c.authFailures, "handshake": c.handshakeFailures} {
		for reason, counter := range by {
			if n := number(counter); n > 0 {
				times[kind+" "+reason] = n
			}
		}
	}
	return times
}

// answered counts answers, by "code reason".
func (c counted) answered() map[string]int {
	answers := make(map[string]int)
	for o := range outcome(len(outcomes)) {
		if n := int(c.counters.answered(o)); n > 0 {
			answers[labels(o)] = n
		}
	}
	return answers
}

// hooked is a counter that calls a function before each change.
type hooked struct {
	prometheus.Counter
	before func()
}

func (h hooked) Inc()          { h.before(); h.Counter.Inc() }
func (h hooked) Add(n float64) { h.before(); h.Counter.Add(n) }

// hook calls before ahead of each change of a counter, until unhook.
func hook(c *prometheus.Counter, before func()) (unhook func()) { //nolint:gocritic // it replaces the counter
	inner := *c
	*c = hooked{inner, before}
	return func() { *c = inner }
}

// fakeLog keeps every line.
type fakeLog struct {
	quiet bool // at a level above debug

	mu    sync.Mutex
	lines []line
}

// line is a log line; its fields are in text too.
type line struct {
	level  string
	msg    string
	fields map[string]any
}

func (l *fakeLog) IsDebug() bool                   { return !l.quiet }
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
