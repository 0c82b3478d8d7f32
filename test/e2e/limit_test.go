//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

func requireInFlightLimit(t testing.TB, a harness.Answer) {
	t.Helper()
	requireFail(t, a, http.StatusServiceUnavailable, "in_flight_limit")
	require.NotEmpty(t, a.Header.Get("Retry-After"), "%s", a)
	require.Less(t, a.Took(), prompt, "a refusal does not wait")
}

// The limit counts bytes until their ack. The answer 504 frees none: they are still in the process.
func TestInFlightLimitHoldsUntilTheAck(t *testing.T) {
	t.Parallel()
	const limit = 8 << 10
	sink := harness.StartSink(t, lumbersink.Never())
	b := harness.StartBeat(t, harness.Settings{
		Sink:   sink.Addr(),
		Rtbeat: map[string]any{"timeout": 2, "max_in_flight_bytes": limit},
	})
	l := harness.NewLedger(t)
	first, second := harness.Padded("first", 5, 1<<10), harness.Padded("second", 5, 1<<10)

	answer := l.Go(t.Context(), b.Addr, first)
	harness.Arrived(t, sink, 1)
	requireInFlightLimit(t, l.Post(t.Context(), b.Addr, second))
	require.GreaterOrEqual(t, b.Metric("rtbeat_in_flight_bytes"), float64(5<<10))

	requireTimeout(t, <-answer, len(first))
	require.GreaterOrEqual(t, b.Metric("rtbeat_in_flight_bytes"), float64(5<<10), "bytes after the 504")
	requireInFlightLimit(t, l.Post(t.Context(), b.Addr, second))
	require.Equal(t, 2, b.Answers(http.StatusServiceUnavailable, "in_flight_limit"))

	l.Check(t, sink)

	// A batch refused now is accepted later.
	harness.RecoverSink(sink)
	harness.Await(t, prompt, "no bytes in flight", func() bool { return b.Metric("rtbeat_in_flight_bytes") == 0 })
	requireDelivered(t, l.Post(t.Context(), b.Addr, second), len(second))
	l.CheckOnce(t, sink)
}

// A batch larger than the whole limit could never fit. It is refused for good, before its body is read if its length is known.
func TestBatchLargerThanTheLimit(t *testing.T) {
	t.Parallel()
	const limit = 4 << 10
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Rtbeat: map[string]any{"max_in_flight_bytes": limit}})
	l := harness.NewLedger(t)
	requireFail(t, l.Post(t.Context(), b.Addr, harness.Padded("large", 10, 1<<10)), http.StatusRequestEntityTooLarge, "batch_too_large")
	small := harness.NewBatch("small", 1)
	requireDelivered(t, l.Post(t.Context(), b.Addr, small), len(small))
	l.Check(t, sink)
	require.Equal(t, 1, sink.Received())
}

// Bytes count from their arrival, not from the end of their body. Else many incomplete bodies could hold any amount of memory.
func TestIncompleteBodiesCount(t *testing.T) {
	t.Parallel()
	const limit, senders, announced, sent = 1_000_000, 100, 900_000, 60_000
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Rtbeat: map[string]any{"max_in_flight_bytes": limit}})
	before := b.Metric("go_memstats_heap_inuse_bytes")

	part := fmt.Sprintf("POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", announced) +
		`{"messages":[{"pad":"` + strings.Repeat("x", sent)
	for range senders {
		dial(t, b.Addr, part)
	}
	harness.Await(t, prompt, "senders refused at the limit", func() bool {
		return b.Answers(http.StatusServiceUnavailable, "in_flight_limit") > 0
	})
	inFlight := b.Metric("rtbeat_in_flight_bytes")
	require.Positive(t, inFlight)
	require.LessOrEqual(t, inFlight, float64(limit))
	// A connection costs about 20 kB, and reading doubles a buffer now and then. The announced bytes would be 90 MB.
	require.Less(t, b.Metric("go_memstats_heap_inuse_bytes")-before, 30e6, "heap taken by bodies under way")
}
