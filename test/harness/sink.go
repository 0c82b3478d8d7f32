package harness

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
)

// ArriveWithin bounds the time from a POST to the arrival at the sink, without a stall.
const ArriveWithin = 20 * time.Second

// SinkIdleTimeout is the time after which a sink resets an idle connection.
const SinkIdleTimeout = time.Second

// SinkTimes are Logstash's times, shortened. An idle connection is reset after 1 s instead of 60. A keep-alive for a waiting window
// is sent every 250 ms instead of 5 s, more often than the idle timeout. A sink with clients receives for 100 ms after its close
// instead of 2 s.
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

// Arrived waits until the sink has received n events in all. A sink that does not acknowledge receives one window only, which may
// be smaller than the batch: such tests wait for one event, or send one.
func Arrived(t testing.TB, sink *lumbersink.Sink, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ArriveWithin)
	defer cancel()
	require.NoError(t, sink.Wait(ctx, n), "%d of %d events at the sink", sink.Received(), n)
}

// RecoverSink ends a stall: the sink acknowledges all windows, the held ones too.
func RecoverSink(sink *lumbersink.Sink) {
	sink.SetPolicy(lumbersink.Immediate())
	sink.Release()
}

// EventsOf has the events of several sinks.
func EventsOf(sinks ...*lumbersink.Sink) []lumbersink.Event {
	var events []lumbersink.Event
	for _, s := range sinks {
		events = append(events, s.Events()...)
	}
	return events
}

// DeadAddress returns an address without a listener. No other test of this process gets it, so no other test's sink receives the
// events.
func DeadAddress(t testing.TB) string {
	t.Helper()
	addr, _ := FreeAddress(t)
	return addr
}
