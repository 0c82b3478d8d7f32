//go:build senders

package senders

import (
	"net/http"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// proxied is a path from a sender through a proxy to rtbeat and the sink.
type proxied struct {
	beat   *harness.Beat
	sink   *lumbersink.Sink
	client *harness.Client
	url    string
	// metrics is their address behind the proxy, if rtbeat does not show them to clients past it.
	metrics string
}

// large is more than nginx accepts by default.
const large = 2 << 20

// keepsTheContract must hold behind every proxy: the sender's address arrives and cannot be forged, large batches pass, rtbeat's
// answers pass, and the proxy does not repeat a request.
func (p proxied) keepsTheContract(t *testing.T) {
	t.Helper()
	l := harness.NewLedger(t)
	for name, header := range map[string]http.Header{
		"honest":          nil,
		"x-forwarded-for": {"X-Forwarded-For": {"203.0.113.7"}},
		"both": {
			"X-Forwarded-For": {"203.0.113.7, 203.0.113.8"}, "Forwarded": {"for=203.0.113.7"}, "X-Real-Ip": {"203.0.113.7"},
		},
		"forwarded": {"Forwarded": {"for=203.0.113.7;proto=https"}},
	} {
		deliver(t, l, p.client, p.url, harness.NewBatch(name, 3), header)
	}
	deliver(t, l, p.client, p.url, harness.Padded("large", 4, large/4), nil)
	requireClient(t, p.sink, clientIP)

	p.passesTimeoutOn(t, l)
	l.CheckOnce(t, p.sink)
	p.isNoSuccessWithoutRtbeat(t, l)
}

// passesTimeoutOn stalls the sink for one request.
func (p proxied) passesTimeoutOn(t *testing.T, l *harness.Ledger) {
	t.Helper()
	batch := harness.NewBatch("stalled", 1)
	p.sink.SetPolicy(lumbersink.Never())
	before := p.timeouts(t)
	a := post(t.Context(), l, p.client, p.url, batch, nil)
	require.NoError(t, a.Err)
	require.Equal(t, http.StatusGatewayTimeout, a.Code, "%s", a)
	require.Equal(t, "TIMEOUT", a.Body.Status, "not rtbeat's own answer: %s", a)
	require.NotEmpty(t, a.Header.Get("Retry-After"))
	require.Equal(t, before+1, p.timeouts(t), "attempts at rtbeat")
	harness.RecoverSink(p.sink)
	deliver(t, l, p.client, p.url, batch, nil)
}

// isNoSuccessWithoutRtbeat kills rtbeat while a sender waits, and sends again after its end.
func (p proxied) isNoSuccessWithoutRtbeat(t *testing.T, l *harness.Ledger) {
	t.Helper()
	p.sink.SetPolicy(lumbersink.Never())
	before := p.sink.Received()
	answer := make(chan harness.Answer, 1)
	batch := harness.NewBatch("killed", 1)
	go func() { answer <- post(t.Context(), l, p.client, p.url, batch, nil) }()
	harness.Arrived(t, p.sink, before+1)
	p.beat.Kill()
	for _, a := range []harness.Answer{<-answer, post(t.Context(), l, p.client, p.url, batch, nil)} {
		if a.Err == nil { // a proxy for TCP closes the connection instead
			require.GreaterOrEqual(t, a.Code, http.StatusBadGateway, "%s", a)
		}
	}
	harness.RecoverSink(p.sink)
}

// timeouts is the number of rtbeat's 504s, delivered or not.
func (p proxied) timeouts(t *testing.T) int {
	t.Helper()
	if p.metrics == "" {
		return p.beat.Answers(http.StatusGatewayTimeout, "ack_timeout")
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.metrics, http.NoBody)
	require.NoError(t, err)
	a := p.client.Do(req)
	require.NoError(t, a.Err)
	require.Equal(t, http.StatusOK, a.Code)
	found := regexp.MustCompile(`(?m)^rtbeat_answers_total{code="504",reason="ack_timeout",source="in"} (\d+)$`).FindSubmatch(a.Raw)
	if found == nil {
		return 0
	}
	n, err := strconv.Atoi(string(found[1]))
	require.NoError(t, err)
	return n
}
