//go:build e2e

package e2e

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// delivered has the counters that a batch answered 200 moves, beside those of its messages.
var delivered = map[string]float64{
	"rtbeat_ack_duration_seconds_count": 1, "rtbeat_publish_wait_seconds_count": 1, `rtbeat_answers_total{code="200",reason="delivered",source="in"}`: 1,
}

// One process, one step after the other: each step moves its metrics, and no others.
func TestMetricsOfOneProcess(t *testing.T) {
	t.Parallel()
	c := startCounted(t, nil)
	value := func(name string) float64 { t.Helper(); return c.beat.Metric(name) }

	require.InDelta(t, 1, value(`rtbeat_phase{phase="serving"}`), 0)
	require.Zero(t, value("rtbeat_last_ack_timestamp_seconds"))
	require.InDelta(t, time.Now().Add(time.Hour).Unix(), value("rtbeat_tls_certificate_expiry_timestamp_seconds"), 300)
	require.InDelta(t, 64, value("rtbeat_in_flight_events_limit"), 0)
	require.InDelta(t, 4096, value("rtbeat_in_flight_requests_limit"), 0)

	good := harness.NewBatch("good", 3).Body()
	require.Equal(t, http.StatusOK, c.post(good))
	c.requireMoved("a good batch", moves(came(3), acked(3), delivered))
	require.InDelta(t, time.Now().Unix(), value("rtbeat_last_ack_timestamp_seconds"), 10)
	require.InDelta(t, len(good), value(`rtbeat_received_bytes_total{source="in"}`), 0)
	require.InDelta(t, 2, value("rtbeat_current_acks"), 1, "they may come in two windows")
	require.InDelta(t, 3, value("rtbeat_dedupe_entries"), 0)
	require.GreaterOrEqual(t, value("rtbeat_connections"), 1.0)

	require.Equal(t, http.StatusOK, c.post(good))
	c.requireMoved("the same again", moves(came(3), map[string]float64{
		"rtbeat_ack_duration_seconds_count": 1, `rtbeat_answers_total{code="200",reason="delivered",source="in"}`: 1, `rtbeat_messages_coalesced_total{source="in",state="delivered"}`: 3,
	}))
	c.post([]byte(`[{"n":123456789012345678901234567890}]`))
	c.requireMoved("a large number", moves(came(1), acked(1), delivered, map[string]float64{"rtbeat_numbers_as_strings_total": 1}))
	noise := harness.NewLabelledBatch("noise", 4, func(i int) string { return []string{"noise", "signal"}[i%2] })
	require.Equal(t, http.StatusOK, c.post(noise.Body()))
	c.requireMoved("half of it filtered", moves(came(4), acked(2), delivered, map[string]float64{"rtbeat_events_filtered_total": 2}))

	c.undecodable()
	c.unwelcome()
	c.handshakes()
	c.stall()
	c.overfull()
}

func (c *counted) undecodable() {
	var half bytes.Buffer
	zip := gzip.NewWriter(&half)
	_, _ = io.WriteString(zip, `[{}]`)
	require.NoError(c.t, zip.Flush())
	for reason, body := range map[string][]byte{
		"empty_body": nil, "malformed_json": []byte("{"), "wrong_shape": []byte("[1]"), "size_mismatch": []byte(`{"size":2,"messages":[{}]}`),
		"too_deep":         []byte("[" + string(bytes.Repeat([]byte(`{"a":`), 1000)) + "1" + string(bytes.Repeat([]byte("}"), 1000)) + "]"),
		"key_too_long":     []byte(`[{"` + strings.Repeat("k", 32<<10+1) + `":1}]`),
		"corrupt_encoding": half.Bytes(),
	} {
		var headers []string
		if reason == "corrupt_encoding" {
			headers = []string{"Content-Encoding: gzip"}
		}
		require.Equal(c.t, http.StatusBadRequest, c.post(body, headers...), reason)
		c.requireMoved(reason, moves(answered("400", reason), map[string]float64{`rtbeat_decode_failures_total{reason="` + reason + `",source="in"}`: 1}))
	}
}

func (c *counted) unwelcome() {
	for reason, header := range map[string]string{"wrong_token": "Authorization: Bearer x", "bad_scheme": "Authorization: Basic eDp5"} {
		require.Equal(c.t, http.StatusUnauthorized, c.post([]byte("[]"), header))
		c.requireMoved(reason, moves(answered("401", "unauthorized"), map[string]float64{`rtbeat_auth_failures_total{reason="` + reason + `",source="in"}`: 1}))
	}
}

func (c *counted) handshakes() {
	handshake := func(config *tls.Config) func() {
		return func() {
			conn := dialFrom(c.t, "", c.beat.Addr)
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(answerWithin))
			_ = tls.Client(conn, config).HandshakeContext(c.t.Context()) // the failure is the case
		}
	}
	for reason, fail := range map[string]func(){
		"closed": func() { _ = dialFrom(c.t, "", c.beat.Addr).Close() },
		"not_tls": func() {
			conn := dialFrom(c.t, "", c.beat.Addr)
			defer conn.Close()
			_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			_, _ = io.ReadAll(conn)
		},
		"rejected_by_peer": handshake(&tls.Config{ServerName: "server"}),
		"protocol":         handshake(&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}),
	} {
		fail()
		c.requireMoved(reason, map[string]float64{`rtbeat_tls_handshake_failures_total{reason="` + reason + `"}`: 1})
	}
}

