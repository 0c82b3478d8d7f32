//go:build e2e

package e2e

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// The ids of a valid traceparent are in the event and in the log. An invalid one is in neither.
func TestATraceArrives(t *testing.T) {
	t.Parallel()
	const traceID, spanID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr()})
	for i, headers := range [][]string{
		{"traceparent: 00-" + traceID + "-" + spanID + "-01"},
		{"TraceParent: 42-" + traceID + "-" + spanID + "-01-more"},
		{},
		{"traceparent: 00-" + traceID + "-" + spanID + "-01", "traceparent: 00-" + traceID + "-" + spanID + "-01"},
		{"traceparent: 00-4BF92F3577B34DA6A3CE929D0E0E4736-" + spanID + "-01"},
	} {
		l := newLine(t, dialFrom(t, "", b.Addr))
		l.write(post(`[{"n":1}]`, headers...))
		require.Equal(t, 200, l.read(t, "POST").code)
		require.NoError(t, l.conn.Close())

		var event map[string]any
		require.Len(t, sink.Events(), i+1)
		require.NoError(t, json.Unmarshal(sink.Events()[i].Raw, &event))
		if i < 2 {
			require.Equal(t, map[string]any{"id": traceID}, event["trace"])
			require.Equal(t, map[string]any{"id": spanID}, event["span"])
		} else {
			require.NotContains(t, event, "trace")
			require.NotContains(t, event, "span")
		}
	}
	l := newLine(t, dialFrom(t, "", b.Addr))
	l.write(post("{", "traceparent: 00-"+traceID+"-"+spanID+"-01"))
	require.Equal(t, 400, l.read(t, "POST").code)
	b.Stop()
	line, found := b.Log.Find("request refused: the body is not valid JSON")
	require.True(t, found)
	require.Equal(t, traceID, line.Fields["trace.id"])
}
