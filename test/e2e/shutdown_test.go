//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// requireRefusedStop requires a 503 because of the shutdown.
func requireRefusedStop(t testing.TB, a harness.Answer) {
	t.Helper()
	require.NoError(t, a.Err)
	require.Equal(t, http.StatusServiceUnavailable, a.Code, "%s", a)
	require.Equal(t, "FAIL", a.Body.Status, "%s", a)
	require.Equal(t, "stopping", a.Body.Reason, "%s", a)
	require.NotEmpty(t, a.Header.Get("Retry-After"), "%s", a)
}

// requireAccount compares the last log line of a process with the expected events.
func requireAccount(t testing.TB, b *harness.Beat, delivered, unacknowledged int) {
	t.Helper()
	entry, ok := b.Log.Find("stopped: ")
	require.True(t, ok, "no account in the log:\n%s", b.Log.Tail(20))
	require.Equal(t, 1, strings.Count(b.Log.String(), `"stopped: `), "one account:\n%s", b.Log.Tail(20))
	require.EqualValues(t, delivered, entry.Fields["delivered_events"], "%s", entry.Line)
	require.EqualValues(t, unacknowledged, entry.Fields["unacknowledged_events"], "%s", entry.Line)
}

// The budget also holds in the worst state: a full queue, blocked workers, batches that wait for workers.
func TestSIGTERMWhileTheQueueIsFull(t *testing.T) {
	t.Parallel()
	const budget, senders, messages = 2 * time.Second, 6, 500
	sink := harness.StartSink(t, lumbersink.Never())
	b := harness.StartBeat(t, harness.Settings{
		Sink:   sink.Addr(),
		Rtbeat: map[string]any{"timeout": 30, "shutdown_timeout": 2},
		Queue:  map[string]any{"events": 64, "flush.min_events": 32},
	})
	l := harness.NewLedger(t)

	var answers []<-chan harness.Answer
	for i := range senders {
		answers = append(answers, l.Go(t.Context(), b.Addr, harness.NewBatch(fmt.Sprintf("blocked-%d", i), messages)))
	}
	harness.Await(t, prompt, "all batches inside", func() bool { return b.Metric("rtbeat_batches_received") == senders })
	harness.Await(t, prompt, "a full queue", func() bool { return b.Metric("rtbeat_in_flight_events") >= 64 })
	signalled := b.Terminate()

	for _, answer := range answers {
		requireRefusedStop(t, <-answer)
	}
	code, exited := b.WaitExit(budget + slack)
	require.Zero(t, code)
	require.Less(t, exited.Sub(signalled), budget+2*time.Second)
	l.Check(t, sink)
}

// refusesConnections says whether the listener is closed.
func refusesConnections(addr string) bool {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return true
	}
	_ = conn.Close()
	return false
}

// The ack arrives after the signal: the sender has its 200, and not before the ack.
func TestSIGTERMWaitsForALateAck(t *testing.T) {
	t.Parallel()
	const delay, budget = 1500 * time.Millisecond, 10 * time.Second
	sink := harness.StartSink(t, lumbersink.Delay(delay))
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Rtbeat: map[string]any{"timeout": 8, "shutdown_timeout": 10}})
	l := harness.NewLedger(t)

	batch := harness.NewBatch("late-ack", 1)
	answer := l.Go(t.Context(), b.Addr, batch)
	harness.Arrived(t, sink, len(batch))
	signalled := b.Terminate()

	requireDelivered(t, <-answer, len(batch))
	code, exited := b.WaitExit(budget)
	require.Zero(t, code)
	require.True(t, exited.After(sink.Events()[0].Acked), "exit before the ack")
	// After the ack there is nothing left to wait for, so the budget must not be used up.
	require.Less(t, exited.Sub(signalled), delay+slack)
	requireAccount(t, b, len(batch), 0)
	l.CheckOnce(t, sink)
}

// The ack never arrives: the sender has a 503, and the budget holds.
func TestSIGTERMGivesUpOnASilentSink(t *testing.T) {
	t.Parallel()
	const budget = 3 * time.Second
	sink := harness.StartSink(t, lumbersink.Never())
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Rtbeat: map[string]any{"timeout": 30, "shutdown_timeout": 3}})
	l := harness.NewLedger(t)

	batch := harness.NewBatch("never-acked", 3)
	answer := l.Go(t.Context(), b.Addr, batch)
	harness.Arrived(t, sink, 1)
	signalled := b.Terminate()

	requireRefusedStop(t, <-answer)
	code, exited := b.WaitExit(budget + 2*time.Second)
	require.Zero(t, code)
	require.Less(t, exited.Sub(signalled), budget+2*time.Second)
	requireAccount(t, b, 0, len(batch))
	l.Check(t, sink)
}

