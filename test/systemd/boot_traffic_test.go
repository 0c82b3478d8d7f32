//go:build linux && systemd

package systemd

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// interval is the time between two attempts of a sender.
const interval = 100 * time.Microsecond

// traffic has senders that post all the time. Each sends the next batch after the 200 for the one before.
type traffic struct {
	t      testing.TB
	ledger *harness.Ledger
	tally  harness.Tally
	okays  atomic.Int64

	over    atomic.Bool
	senders sync.WaitGroup
	mu      sync.Mutex
	errors  map[string]int
}

// post starts senders. Half of them keep their connection, half make one for each request.
func (m *machine) post(senders int) *traffic {
	tr := &traffic{t: m.t, ledger: harness.NewLedger(m.t), errors: make(map[string]int)}
	for n := range senders {
		w := &wire{dial: m.dial, fresh: n%2 == 1}
		name := fmt.Sprintf("kept-%d", n)
		if w.fresh {
			name = fmt.Sprintf("fresh-%d", n)
		}
		tr.senders.Go(func() {
			defer w.CloseIdleConnections()
			tr.send(m.t.Context(), name, harness.NewClientOver(w))
		})
	}
	m.t.Cleanup(func() {
		tr.over.Store(true)
		tr.senders.Wait()
		if m.t.Failed() {
			m.t.Logf("%s; without an answer: %v", tr, tr.errors)
		}
	})
	return tr
}

// send posts batches of one to four messages until the traffic ends, and the last one until it is delivered.
func (tr *traffic) send(ctx context.Context, name string, client *harness.Client) {
	for n := 0; !tr.over.Load(); n++ {
		batch := harness.NewBatch(fmt.Sprintf("%s-%d", name, n), 1+n%4)
		for ctx.Err() == nil {
			answer := tr.ledger.PostBy(ctx, client, "http://"+intakeAt+"/in", nil, batch)
			tr.tally.Add(answer)
			if answer.Err != nil && ctx.Err() == nil {
				tr.mu.Lock()
				tr.errors[name+": "+answer.Err.Error()]++
				tr.mu.Unlock()
			}
			harness.Pause(ctx, interval)
			if answer.Err == nil && answer.Code == http.StatusOK {
				tr.okays.Add(1)
				break
			}
		}
	}
}

// flows waits for n more 200s.
func (tr *traffic) flows(n int64) {
	tr.t.Helper()
	from := tr.okays.Load()
	harness.Await(tr.t, commandWithin, fmt.Sprintf("%d answers 200", n), func() bool { return tr.okays.Load() >= from+n })
}

// stop ends the senders with empty queues, and checks the ledger: only 200, nothing lost, and the same id on each copy.
func (tr *traffic) stop(sink *lumbersink.Sink) (copies int) {
	tr.t.Helper()
	tr.over.Store(true)
	done := make(chan struct{})
	go func() { tr.senders.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(commandWithin):
		require.FailNow(tr.t, "the senders do not end", "answers: %v, errors: %v", tr.tally.Counts(), tr.errors)
	}
	events := sink.Events()
	lost := tr.ledger.Lost(events)
	require.Empty(tr.t, lost, "%s", tr.ledger.Report(lost, events, nil))
	tr.ledger.Check(tr.t, sink)
	copies = len(events) - tr.ledger.Sent()
	tr.ledger.RequireDocumentIDs(tr.t, events)
	require.Empty(tr.t, tr.errors, "requests without an answer; answers: %v", tr.tally.Counts())
	others := tr.tally.Counts()
	maps.DeleteFunc(others, func(code string, _ int) bool { return code == "200" })
	require.Empty(tr.t, others, "answers: %v", tr.tally.Counts())
	return copies
}

// String is the result.
func (tr *traffic) String() string {
	counts := tr.tally.Counts()
	requests := 0
	for _, n := range counts {
		requests += n
	}
	return fmt.Sprintf("%d requests, answers %v, %d messages", requests, counts, tr.ledger.Sent())
}

// deliver posts a batch on a new connection and requires a 200.
func (m *machine) deliver(ledger *harness.Ledger, name string) {
	m.t.Helper()
	answer := m.postOne(ledger, name)
	require.NoError(m.t, answer.Err)
	require.Equal(m.t, http.StatusOK, answer.Code, "%s", answer)
}

// postOne posts a batch on a new connection.
func (m *machine) postOne(ledger *harness.Ledger, name string) harness.Answer {
	client := harness.NewClientOver(&wire{dial: m.dial, fresh: true})
	return ledger.PostBy(m.t.Context(), client, "http://"+intakeAt+"/in", nil, harness.NewBatch(name, 1))
}
