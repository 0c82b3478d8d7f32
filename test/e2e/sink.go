//go:build e2e

package e2e

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
)

// arriveWithin bounds the way of an event through a process that is not stalled.
const arriveWithin = 20 * time.Second

// startSink runs a lumberjack server on a free port until the test ends.
func startSink(t testing.TB, p lumbersink.Policy) *lumbersink.Sink {
	t.Helper()
	sink, err := lumbersink.Listen("127.0.0.1:0", lumbersink.WithPolicy(p))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, sink.Close()) })
	return sink
}

// arrived blocks until the sink has received n events in all. A sink that does not acknowledge takes one window only,
// and the first window of a batch may hold less than the batch: such stories wait for one event, or send only one.
func arrived(t testing.TB, sink *lumbersink.Sink, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), arriveWithin)
	defer cancel()
	require.NoError(t, sink.Wait(ctx, n), "%d of %d events at the sink", sink.Received(), n)
}

// recoverSink lets a stalled sink work again, including what it holds back.
func recoverSink(sink *lumbersink.Sink) {
	sink.SetPolicy(lumbersink.Immediate())
	sink.Release()
}

// lastAck is the newest acknowledgement of any event.
func lastAck(sink *lumbersink.Sink) time.Time {
	var last time.Time
	for _, e := range sink.Events() {
		if e.Acked.After(last) {
			last = e.Acked
		}
	}
	return last
}

// deadAddress is one at which nobody listens.
func deadAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}
