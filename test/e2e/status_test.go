//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// verdict is the verdict of /status.json.
type verdict struct {
	Verdict struct {
		State, Fault  string
		Since         time.Time
		Advice, Notes []string
	}
	Acked struct {
		Total int `json:"events_total"`
	}
	Configuration []struct{ Key, Value string }
}

func statusOf(t testing.TB, b *harness.Beat) (v verdict) {
	t.Helper()
	a := b.Get("/status.json")
	require.NoError(t, a.Err)
	require.Equal(t, http.StatusOK, a.Code)
	require.NoError(t, json.Unmarshal(a.Raw, &v), "%s", a.Raw)
	return v
}

// The page shows the state from the first batch to the end of the process, and no secret.
func TestStatusFollowsTheOutput(t *testing.T) {
	const secret = "b29e1c8d-t0ken"
	t.Setenv("STATUS_TEST_TOKEN", secret)
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Rtbeat: map[string]any{
		"timeout": 1, "stall_after": 2, "shutdown_timeout": 10,
		"admin": map[string]any{"host": "127.0.0.1", "port": freePort(t)},
		"auth":  map[string]any{"bearer.tokens": []string{"${STATUS_TEST_TOKEN}"}},
	}})
	client := harness.NewClient(t)
	post := func(name string) harness.Answer {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+b.Addr+"/in", strings.NewReader(string(harness.NewBatch(name, 3).Body())))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+secret)
		return client.Do(req)
	}
	comesTo := func(state string) verdict {
		var v verdict
		harness.Await(t, 20*time.Second, "the verdict "+state, func() bool { v = statusOf(t, b); return v.Verdict.State == state })
		return v
	}

	comesTo("idle")
	require.Equal(t, http.StatusOK, post("a").Code)
	require.Equal(t, 3, comesTo("delivering").Acked.Total)

	sink.SetPolicy(lumbersink.Never())
	stalledSince := time.Now()
	require.Equal(t, http.StatusGatewayTimeout, post("b").Code)
	v := comesTo("stalled")
	require.Equal(t, "output", v.Verdict.Fault)
	require.WithinDuration(t, stalledSince, v.Verdict.Since, 2*time.Second)

	require.Contains(t, v.Configuration, struct{ Key, Value string }{"rtbeat.auth.bearer.tokens", "set (1)"})
	for _, path := range []string{"/", "/status.json"} {
		require.NotContains(t, string(b.Get(path).Raw), secret)
		require.Equal(t, http.StatusMethodNotAllowed, do(t, b, http.MethodPost, path))
	}
	// Not on the port for senders.
	for _, path := range []string{"/", "/status.json", "/status.js"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+b.Addr+path, http.NoBody)
		require.NoError(t, err)
		require.Equal(t, http.StatusNotFound, client.Do(req).Code)
	}

	b.Terminate()
	comesTo("stopping")
	harness.RecoverSink(sink)
	code, _ := b.WaitExit(20 * time.Second)
	require.Zero(t, code)
}

func do(t testing.TB, b *harness.Beat, method, path string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+b.Health+path, http.NoBody)
	require.NoError(t, err)
	return harness.NewClient(t).Do(req).Code
}

// With a secret in every setting that has one, in the file and in variables, none is on the page.
func TestStatusHoldsNoSecret(t *testing.T) {
	const mark = "s3cr3t"
	t.Setenv("STATUS_TEST_PASSWORD", mark+"-password")
	t.Setenv("STATUS_TEST_HOST", mark+".invalid:5044")
	b := harness.StartBeat(t, harness.Settings{
		Rtbeat: map[string]any{
			"admin": map[string]any{"host": "127.0.0.1", "port": freePort(t)},
			"auth": map[string]any{
				"bearer.tokens": []string{mark + "-token"}, "basic.username": mark + "-user", "basic.password": "${STATUS_TEST_PASSWORD}",
				"hmac.keys": []string{mark + "-key"}, "hmac.header": "X-" + mark, "hmac.prefix": mark + "=",
			},
			"include_headers": []string{"x-" + mark},
		},
		Output: map[string]any{
			"hosts": []string{"${STATUS_TEST_HOST}"}, "index": mark, "proxy_url": "socks5://user:" + mark + "@127.0.0.1:1",
		},
		Processors: []any{map[string]any{"add_fields": map[string]any{"target": mark, "fields": map[string]any{mark: mark}}}},
	})
	for _, path := range []string{"/", "/status.json"} {
		text := string(b.Get(path).Raw)
		require.NotEmpty(t, text)
		require.NotContains(t, strings.ToLower(text), mark)
	}
	shown := make(map[string]string)
	for _, s := range statusOf(t, b).Configuration {
		shown[s.Key] = s.Value
		require.True(t, strings.HasPrefix(s.Key, "rtbeat."), s.Key)
	}
	require.Equal(t, "set", shown["rtbeat.auth.basic.password"])
	require.Equal(t, "set", shown["rtbeat.auth.hmac.header"])
	require.Equal(t, "set (1)", shown["rtbeat.include_headers"])
}
