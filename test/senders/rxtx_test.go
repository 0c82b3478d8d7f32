//go:build senders

package senders

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// rxtx sends the requests of rxtx: the head of its queue, as much as fits into a batch, with a new batch uuid each time. Only a
// 200 removes those messages. Otherwise it sends the then current head again. It waits for an answer for 60 s, and ignores
// Retry-After.
type rxtx struct {
	queue    harness.Batch
	batch    int
	interval time.Duration
	answers  []harness.Answer
}

// transmit makes one attempt.
func (r *rxtx) transmit(ctx context.Context, l *harness.Ledger, addr string) {
	head := slices.Clone(r.queue[:min(len(r.queue), r.batch)])
	a := l.Post(ctx, addr, head)
	r.answers = append(r.answers, a)
	if a.Err == nil && a.Code == http.StatusOK {
		r.queue = r.queue[len(head):]
	}
}

// empties sends until the queue is empty.
func (r *rxtx) empties(t *testing.T, l *harness.Ledger, addr string) {
	t.Helper()
	harness.Await(t, harness.ArriveWithin, "an empty queue", func() bool {
		if len(r.queue) > 0 {
			r.transmit(t.Context(), l, addr)
			harness.Pause(t.Context(), r.interval)
		}
		return len(r.queue) == 0
	})
}

// codes has the number of answers by status.
func (r *rxtx) codes() map[string]int {
	var tally harness.Tally
	for _, a := range r.answers {
		tally.Add(a)
	}
	return tally.Counts()
}

// During an outage of the sink the queue grows, and each retry has more messages: messages in flight, withdrawn messages, and new
// ones. In the end the sink has every message once.
func TestRxtx(t *testing.T) {
	t.Parallel()
	const perRound, rounds = 40, 8
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := startWith(t, sink, "", promptTimeout, "rtbeat.stall_after=2", "queue.mem.events=64", "queue.mem.flush.min_events=32")
	l := harness.NewLedger(t)
	r := &rxtx{batch: 100, interval: 20 * time.Millisecond}
	round := 0
	collect := func() {
		r.queue = append(r.queue, harness.NewBatch(fmt.Sprintf("round-%d", round), perRound)...)
		round++
	}

	collect()
	r.empties(t, l, b.Addr)
	r.answers = nil

	sink.SetPolicy(lumbersink.Never())
	for range rounds / 2 {
		collect()
		r.transmit(t.Context(), l, b.Addr)
	}
	// After stall_after without an acknowledgement, rtbeat refuses at once.
	harness.Await(t, harness.ArriveWithin, "a 503", func() bool {
		collect()
		r.transmit(t.Context(), l, b.Addr)
		return r.codes()["503"] > 0
	})
	require.Positive(t, r.codes()["504"])
	require.Zero(t, r.codes()["200"], "answers during the outage: %v", r.codes())

	harness.RecoverSink(sink)
	r.empties(t, l, b.Addr)
	require.Equal(t, round*perRound, sink.Received(), "answers: %v", r.codes())
	require.Empty(t, l.Lost(sink.Events()))
	l.CheckOnce(t, sink)
}
