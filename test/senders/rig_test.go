//go:build senders

package senders

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// promptTimeout is a short timeout, for tests that need a 504.
const promptTimeout = "rtbeat.timeout=1"

// startWith runs rtbeat with a block of the page as its configuration. The page leaves out the output, and the port where it does
// not matter.
func startWith(t testing.TB, sink *lumbersink.Sink, block string, settings ...string) *harness.Beat {
	t.Helper()
	home := t.TempDir()
	base := harness.Settings{Sink: sink.Addr(), Output: map[string]any{"backoff.init": "100ms", "backoff.max": "300ms"}}
	args := []string{"-c", base.WriteConfig(t, home)}
	if block != "" {
		args = append(args, "-c", harness.WriteRecipe(t, home, "block.yml", block))
	}
	for _, s := range settings {
		args = append(args, "-E", s)
	}
	return harness.StartBeatArgs(t, home, args...)
}

// clientIP is the senders' address. Proxy and rtbeat have another one.
const clientIP = "127.0.0.2"

// clientAt makes a client with the address clientIP. It trusts the authority if there is one.
func clientAt(t testing.TB, certificates *tls.Config) *harness.Client {
	t.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(clientIP)}}
	transport := &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: certificates, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return harness.NewClientOver(transport)
}

// event has the fields that the tests read.
type event struct {
	ClientIP string          `json:"clientIp"`
	Sender   string          `json:"sender"`
	Message  json.RawMessage `json:"rxtxMsg"`
	Metadata struct {
		ID string `json:"_id"`
	} `json:"@metadata"`
}

func eventsAt(t testing.TB, sink *lumbersink.Sink) []event {
	t.Helper()
	var events []event
	for _, e := range sink.Events() {
		var decoded event
		require.NoError(t, json.Unmarshal(e.Raw, &decoded))
		events = append(events, decoded)
	}
	return events
}

// requireClient requires that each event at the sink has this client address.
func requireClient(t testing.TB, sink *lumbersink.Sink, want string) {
	t.Helper()
	events := eventsAt(t, sink)
	require.NotEmpty(t, events)
	for _, e := range events {
		require.Equal(t, want, e.ClientIP)
	}
}

// deliver sends a batch, and again after a 504, which a busy machine may cause. It repeats after no other answer.
func deliver(t testing.TB, l *harness.Ledger, c *harness.Client, url string, b harness.Batch, header http.Header) {
	t.Helper()
	harness.Await(t, harness.ArriveWithin, "a 200", func() bool {
		a := post(t.Context(), l, c, url, b, header)
		require.NoError(t, a.Err)
		if a.Code == http.StatusGatewayTimeout {
			return false
		}
		require.Equal(t, http.StatusOK, a.Code, "%s", a)
		require.Equal(t, "OK", a.Body.Status, "%s", a)
		require.Equal(t, len(b), a.Body.Messages, "%s", a)
		return true
	})
}

// post sends a batch through the ledger.
func post(ctx context.Context, l *harness.Ledger, c *harness.Client, url string, b harness.Batch, header http.Header) harness.Answer {
	return l.PostBy(ctx, c, url, header, b)
}
