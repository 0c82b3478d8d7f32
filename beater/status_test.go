package beater_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/pipelinetest"
	"github.com/txn2/rtbeat/internal/status"
)

// Every path of the status page is on the admin listener. The sampler ends with Run, else goleak reports it.
func TestStatusPage(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	admin := free.Addr().(*net.TCPAddr)
	require.NoError(t, free.Close())

	output := &pipelinetest.Output{}
	r := start(t, output, fmt.Sprintf("admin: {host: 127.0.0.1, port: %d}", admin.Port))
	get := func(path string) (string, error) {
		res, err := http.Get("http://" + admin.String() + path) //nolint:noctx // the end of the server ends it
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		return res.Status + " " + string(text), err
	}
	require.Eventually(t, func() bool { _, err := get("/livez"); return err == nil }, patience, 10*time.Millisecond)
	for _, path := range status.Paths {
		text, err := get(path)
		require.NoError(t, err)
		require.Contains(t, text, "200 OK", path)
	}
	var text string
	require.Eventually(t, func() bool { // the first sample may be taken before the server serves
		var err error
		text, err = get("/status.json")
		return err == nil && strings.Contains(text, `"state":"idle"`)
	}, patience, 10*time.Millisecond)
	require.Contains(t, text, fmt.Sprintf(`{"key":"rtbeat.admin.port","value":"%d"}`, admin.Port))
	require.Contains(t, text, `"phase":"serving"`)

	r.beater.Stop()
	require.NoError(t, receive(t, r.ended))
}
