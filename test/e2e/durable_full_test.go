//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// fill sends batches of 100 kB until the process has refused several in a row, and returns the number of accepted ones.
func fill(t testing.TB, l *harness.Ledger, b *harness.Beat, reason string) (taken int) {
	t.Helper()
	for refused, i := 0, 0; refused < 3; i++ {
		require.Less(t, i, 2000, "the queue does not fill up")
		batch := harness.Padded(fmt.Sprintf("fill-%d-%d", l.Sent(), i), 20, 5000)
		a := l.Post(t.Context(), b.Addr, batch)
		if a.Code == http.StatusOK {
			requirePersisted(t, a, len(batch))
			taken, refused = taken+1, 0
			continue
		}
		requireFail(t, a, http.StatusServiceUnavailable, reason)
		require.NotEmpty(t, a.Header.Get("Retry-After"))
		refused++
	}
	requireFail(t, b.Get("/readyz"), http.StatusServiceUnavailable, reason)
	return taken
}

// requireReadyAgain waits for the readiness, and for a 200.
func requireReadyAgain(t testing.TB, l *harness.Ledger, b *harness.Beat) {
	t.Helper()
	harness.Await(t, 30*time.Second, "ready", func() bool { return b.Get("/readyz").Code == http.StatusOK })
	persist(t, l, b.Addr, fmt.Sprintf("again-%d", l.Sent()), 1)
}

func TestDurableQueueFull(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Never())
	b := harness.StartBeat(t, durably(t, harness.Settings{Sink: sink.Addr()}))
	l := durableLedger(t)
	taken := fill(t, l, b, "queue_full")
	require.Greater(t, taken, 80, "batches of 100 kB in a queue of 16 MiB, with the pages of the database")
	require.Less(t, taken, 168)

	harness.RecoverSink(sink)
	requireReadyAgain(t, l, b)
	requireAllArrive(t, l, sink)
	l.CheckOnce(t, sink)
	stopWith(t, b, 0)
}

func TestDurableSIGTERMWithAFullQueue(t *testing.T) {
	harness.Long(t)
	t.Parallel()
	addr := harness.DeadAddress(t)
	s := durably(t, harness.Settings{Sink: addr, Rtbeat: map[string]any{"shutdown_timeout": "1s"}})
	b := harness.StartBeat(t, s)
	l := durableLedger(t)
	stopWith(t, b, fill(t, l, b, "queue_full"))

	b = harness.StartBeat(t, s)
	sink := startSinkAt(t, addr)
	requireAllArrive(t, l, sink)
	requireReadyAgain(t, l, b)
	requireAllArrive(t, l, sink)
	l.CheckOnce(t, sink)
	stopWith(t, b, 0)
}