// stall is an output that has an event and acknowledges nothing: the gauges grow, then a 504, a deduped retry, and the end.
func (c *counted) stall() {
	c.sink.SetPolicy(lumbersink.Never())
	stalled := harness.NewBatch("stalled", 1).Body()
	before := time.Now()
	require.Equal(c.t, http.StatusGatewayTimeout, c.post(stalled))
	c.requireMoved("a timeout", moves(came(1), answered("504", "ack_timeout"), map[string]float64{"rtbeat_publish_wait_seconds_count": 1}))
	require.Equal(c.t, http.StatusGatewayTimeout, c.post(stalled))
	c.requireMoved("a joined retry", moves(came(1), answered("504", "ack_timeout"), map[string]float64{`rtbeat_messages_coalesced_total{source="in",state="in_flight"}`: 1}))

	owed := c.beat.Metrics()
	for _, name := range []string{"rtbeat_oldest_unacknowledged_seconds", "rtbeat_output_no_ack_seconds"} {
		require.Greater(c.t, owed[name], 1.9, "since the first attempt")
		require.Less(c.t, owed[name], time.Since(before).Seconds(), name)
	}
	for _, name := range []string{"rtbeat_in_flight_events", "rtbeat_libbeat_queue_events", "rtbeat_libbeat_output_events_active"} {
		require.InDelta(c.t, 1, owed[name], 0, name)
	}
	require.Positive(c.t, owed["rtbeat_in_flight_bytes"])
	lastAck := owed["rtbeat_last_ack_timestamp_seconds"]

	harness.RecoverSink(c.sink)
	c.requireMoved("the acknowledgement", acked(1))
	rest := c.beat.Metrics()
	for _, name := range []string{
		"rtbeat_oldest_unacknowledged_seconds", "rtbeat_output_no_ack_seconds", "rtbeat_in_flight_events", "rtbeat_libbeat_queue_events", "rtbeat_in_flight_bytes",
	} {
		require.Zero(c.t, rest[name], name)
	}
	require.Greater(c.t, rest["rtbeat_last_ack_timestamp_seconds"], lastAck)
}

// overfull is a batch larger than the queue: the rest of it is withdrawn, and the published part is sent again after a broken
// connection.
func (c *counted) overfull() {
	c.sink.SetPolicy(lumbersink.Never())
	const messages = 200
	large := harness.NewBatch("large", messages).Body()
	require.Equal(c.t, http.StatusGatewayTimeout, c.post(large))
	full := c.beat.Metrics()
	withdrawn := full["rtbeat_events_withdrawn_total"]
	require.InDelta(c.t, 64, full["rtbeat_libbeat_queue_events"], 0)
	require.InDelta(c.t, messages, withdrawn+full["rtbeat_in_flight_events"], 0)
	c.requireMoved("a timeout", moves(came(messages), answered("504", "ack_timeout"), map[string]float64{
		"rtbeat_publish_wait_seconds_count": 1, "rtbeat_events_withdrawn_total": withdrawn,
	}))
	c.sink.SetPolicy(lumbersink.Immediate())
	c.sink.Cut()
	c.requireMoved("events in the pipeline", acked(messages-withdrawn))
	after := c.beat.Metrics()
	for _, name := range []string{"failed", "retried"} {
		require.Positive(c.t, after["rtbeat_libbeat_output_events_"+name+"_total"], name)
	}
	require.InDelta(c.t, after["rtbeat_events_acked_total"], after["rtbeat_libbeat_output_events_acked_total"], 0)
}

// The admin listener shows the process's shutdown phase by phase.
func TestMetricsDuringTheShutdown(t *testing.T) {
	t.Parallel()
	c := startCounted(t, map[string]any{"timeout": 20, "shutdown_delay": 1, "shutdown_timeout": 15})
	c.sink.SetPolicy(lumbersink.Never())
	answer := make(chan int, 1)
	go func() { answer <- c.post(harness.NewBatch("last", 1).Body()) }()
	harness.Arrived(t, c.sink, 1)
	require.InDelta(t, 1, c.beat.Metric("rtbeat_in_flight_requests"), 0)

	c.beat.Terminate()
	for _, phase := range []string{"leaving", "draining"} {
		harness.Await(t, prompt, phase, func() bool { return c.beat.Metric(fmt.Sprintf("rtbeat_phase{phase=%q}", phase)) == 1 })
		sum := 0.0
		for _, other := range []string{"starting", "serving", "leaving", "draining"} {
			sum += c.beat.Metric(fmt.Sprintf("rtbeat_phase{phase=%q}", other))
		}
		require.InDelta(t, 1, sum, 0, "one phase at a time")
	}
	require.Empty(t, answer)
	harness.RecoverSink(c.sink)
	require.Equal(t, http.StatusOK, <-answer)
	code, _ := c.beat.WaitExit(15 * time.Second)
	require.Zero(t, code)
}
