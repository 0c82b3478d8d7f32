//go:build e2e

package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// The admin listener answers probes while each permitted connection of senders has a waiting request, which must not be
// displaced.
func TestHealthWhileAllConnectionsAreUsed(t *testing.T) {
	t.Parallel()
	const places = 2
	sink := harness.StartSink(t, lumbersink.Never())
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Rtbeat: map[string]any{
		"timeout": 20, "max_connections": places, "admin": map[string]any{"host": "127.0.0.1", "port": freePort(t)},
	}})
	l := harness.NewLedger(t)
	var answers []<-chan harness.Answer
	for i := range places {
		answers = append(answers, l.Go(t.Context(), b.Addr, harness.NewBatch(string(rune('a'+i)), 1)))
	}
	harness.Await(t, prompt, "all places taken", func() bool { return b.Metric("rtbeat_in_flight_requests") == places })
	dial(t, b.Addr, "GET /in HTTP/1.1\r\nHost: x\r\n\r\n") // waits for a connection

	for _, path := range []string{"/livez", "/readyz"} {
		a := b.Get(path)
		require.Equal(t, http.StatusOK, a.Code, "%s: %s", path, a)
		require.Less(t, a.Took(), time.Second, path)
	}
	harness.RecoverSink(sink)
	for _, answer := range answers {
		requireDelivered(t, <-answer, 1)
	}
	l.CheckOnce(t, sink)
}
