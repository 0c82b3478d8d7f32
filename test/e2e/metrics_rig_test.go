//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// counted is a process with everything that has metrics: TLS, a token, processors, an admin listener.
type counted struct {
	t    *testing.T
	beat *harness.Beat
	sink *lumbersink.Sink
	ca   *harness.Authority
	http *http.Client
	last map[string]float64
}

func startCounted(t *testing.T, rtbeat map[string]any, args ...string) *counted {
	t.Helper()
	c := &counted{t: t, ca: harness.NewAuthority(t), sink: harness.StartSink(t, lumbersink.Immediate())}
	certificate, key := harness.InPEM(t, c.ca.Issue(t, harness.CertificateFor("server")))
	settings := map[string]any{
		"ssl":     map[string]any{"certificate": certificate, "key": key},
		"auth":    map[string]any{"bearer": map[string]any{"tokens": []string{authToken}}},
		"admin":   map[string]any{"host": "127.0.0.1", "port": freePort(t)},
		"timeout": "1s",
	}
	maps.Copy(settings, rtbeat)
	home := t.TempDir()
	s := harness.Settings{
		Sink: c.sink.Addr(), Rtbeat: settings, Output: map[string]any{"backoff.init": "100ms", "backoff.max": "200ms"},
		Queue: map[string]any{"events": 64, "flush.min_events": 32},
		Processors: []any{map[string]any{"drop_event": map[string]any{"when": map[string]any{
			"equals": map[string]any{"rxtxMsg.label": "noise"},
		}}}},
	}
	c.beat = harness.StartBeatArgs(t, home, append([]string{"-c", s.WriteConfig(t, home)}, args...)...)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: c.ca.Pool, ServerName: "server"}}
	t.Cleanup(transport.CloseIdleConnections)
	c.http = &http.Client{Transport: transport, Timeout: 20 * time.Second}
	c.last = c.beat.Metrics()
	return c
}

// post sends a body and returns the status, or 0 without an answer.
func (c *counted) post(body []byte, headers ...string) int {
	ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+c.beat.Addr+"/in", bytes.NewReader(body))
	if err != nil {
		return 0
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+authToken)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		req.Header.Set(name, value)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// requireMoved waits until the counters have changed by exactly want since the last call. It ignores libbeat's own metrics, and
// the sums and buckets of histograms: they depend on time.
func (c *counted) requireMoved(what string, want map[string]float64) {
	c.t.Helper()
	var now, moved map[string]float64
	same := func() bool {
		now, moved = c.beat.Metrics(), make(map[string]float64)
		for name, value := range now {
			family, _, _ := strings.Cut(name, "{")
			if isCounter(family) && value != c.last[name] {
				moved[name] = value - c.last[name]
			}
		}
		return maps.Equal(want, moved)
	}
	for deadline := time.Now().Add(prompt); !same() && time.Now().Before(deadline); {
		harness.Pause(c.t.Context(), 20*time.Millisecond)
	}
	require.Equal(c.t, want, moved, what)
	c.last = now
}

func isCounter(family string) bool {
	if !strings.HasPrefix(family, "rtbeat_") || strings.HasPrefix(family, "rtbeat_libbeat_") {
		return false
	}
	switch family {
	case "rtbeat_received_bytes_total", "rtbeat_connections_accepted_total": // other tests check them
		return false
	case "rtbeat_batches_received", "rtbeat_messages_parsed", "rtbeat_acks_received":
		return true
	}
	return strings.HasSuffix(family, "_total") || strings.HasSuffix(family, "_seconds_count")
}

// moves merges changes.
func moves(parts ...map[string]float64) map[string]float64 {
	all := make(map[string]float64)
	for _, part := range parts {
		maps.Copy(all, part)
	}
	return all
}

func came(messages float64) map[string]float64 {
	return map[string]float64{`rtbeat_batches_total{source="in"}`: 1, "rtbeat_batches_received": 1, `rtbeat_messages_total{source="in"}`: messages, "rtbeat_messages_parsed": messages}
}

func acked(events float64) map[string]float64 {
	return map[string]float64{"rtbeat_events_acked_total": events, "rtbeat_acks_received": events}
}

func answered(code, reason string) map[string]float64 {
	return map[string]float64{`rtbeat_answers_total{code="` + code + `",reason="` + reason + `",source="in"}`: 1}
}
