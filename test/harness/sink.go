package harness

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
)

// ArriveWithin bounds the way of an event through a process that is not stalled.
const ArriveWithin = 20 * time.Second

// SinkIdleTimeout is the time without a byte after which a sink resets a connection.
const SinkIdleTimeout = time.Second

// SinkTimes are Logstash's times, shortened. A connection without a byte is reset after 1 s instead of 60. A window that
// waits is kept alive every 250 ms instead of 5 s. A sink that is closed while clients are connected goes on receiving for
// 100 ms instead of 2 s. Keep-alives must be closer together than the idle timeout.
func SinkTimes(more ...lumbersink.Option) []lumbersink.Option {
	return append([]lumbersink.Option{
		lumbersink.WithIdleTimeout(SinkIdleTimeout),
		lumbersink.WithKeepAlive(time.Second / 4),
		lumbersink.WithQuietPeriod(time.Second / 10),
	}, more...)
}

// StartSink runs a lumberjack server on a free port until the test ends, with SinkTimes.
func StartSink(t testing.TB, p lumbersink.Policy) *lumbersink.Sink {
	t.Helper()
	sink, err := lumbersink.Listen("127.0.0.1:0", SinkTimes(lumbersink.WithPolicy(p))...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, sink.Close()) })
	return sink
}

// Arrived blocks until the sink has received n events in all. A sink that does not acknowledge takes one window only,
// and the first window of a batch may hold less than the batch: such stories wait for one event, or send only one.
func Arrived(t testing.TB, sink *lumbersink.Sink, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ArriveWithin)
	defer cancel()
	require.NoError(t, sink.Wait(ctx, n), "%d of %d events at the sink", sink.Received(), n)
}

// RecoverSink lets a stalled sink work again, including what it holds back.
func RecoverSink(sink *lumbersink.Sink) {
	sink.SetPolicy(lumbersink.Immediate())
	sink.Release()
}

// LastAck is the newest acknowledgement of any event.
func LastAck(sink *lumbersink.Sink) time.Time {
	var last time.Time
	for _, e := range sink.Events() {
		if e.Acked.After(last) {
			last = e.Acked
		}
	}
	return last
}

// EventsOf is what several sinks have received.
func EventsOf(sinks ...*lumbersink.Sink) []lumbersink.Event {
	var events []lumbersink.Event
	for _, s := range sinks {
		events = append(events, s.Events()...)
	}
	return events
}

// DeadAddress returns an address at which nobody listens. No other test of this process gets it: a sink that another test starts
// there would take the events.
func DeadAddress(t testing.TB) string {
	t.Helper()
	addr, _ := FreeAddress(t)
	return addr
}
