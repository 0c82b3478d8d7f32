//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
)

// The process dies between the sink's receipt and its ack: the sender knows nothing, sends again, and gets through.
func TestSIGKILLBeforeTheAck(t *testing.T) {
	t.Parallel()
	sink := startSink(t, lumbersink.Never())
	home := t.TempDir()
	b := startBeat(t, Settings{Sink: sink.Addr(), Home: home})
	l := newLedger(t)

	batch := newBatch("killed", 5)
	answer := l.Go(t.Context(), b.Addr, batch)
	arrived(t, sink, 1)
	b.Kill()
	a := <-answer
	require.Error(t, a.Err, "%s", a)

	recoverSink(sink)
	b = startBeat(t, Settings{Sink: sink.Addr(), Home: home})
	requireDelivered(t, l.Post(t.Context(), b.Addr, batch), len(batch))
	l.Check(t, sink)
}

// Senders with a queue of their own, as rxtx has, survive two crashes without a loss.
func TestSendersSurviveCrashes(t *testing.T) {
	const senders, batches, messages, crashes = 4, 30, 20, 2
	sink := startSink(t, lumbersink.Delay(30*time.Millisecond))
	home := t.TempDir()
	var addr atomic.Value
	start := func() *Beat {
		b := startBeat(t, Settings{Sink: sink.Addr(), Home: home})
		addr.Store(b.Addr)
		return b
	}
	b := start()
	l := newLedger(t)

	var answers tally
	var running sync.WaitGroup
	for s := range senders {
		running.Go(func() {
			for n := range batches {
				batch := newBatch(fmt.Sprintf("crash-%d-%d", s, n), messages)
				for t.Context().Err() == nil {
					a := l.Post(t.Context(), addr.Load().(string), batch)
					answers.add(a)
					if a.Code == http.StatusOK {
						break
					}
					pause(t.Context(), retryPause)
				}
			}
		})
	}
	for crash := range crashes {
		// In the middle of the work, with answers behind and batches under way.
		await(t, arriveWithin, "a part of the answers", func() bool {
			return answers.counts()["200"] >= (crash+1)*senders*batches/(crashes+1)
		})
		b.Kill()
		b = start()
	}
	running.Wait()

	t.Logf("answers: %v", answers.counts())
	require.Equal(t, senders*batches, answers.counts()["200"])
	require.Positive(t, answers.counts()["error"], "the crashes met nobody")
	l.Check(t, sink)
}
