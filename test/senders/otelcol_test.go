//go:build senders

package senders

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// otlpLog is a request of OTLP over HTTP with one record.
const otlpLog = `{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},` +
	`"scopeLogs":[{"scope":{},"logRecords":[{"timeUnixNano":"1730000000000000000","severityText":"INFO",` +
	`"body":{"stringValue":"sold"},"attributes":[{"key":"n","value":{"intValue":"9007199254740993"}}]}]}]}]}`

// Each request that is sent to the collector arrives once, as one message of the same shape.
func TestOpenTelemetryCollector(t *testing.T) {
	t.Parallel()
	otelcol := harness.FindProgram(t, "otelcol")
	dir := t.TempDir()
	in, port := harness.FreeAddress(t)
	requests := []string{otlpLog, strings.Replace(otlpLog, "sold", "sold out", 1)}
	post := func(request string) {
		a := clientAt(t, nil).PostTo(t.Context(), "http://"+in+"/v1/logs", nil, []byte(request))
		require.NoError(t, a.Err)
		require.Equal(t, http.StatusOK, a.Code)
	}
	b, sink := outage{
		block: recipe(t, "otelcol-rtbeat"),
		start: func(addr string) {
			text := recipe(t, "otelcol", here, "http://"+addr+"/in", "endpoint: 127.0.0.1:4318", "endpoint: 127.0.0.1:"+port,
				"initial_interval: 1s", "initial_interval: 100ms", "max_interval: 10s", "max_interval: 1s")
			// The recipe leaves the port of the collector's own metrics unchanged.
			text += "  telemetry:\n    metrics:\n      level: none\n"
			harness.StartProgram(t, dir, otelcol, "--config", harness.WriteRecipe(t, dir, "otelcol.yaml", text)).Listens(in)
			post(requests[0])
		},
		more: func() { post(requests[1]) },
	}.run(t)
	requireMessages(t, b, sink, requests)
}
