//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// A scrape has the metrics of docs/metrics.md with their types, and no others. The queue on disk is there in durable mode only.
// Failures to read a time are there for sources with a field for it.
func TestScrapeMatchesTheManual(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(harness.RepoRoot, "docs", "metrics.md"))
	require.NoError(t, err)
	listed := make(map[string]string)
	for _, row := range regexp.MustCompile("(?m)^\\| `(rtbeat_[a-z_]+)` \\| (\\w+) \\|").FindAllStringSubmatch(string(page), -1) {
		listed[row[1]] = row[2]
	}
	shown := func(c *counted) map[string]string {
		types := make(map[string]string)
		for _, line := range regexp.MustCompile(`(?m)^# TYPE (rtbeat_\w+) (\w+)$`).FindAllStringSubmatch(string(c.beat.Get("/metrics").Raw), -1) {
			types[line[1]] = line[2]
		}
		return types
	}
	require.Equal(t, listed, shown(startCounted(t, map[string]any{"durable.enabled": true, "timestamp.field": "time"})))
	maps.DeleteFunc(listed, func(name, _ string) bool { return strings.HasPrefix(name, "rtbeat_queue_") })
	require.Equal(t, listed, shown(startCounted(t, map[string]any{"timestamp.field": "time"})))
}

// libbeat's endpoint and the scrape agree, at rest after a load with retries.
func TestLibbeatsNumbersAgree(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	c := startCounted(t, nil, "-E", "http.enabled=true", "-E", "http.host=127.0.0.1", "-E", "http.port="+strconv.Itoa(port))
	c.sink.SetPolicy(lumbersink.CutAfter(20))
	for i := range 20 {
		require.Equal(t, http.StatusOK, c.post(harness.NewBatch(fmt.Sprintf("load-%d", i), 10).Body()))
	}
	paths := map[string]string{
		"rtbeat_libbeat_queue_events":                "pipeline.queue.filled.events",
		"rtbeat_libbeat_queue_events_limit":          "pipeline.queue.max_events",
		"rtbeat_in_flight_events_limit":              "pipeline.queue.max_events",
		"rtbeat_libbeat_pipeline_clients":            "pipeline.clients",
		"rtbeat_libbeat_output_events_acked_total":   "output.events.acked",
		"rtbeat_libbeat_output_events_failed_total":  "output.events.failed",
		"rtbeat_libbeat_output_events_dropped_total": "output.events.dropped",
		"rtbeat_libbeat_output_events_retried_total": "pipeline.events.retry",
		"rtbeat_libbeat_output_events_active":        "output.events.active",
		"rtbeat_libbeat_output_batches_total":        "output.events.batches",
		"rtbeat_libbeat_output_write_bytes_total":    "output.write.bytes",
		"rtbeat_libbeat_output_write_errors_total":   "output.write.errors",
	}
	var theirs, ours map[string]float64
	harness.Await(t, prompt, "rest", func() bool {
		theirs, ours = libbeatsOwn(t, port, paths), make(map[string]float64)
		for name, value := range c.beat.Metrics() {
			if strings.HasPrefix(name, "rtbeat_libbeat_") || name == "rtbeat_in_flight_events_limit" {
				ours[name] = value
			}
		}
		return theirs["rtbeat_libbeat_queue_events"] == 0 && maps.Equal(theirs, ours)
	})
	require.Equal(t, theirs, ours)
	require.GreaterOrEqual(t, ours["rtbeat_libbeat_output_events_acked_total"], 200.0)
	require.Positive(t, ours["rtbeat_libbeat_output_write_bytes_total"])
	require.Positive(t, ours["rtbeat_libbeat_pipeline_clients"])
	require.Positive(t, ours["rtbeat_libbeat_output_events_retried_total"], "the load had no retries")
}

// libbeatsOwn reads libbeat's JSON endpoint.
func libbeatsOwn(t *testing.T, port int, paths map[string]string) map[string]float64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/stats", port), http.NoBody)
	require.NoError(t, err)
	resp, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	defer resp.Body.Close()
	var stats map[string]any
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&stats))
	values := make(map[string]float64)
	for name, path := range paths {
		at := stats["libbeat"]
		for key := range strings.SplitSeq(path, ".") {
			at = at.(map[string]any)[key]
		}
		values[name] = at.(float64)
	}
	return values
}

