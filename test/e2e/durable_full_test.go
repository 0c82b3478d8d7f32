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

// fill sends batches until the process has refused several in a row, and returns how many it took.
func fill(t *testing.T, l *harness.Ledger, addr string) (taken int) {
	t.Helper()
	for refused, i := 0, 0; refused < 3; i++ {
		require.Less(t, i, 2000, "the queue does not fill up")
		batch := harness.Padded(fmt.Sprintf("fill-%d-%d", l.Sent(), i), 20, 5000)
		a := l.Post(t.Context(), addr, batch)
		if a.Code == http.StatusOK {
			requirePersisted(t, a, len(batch))
			taken, refused = taken+1, 0
			continue
		}
		require.Contains(t, []int{http.StatusGatewayTimeout, http.StatusServiceUnavailable}, a.Code, "%s", a)
		refused++
	}
	return taken
}

func requireTakesAgain(t *testing.T, l *harness.Ledger, addr string) {
	t.Helper()
	n := 0
	harness.Await(t, 30*time.Second, "a 200", func() bool {
		n++
		return l.Post(t.Context(), addr, harness.NewBatch(fmt.Sprintf("again-%d-%d", l.Sent(), n), 3)).Code == http.StatusOK
	})
}

func TestDurableQueueFull(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Never())
	b := startDurable(t, harness.Settings{Sink: sink.Addr(), Home: t.TempDir()}, "rtbeat.timeout=500ms")
	l := harness.NewLedger(t)
	taken := fill(t, l, b.Addr)
	require.InDelta(t, 100, taken, 15, "batches of 100 kB in a queue of 10 MB")

	harness.RecoverSink(sink)
	requireAllArrive(t, l, sink)
	requireTakesAgain(t, l, b.Addr)
	requireAllArrive(t, l, sink)
	b.Stop()
}

// libbeat does not write what a full queue had no room for before somebody publishes one more event, and nobody may: new
// messages are refused while the queue counts as stalled, and what comes again is joined.
func TestDurableQueueThatWasFullGoesOnByItself(t *testing.T) {
	for name, stallAfter := range map[string]string{"stalled": "2s", "retries only": "0"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := harness.StartSink(t, lumbersink.Never())
			b := startDurable(t, harness.Settings{Sink: sink.Addr(), Home: t.TempDir()}, "rtbeat.timeout=500ms", "rtbeat.stall_after="+stallAfter)
			l := harness.NewLedger(t)
			fill(t, l, b.Addr)
			waiting := harness.NewBatch("waiting", 1)
			l.Post(t.Context(), b.Addr, waiting)
			if name == "stalled" {
				harness.Await(t, 10*time.Second, "unready", func() bool { return b.Get("/readyz").Code == http.StatusServiceUnavailable })
			}
			harness.RecoverSink(sink)
			harness.Await(t, 30*time.Second, "a 200 for what waited", func() bool {
				return l.Post(t.Context(), b.Addr, waiting).Code == http.StatusOK
			})
			require.Equal(t, http.StatusOK, b.Get("/readyz").Code)
			requireTakesAgain(t, l, b.Addr)
			requireAllArrive(t, l, sink)
			b.Stop()
		})
	}
}

func TestDurableSIGTERMWithAFullQueue(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Never())
	s := harness.Settings{Sink: sink.Addr(), Home: t.TempDir()}
	b := startDurable(t, s, "rtbeat.timeout=500ms", "rtbeat.shutdown_timeout=3s")
	l := harness.NewLedger(t)
	fill(t, l, b.Addr)
	b.Stop()

	harness.RecoverSink(sink)
	b = startDurable(t, s)
	requireAllArrive(t, l, sink)
	requireTakesAgain(t, l, b.Addr)
	requireAllArrive(t, l, sink)
	b.Stop()
}