// A second signal does not change the drain.
func TestSecondSIGTERMDoesNoHarm(t *testing.T) {
	t.Parallel()
	const delay = 2 * time.Second
	sink := harness.StartSink(t, lumbersink.Delay(delay))
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Rtbeat: map[string]any{"timeout": 8, "shutdown_timeout": 10}})
	l := harness.NewLedger(t)

	batch := harness.NewBatch("twice", 1)
	answer := l.Go(t.Context(), b.Addr, batch)
	harness.Arrived(t, sink, len(batch))
	signalled := b.Terminate()
	harness.Await(t, prompt, "the listener to close", func() bool { return refusesConnections(b.Addr) })
	require.Empty(t, answer, "the second signal must arrive during the drain")
	b.Terminate()

	requireDelivered(t, <-answer, len(batch))
	code, exited := b.WaitExit(10 * time.Second)
	require.Zero(t, code)
	require.Less(t, exited.Sub(signalled), delay+slack)
	l.CheckOnce(t, sink)
}

// Senders that do not know of the shutdown go on posting: each attempt has a correct end.
func TestSendersPostThroughSIGTERM(t *testing.T) {
	t.Parallel()
	const senders, messages = 6, 10
	sink := harness.StartSink(t, lumbersink.Delay(30*time.Millisecond))
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Rtbeat: map[string]any{"timeout": 5, "shutdown_timeout": 10}})
	l := harness.NewLedger(t)

	var answers harness.Tally
	var refused sync.Map
	var running sync.WaitGroup
	for s := range senders {
		running.Go(func() {
			for n := 0; t.Context().Err() == nil; n++ {
				batch := harness.NewBatch(fmt.Sprintf("through-%d-%d", s, n), messages)
				a := l.Post(t.Context(), b.Addr, batch)
				answers.Add(a)
				if a.Code == http.StatusServiceUnavailable {
					for _, m := range batch {
						refused.Store(m.ID, a.String())
					}
				}
				select {
				case <-b.Done():
					return
				default:
				}
				if a.Err != nil {
					harness.Pause(t.Context(), 10*time.Millisecond)
				}
			}
		})
	}
	harness.Await(t, harness.ArriveWithin, "some answers", func() bool { return answers.Counts()["200"] >= 5*senders })
	signalled := b.Terminate()
	code, exited := b.WaitExit(12 * time.Second)
	running.Wait()

	require.Zero(t, code)
	require.Less(t, exited.Sub(signalled), slack, "a working sink needs no budget")
	t.Logf("answers: %v", answers.Counts())
	for status := range answers.Counts() {
		require.Contains(t, []string{"200", "503", "error"}, status)
	}
	l.CheckOnce(t, sink)

	events := sink.Events()
	for _, e := range events {
		require.False(t, e.Received.After(exited), "an event arrived after the exit")
		id, _, err := harness.MessageOf(e.Raw)
		require.NoError(t, err)
		answer, told := refused.Load(id)
		require.False(t, told, "%s was refused with %v and is at the sink", id, answer)
	}
	requireAccount(t, b, len(events), 0)
	// Only watching shows that no event arrives.
	require.Never(t, func() bool { return sink.Received() != len(events) }, 500*time.Millisecond, 50*time.Millisecond)
}

// A load balancer must see the process as not ready while it still serves.
func TestNotReadyBeforeTheListenerCloses(t *testing.T) {
	t.Parallel()
	const delay = 3 * time.Second
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := harness.StartBeat(t, harness.Settings{
		Sink:   sink.Addr(),
		Rtbeat: map[string]any{"shutdown_delay": "3s", "shutdown_timeout": 10},
	})
	l := harness.NewLedger(t)
	harness.Await(t, prompt, "ready", func() bool { return b.Get("/readyz").Code == http.StatusOK })

	signalled := b.Terminate()
	harness.Await(t, delay/2, "not ready", func() bool { return b.Get("/readyz").Code == http.StatusServiceUnavailable })
	require.Equal(t, http.StatusOK, b.Get("/livez").Code, "alive all the same")
	batch := harness.NewBatch("during-the-delay", 2)
	a := l.Post(t.Context(), b.Addr, batch)
	requireDelivered(t, a, len(batch))
	require.Less(t, a.At.Sub(signalled), delay, "the test needs an answer within the delay")

	code, exited := b.WaitExit(delay + slack)
	require.Zero(t, code)
	require.GreaterOrEqual(t, exited.Sub(signalled), delay, "the delay was cut short")
	l.CheckOnce(t, sink)
}
