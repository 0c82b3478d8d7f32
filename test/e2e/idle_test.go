//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// Logstash resets an idle connection. A sender with rare POSTs meets a reset at each POST. The POST is answered without a wait,
// nothing arrives twice, and the log has no error. The output has libbeat's own intervals, of 1 s at least.
func TestPostAfterAnIdleClose(t *testing.T) {
	t.Parallel()
	const posts, shortestBackoff = 9, time.Second
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr()})
	l := harness.NewLedger(t)
	var took []time.Duration
	for n := range posts {
		a := l.Post(t.Context(), b.Addr, harness.NewBatch(fmt.Sprint("idle-", n), 1))
		requireDelivered(t, a, 1)
		took = append(took, a.Took())
		harness.Pause(t.Context(), harness.SinkIdleTimeout*3/2) // the test is about an idle connection
	}
	l.CheckOnce(t, sink)

	conns := make(map[string]bool)
	for _, e := range sink.Events() {
		conns[e.Conn] = true
	}
	require.Greater(t, len(conns), posts/2, "most connections were not closed: the test proves nothing")

	took = took[1:] // the first POST made the first connection
	slices.Sort(took)
	median := took[len(took)/2]
	t.Logf("POST after an idle close: median %s, longest %s", median.Round(time.Microsecond), took[len(took)-1].Round(time.Microsecond))
	require.Less(t, median, shortestBackoff, "it waited for the backoff")

	b.Stop()
	closed := 0
	for line := range strings.Lines(b.Log.String()) {
		require.NotContains(t, line, `"log.level":"error"`)
		require.NotContains(t, line, `"log.level":"warn"`)
		if strings.Contains(line, "the connection to Logstash was closed, sending again over a new one") {
			closed++
		}
	}
	require.Equal(t, 1, closed, "lines about idle closes: one a minute")
}
