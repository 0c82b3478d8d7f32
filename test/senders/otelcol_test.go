//go:build senders

package senders

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// otlpLog is a request of OTLP over HTTP with one record.
const otlpLog = `{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},` +
	`"scopeLogs":[{"scope":{},"logRecords":[{"timeUnixNano":"1730000000000000000","severityText":"INFO",` +
	`"body":{"stringValue":"sold"},"attributes":[{"key":"n","value":{"intValue":"9007199254740993"}}]}]}]}]}`

// A record sent to the collector arrives as one message of the same shape, and an outage loses nothing.
func TestOpenTelemetryCollector(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Never())
	b := startWith(t, sink, "", promptTimeout)
	in, port := harness.FreeAddress(t)
	text := recipe(t, "otelcol", here, "http://"+b.Addr+"/in", "endpoint: 127.0.0.1:4318", "endpoint: 127.0.0.1:"+port,
		"initial_interval: 1s", "initial_interval: 100ms")
	// The recipe leaves the port of the collector's own metrics unchanged.
	text += "  telemetry:\n    metrics:\n      level: none\n"
	otelcol := harness.FindProgram(t, "otelcol")
	dir := t.TempDir()
	harness.StartProgram(t, dir, otelcol, "--config", harness.WriteRecipe(t, dir, "otelcol.yaml", text)).Listens(in)

	c := clientAt(t, nil)
	a := c.PostTo(t.Context(), "http://"+in+"/v1/logs", nil, []byte(otlpLog))
	require.NoError(t, a.Err)
	require.Equal(t, http.StatusOK, a.Code)
	harness.Await(t, harness.ArriveWithin, "a 504", func() bool { return b.Answers(http.StatusGatewayTimeout, "ack_timeout") > 0 })
	harness.RecoverSink(sink)
	harness.Await(t, harness.ArriveWithin, "a 200", func() bool { return b.Answers(http.StatusOK, "delivered") > 0 })

	events := eventsAt(t, sink)
	require.NotEmpty(t, events)
	for _, e := range events {
		require.JSONEq(t, otlpLog, string(e.Message))
		require.Empty(t, e.Metadata.ID, "OTLP has no id for rtbeat")
	}
	var exact struct {
		ResourceLogs []json.RawMessage `json:"resourceLogs"`
	}
	require.NoError(t, json.Unmarshal(events[0].Message, &exact))
	require.Len(t, exact.ResourceLogs, 1)
}
