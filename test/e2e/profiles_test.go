//go:build e2e

package e2e

import (
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// libbeat's profiles are at the address in docs/operations.md, if enabled, and never on the port of /in.
func TestProfiles(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	home, port := t.TempDir(), strconv.Itoa(freePort(t))
	b := harness.StartBeatArgs(t, home, "-c", harness.Settings{Sink: sink.Addr()}.WriteConfig(t, home),
		"-E", "http.enabled=true", "-E", "http.host=127.0.0.1", "-E", "http.port="+port, "-E", "http.pprof.enabled=true")
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for path, want := range map[string]string{"/debug/pprof/goroutine?debug=2": "inflight.(*Registry).Take", "/stats": `"libbeat"`} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:"+port+path, http.NoBody)
		require.NoError(t, err)
		resp, err := client.Do(req)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.Contains(t, string(body), want)
	}
	require.Equal(t, http.StatusNotFound, b.Get("/debug/pprof/goroutine").Code)
}
