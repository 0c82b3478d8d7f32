//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// Durable mode: a 200 says that a batch is on the local disk. Each batch with a 200 is delivered, after ends of the process,
// faults of the disk and outages of Logstash.

// durably adds durable mode to settings, with a small queue, and with a home for several processes.
func durably(t testing.TB, s harness.Settings) harness.Settings {
	t.Helper()
	rtbeat := map[string]any{"durable.max_bytes": "16MiB", "max_body_bytes": "1MiB", "timeout": "2s"}
	maps.Copy(rtbeat, s.Rtbeat)
	s.Rtbeat = rtbeat
	if s.Kind == "" {
		output := map[string]any{"backoff.init": "100ms", "backoff.max": "200ms"}
		maps.Copy(output, s.Output)
		s.Output = output
	}
	if s.Home == "" {
		s.Home = t.TempDir()
	}
	return s
}

func durableLedger(t testing.TB) *harness.Ledger {
	t.Helper()
	l := harness.NewLedger(t)
	l.Stored()
	return l
}

func requirePersisted(t testing.TB, a harness.Answer, n int) {
	t.Helper()
	require.Equal(t, http.StatusOK, a.Code, "%s", a)
	require.Equal(t, "persisted", a.Body.Ack, "%s", a)
	require.Equal(t, n, a.Body.Messages, "%s", a)
}

// persist sends batches, and requires that each is stored.
func persist(t testing.TB, l *harness.Ledger, addr, name string, batches int) {
	t.Helper()
	for i := range batches {
		requirePersisted(t, l.Post(t.Context(), addr, harness.NewBatch(fmt.Sprintf("%s-%d", name, i), 10)), 10)
	}
}

// requireAllArrive waits until the sink has each message with a 200, unchanged.
func requireAllArrive(t testing.TB, l *harness.Ledger, sink *lumbersink.Sink) {
	t.Helper()
	promised := make(map[string]bool)
	for _, a := range l.Attempts() {
		for _, id := range a.IDs {
			if a.OK() {
				promised[id] = true
			}
		}
	}
	harness.Await(t, time.Minute, "each message with a 200", func() bool {
		arrived := make(map[string]bool)
		for _, id := range arrivals(t, sink) {
			arrived[id] = true
		}
		for id := range promised {
			if !arrived[id] {
				return false
			}
		}
		return true
	})
	l.Check(t, sink)
}

// arrivals are the ids of the messages at the sink, in order.
func arrivals(t testing.TB, sink *lumbersink.Sink) (ids []string) {
	t.Helper()
	for _, e := range sink.Events() {
		id, _, err := harness.MessageOf(e.Raw)
		require.NoError(t, err)
		ids = append(ids, id)
	}
	return ids
}

// stopWith stops a process. The last line of its log must name this number of batches on the disk.
func stopWith(t testing.TB, b *harness.Beat, batches int) {
	t.Helper()
	b.Stop()
	last, ok := b.Log.Find("stopped: ")
	require.True(t, ok)
	require.Contains(t, last.Message, fmt.Sprintf("%d batches (", batches))
	require.InDelta(t, batches, last.Fields["stored_batches"], 0)
}

// startSinkAt starts a Logstash at an address that had no listener before.
func startSinkAt(t testing.TB, addr string) *lumbersink.Sink {
	t.Helper()
	sink, err := lumbersink.Listen(addr, harness.SinkTimes()...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, sink.Close()) })
	return sink
}

// Batches are delivered in the order in which they were stored, many at a time. The messages of each stay in order.
func TestDurableDeliversInOrderAfterAnOutage(t *testing.T) {
	t.Parallel()
	addr := harness.DeadAddress(t)
	b := harness.StartBeat(t, durably(t, harness.Settings{Sink: addr}))
	_, ok := b.Log.Find("durable mode: a 200 means that the batch is on the disk")
	require.True(t, ok, "no line about the meaning of a 200")
	l := durableLedger(t)
	persist(t, l, b.Addr, "outage", 200)
	sink := startSinkAt(t, addr)
	requireAllArrive(t, l, sink)
	l.CheckOnce(t, sink)
	// 64 batches are under way. While the scheduler stops a worker with one of them, as many again may pass it.
	const passing = 2 * 64
	position := make(map[string]int)
	for i, id := range arrivals(t, sink) {
		position[id] = i
	}
	for n, a := range l.Attempts() {
		for i, id := range a.IDs {
			require.InDelta(t, n*10+i, position[id], passing*10, "%s", id)
			require.True(t, i == 0 || position[id] > position[a.IDs[i-1]], "%s", id)
		}
	}
	stopWith(t, b, 0)
}

// The output was down before the first 200. Nothing was delivered, so nothing arrives twice.
func TestDurableOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*harness.Beat){
		"SIGKILL": func(b *harness.Beat) { b.Kill() },
		"SIGTERM": func(b *harness.Beat) { stopWith(t, b, 20) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := harness.DeadAddress(t)
			s := durably(t, harness.Settings{Sink: addr, Rtbeat: map[string]any{"shutdown_timeout": "1s"}})
			b := harness.StartBeat(t, s)
			l := durableLedger(t)
			persist(t, l, b.Addr, "before", 20)
			end(b)

			b = harness.StartBeat(t, s)
			_, ok := b.Log.Find("durable mode: 20 batches wait to be delivered")
			require.True(t, ok)
			persist(t, l, b.Addr, "after", 1)
			sink := startSinkAt(t, addr)
			requireAllArrive(t, l, sink)
			l.CheckOnce(t, sink)
			l.RequireDocumentIDs(t, sink.Events())
			stopWith(t, b, 0)
		})
	}
}

