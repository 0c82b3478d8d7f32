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
	"github.com/txn2/rtbeat/test/harness"
)

// The process dies between the sink's receipt and its ack: the sender has no answer, retries, and is answered.
func TestSIGKILLBeforeTheAck(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Never())
	home := t.TempDir()
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Home: home})
	l := harness.NewLedger(t)

	batch := harness.NewBatch("killed", 5)
	answer := l.Go(t.Context(), b.Addr, batch)
	harness.Arrived(t, sink, 1)
	b.Kill()
	a := <-answer
	require.Error(t, a.Err, "%s", a)

	harness.RecoverSink(sink)
	b = harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Home: home})
	requireDelivered(t, l.Post(t.Context(), b.Addr, batch), len(batch))
	l.Check(t, sink)
}

// Senders with their own queue, as rxtx has, lose nothing in two crashes.
func TestSendersSurviveCrashes(t *testing.T) {
	t.Parallel()
	const senders, batches, messages, crashes = 4, 30, 20, 2
	sink := harness.StartSink(t, lumbersink.Delay(30*time.Millisecond))
	home := t.TempDir()
	var addr atomic.Value
	start := func() *harness.Beat {
		b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Home: home})
		addr.Store(b.Addr)
		return b
	}
	b := start()
	l := harness.NewLedger(t)

	var answers harness.Tally
	var running sync.WaitGroup
	for s := range senders {
		running.Go(func() {
			for n := range batches {
				batch := harness.NewBatch(fmt.Sprintf("crash-%d-%d", s, n), messages)
				for t.Context().Err() == nil {
					a := l.Post(t.Context(), addr.Load().(string), batch)
					answers.Add(a)
					if a.Code == http.StatusOK {
						break
					}
					harness.Pause(t.Context(), retryPause)
				}
			}
		})
	}
	for crash := range crashes {
		// During the load, after some answers and with batches in flight.
		harness.Await(t, harness.ArriveWithin, "a part of the answers", func() bool {
			return answers.Counts()["200"] >= (crash+1)*senders*batches/(crashes+1)
		})
		b.Kill()
		b = start()
	}
	running.Wait()

	t.Logf("answers: %v", answers.Counts())
	require.Equal(t, senders*batches, answers.Counts()["200"])
	require.Positive(t, answers.Counts()["error"], "no attempt failed in the crashes")
	l.Check(t, sink)
}