// Nothing that senders do makes new series: no path, method, header, body or name becomes a label.
func TestSendersMakeNoSeries(t *testing.T) {
	t.Parallel()
	c := startCounted(t, nil)
	names := func() []string {
		var all []string
		for name := range c.beat.Metrics() {
			if strings.HasPrefix(name, "rtbeat_") {
				all = append(all, name)
			}
		}
		return slices.Sorted(slices.Values(all))
	}
	before := names()
	for i := range 40 {
		odd := fmt.Sprintf("odd%d", i)
		c.post([]byte(`{"`+odd+`":1}`), "Content-Type: application/"+odd, "X-Request-Id: "+odd)
		c.post([]byte(`[{"`+odd+`":`), "Authorization: "+odd+" x", "X-Forwarded-For: 192.0.2."+strconv.Itoa(i))
		c.post([]byte(odd), "Content-Encoding: "+odd)
		req, err := http.NewRequestWithContext(t.Context(), strings.ToUpper(odd), "https://"+c.beat.Addr+"/"+odd+"?"+odd, strings.NewReader(odd))
		require.NoError(t, err)
		resp, err := c.http.Do(req)
		require.NoError(t, err)
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		conn := dialFrom(t, "", c.beat.Addr)
		_, _ = io.WriteString(conn, odd+" "+odd+"\r\n\r\n")
		_ = conn.Close()
	}
	harness.Await(t, prompt, "all handshakes to fail", func() bool {
		sum := 0.0
		for name, value := range c.beat.Metrics() {
			if strings.HasPrefix(name, "rtbeat_tls_handshake_failures_total") {
				sum += value
			}
		}
		return sum >= 40
	})
	require.Equal(t, before, names())
	require.NotContains(t, string(c.beat.Get("/metrics").Raw), "odd")
}

// Metrics show durable mode.
func TestDurableModeShows(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := harness.StartBeat(t, durably(t, harness.Settings{Sink: sink.Addr()}))
	samples := b.Metrics()
	require.NotContains(t, samples, "rtbeat_tls_certificate_expiry_timestamp_seconds", "there is no TLS")
	require.InDelta(t, 1, samples[`rtbeat_ack_mode{mode="persisted"}`], 0)
}

// The reasons for failed handshakes that need client certificates, and time, in crypto/tls's words.
func TestHandshakesWithClientCertificates(t *testing.T) {
	t.Parallel()
	senders, strangers := harness.NewAuthority(t), harness.NewAuthority(t)
	root := senders.PEM
	certificate, key := harness.InPEM(t, senders.Issue(t, harness.CertificateFor("server")))
	c := startCounted(t, map[string]any{"read_timeout": 1, "ssl": map[string]any{
		"certificate": certificate, "key": key, "certificate_authorities": []string{root}, "client_authentication": "required",
	}})
	expired := harness.CertificateFor("sender")
	expired.NotAfter = time.Now().Add(-time.Minute)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for name, try := range map[string]struct {
			pair   *tls.Certificate
			reason string
		}{
			"no client":  {&tls.Certificate{}, "no_certificate"},
			"a stranger": {new(strangers.Issue(t, harness.CertificateFor("sender"))), "bad_certificate"},
			"too late":   {new(senders.Issue(t, expired)), "bad_certificate"},
		} {
			conn := tls.Client(dialFrom(t, "", c.beat.Addr), &tls.Config{
				RootCAs: senders.Pool, ServerName: "server", MinVersion: version, MaxVersion: version,
				GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return try.pair, nil },
			})
			_ = conn.SetDeadline(time.Now().Add(answerWithin))
			_ = conn.HandshakeContext(t.Context()) // in TLS 1.3 only the server knows
			c.requireMoved(name, map[string]float64{`rtbeat_tls_handshake_failures_total{reason="` + try.reason + `"}`: 1})
			conn.Close()
		}
	}
	silent := dialFrom(t, "", c.beat.Addr)
	defer silent.Close()
	c.requireMoved("silence", map[string]float64{`rtbeat_tls_handshake_failures_total{reason="timeout"}`: 1})
}