// Stored messages are deduped, by the process that stored them and by the next one.
func TestDurableRetriesAreDeduped(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	s := durably(t, harness.Settings{Sink: sink.Addr()})
	b := harness.StartBeat(t, s)
	l := durableLedger(t)
	batch := harness.NewBatch("again", 10)
	requireCoalesced := func(b *harness.Beat, batch harness.Batch, want int) {
		t.Helper()
		a := l.Post(t.Context(), b.Addr, batch)
		requirePersisted(t, a, len(batch))
		require.Equal(t, want, a.Body.Coalesced, "%s", a)
	}
	requireCoalesced(b, batch, 0)
	requireCoalesced(b, batch, 10)
	requireAllArrive(t, l, sink)
	b.Kill()
	before := sink.Received() // the kill may have preceded the deletion

	b = harness.StartBeat(t, s)
	requireCoalesced(b, batch, 10)
	batch = append(batch, harness.NewBatch("new", 5)...)
	requireCoalesced(b, batch, 10)
	requireCoalesced(b, batch[5:], 10)
	requireAllArrive(t, l, sink)
	stopWith(t, b, 0)
	require.Contains(t, []int{before + 5, before + 15}, sink.Received())

	b = harness.StartBeat(t, s)
	requireCoalesced(b, batch, 15)
	stopWith(t, b, 0)
}

// During an outage rtbeat is degraded, and still ready: it accepts batches.
func TestDurableIsDegradedDuringAnOutage(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Never())
	b := harness.StartBeat(t, durably(t, harness.Settings{Sink: sink.Addr(), Rtbeat: map[string]any{"stall_after": "1s"}}))
	l := durableLedger(t)
	persist(t, l, b.Addr, "first", 1)
	harness.Await(t, 10*time.Second, "degraded", func() bool { return b.Get("/readyz").Body.Message != "" })
	a := b.Get("/readyz")
	require.Equal(t, http.StatusOK, a.Code, "%s", a)
	require.Contains(t, string(a.Raw), "rtbeat.stall_after", "%s", a)
	persist(t, l, b.Addr, "meanwhile", 50)

	harness.RecoverSink(sink)
	requireAllArrive(t, l, sink)
	harness.Await(t, 10*time.Second, "ready", func() bool { return b.Get("/readyz").Body.Message == "" })
	require.Equal(t, http.StatusOK, b.Get("/readyz").Code)
	l.CheckOnce(t, sink)
	stopWith(t, b, 0)
}

func TestDurableSurvivesKillsUnderLoad(t *testing.T) {
	t.Parallel()
	const senders, messages, kills = 4, 25, 5
	sink := harness.StartSink(t, lumbersink.Delay(20*time.Millisecond))
	s := durably(t, harness.Settings{Sink: sink.Addr()})
	var addr atomic.Value
	b := harness.StartBeat(t, s)
	addr.Store(b.Addr)
	l := durableLedger(t)

	var answers harness.Tally
	var stop atomic.Bool
	var running sync.WaitGroup
	for n := range senders {
		running.Go(func() {
			for i := 0; !stop.Load(); {
				a := l.Post(t.Context(), addr.Load().(string), harness.Padded(fmt.Sprintf("kill-%d-%d", n, i), messages, 300))
				answers.Add(a)
				if a.Code == http.StatusOK {
					i++
					continue
				}
				harness.Pause(t.Context(), retryPause)
			}
		})
	}
	for kill := range kills {
		before := answers.Counts()["200"]
		harness.Await(t, harness.ArriveWithin, "some answers", func() bool { return answers.Counts()["200"] >= before+60 })
		if kill%2 == 0 {
			b.Kill()
		} else {
			b.Stop()
		}
		b = harness.StartBeat(t, s)
		addr.Store(b.Addr)
	}
	stop.Store(true)
	running.Wait()
	requireAllArrive(t, l, sink)
	l.RequireDocumentIDs(t, sink.Events())
	t.Logf("answers: %v; %d events of %d messages after %d stops", answers.Counts(), sink.Received(), l.Sent(), kills)
	b.Stop()
}

// A processor drops by the request of a batch, which is stored with it. A batch at which a processor fails waits for a corrected
// configuration. Other batches are delivered meanwhile.
func TestDurableProcessors(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	s := durably(t, dropSettings(sink.Addr()))
	b := harness.StartBeat(t, s)
	l := durableLedger(t)
	requirePersisted(t, <-postDrop(t, b, harness.NewBatch("dropped", 5).Body(), "yes"), 5)
	stopWith(t, b, 0)
	require.Zero(t, sink.Received())

	s.Processors = []any{map[string]any{"fingerprint": map[string]any{"fields": []string{"not.there"}, "when": map[string]any{
		"equals": map[string]any{"rxtxMsg.label": "fails"},
	}}}}
	b = harness.StartBeat(t, s)
	requirePersisted(t, l.Post(t.Context(), b.Addr, harness.NewLabelledBatch("failed", 2, func(i int) string { return []string{"fine", "fails"}[i] })), 2)
	persist(t, l, b.Addr, "behind", 20)
	harness.Arrived(t, sink, 201)
	harness.Await(t, prompt, "a line of the log", func() bool {
		line, ok := b.Log.Find("a stored batch was not delivered; rtbeat retries it")
		return ok && strings.Contains(line.Line, "fingerprint")
	})
	stopWith(t, b, 1)
	require.NotContains(t, arrivals(t, sink), "failed-1")

	s.Processors = nil
	b = harness.StartBeat(t, s)
	requireAllArrive(t, l, sink)
	stopWith(t, b, 0)
	require.Equal(t, 202, sink.Received(), "the rest of the batch is not delivered again")
}
