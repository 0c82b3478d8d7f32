package publish_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/txn2/rtbeat/internal/inflight"
	"github.com/txn2/rtbeat/internal/pipelinetest"
)

// Each event has the trace of its batch in the fields of ECS, in maps of its own: a processor may change the maps of one event.
func TestEventBelongsToTheTraceOfItsBatch(t *testing.T) {
	output := &pipelinetest.Output{}
	r := newRig(t, output, 1, 1, "")
	r.origin = inflight.Origin{Trace: inflight.Trace{ID: "4bf92f3577b34da6a3ce929d0e0e4736", SpanID: "00f067aa0ba902b7"}}
	token := r.publish(numbered(2)...)
	first, second := output.Next(), output.Next()
	fields := first.Events()[0].Content.Fields
	require.Equal(t, mapstr.M{"id": "4bf92f3577b34da6a3ce929d0e0e4736"}, fields["trace"])
	require.Equal(t, mapstr.M{"id": "00f067aa0ba902b7"}, fields["span"])
	fields["trace"].(mapstr.M)["id"], fields["span"].(mapstr.M)["id"] = "changed", "changed"
	other := second.Events()[0].Content.Fields
	require.Equal(t, mapstr.M{"id": "4bf92f3577b34da6a3ce929d0e0e4736"}, other["trace"])
	require.Equal(t, mapstr.M{"id": "00f067aa0ba902b7"}, other["span"])
	first.ACK()
	second.ACK()
	r.requireDelivered(token, inflight.Progress{Messages: 2, Acked: 2})

	r.origin = inflight.Origin{}
	token = r.publish(numbered(1)...)
	window := output.Next()
	require.NotContains(t, window.Events()[0].Content.Fields, "trace")
	require.NotContains(t, window.Events()[0].Content.Fields, "span")
	window.ACK()
	r.requireDelivered(token, inflight.Progress{Messages: 1, Acked: 1})
	r.requireEmpty()
}

// A deduped message has the trace of the first attempt. The other messages of a retry have the trace of the retry.
func TestADedupedMessageKeepsItsTrace(t *testing.T) {
	output := &pipelinetest.Output{}
	r := newRig(t, output, 1, 1, "")
	r.origin = inflight.Origin{Trace: inflight.Trace{ID: "first", SpanID: "1"}}
	token := r.publish(`{"uuid":"a"}`)
	window := output.Next()
	r.origin = inflight.Origin{Trace: inflight.Trace{ID: "retry", SpanID: "2"}}
	retry := r.publish(`{"uuid":"a"}`, `{"uuid":"b"}`)
	news := output.Next()
	require.Equal(t, mapstr.M{"id": "first"}, window.Events()[0].Content.Fields["trace"])
	require.Equal(t, mapstr.M{"id": "retry"}, news.Events()[0].Content.Fields["trace"])
	require.Equal(t, mapstr.M{"uuid": "b"}, news.Events()[0].Content.Fields["rxtxMsg"])
	window.ACK()
	news.ACK()
	r.requireDelivered(token, inflight.Progress{Messages: 1, Acked: 1})
	r.requireDelivered(retry, inflight.Progress{Messages: 2, Acked: 2, DedupedInFlight: 1})
	r.requireEmpty()
}
