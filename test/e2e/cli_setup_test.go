//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// "rtbeat setup" writes the index template, and accepts the settings that libbeat adds by itself.
func TestSetup(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var written []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
		switch {
		case r.Method == http.MethodPut:
			written = append(written, r.URL.Path)
		case r.URL.Path != "/":
			http.NotFound(w, r) // an empty store
			return
		}
		_, _ = fmt.Fprint(w, `{"version":{"number":"9.3.0","build_flavor":"default"},"acknowledged":true}`)
	}))
	t.Cleanup(server.Close)
	home := t.TempDir()
	config := filepath.Join(home, "rtbeat.yml")
	require.NoError(t, os.WriteFile(config, []byte("rtbeat.timeout: 5\noutput.elasticsearch.hosts: ["+server.URL+"]\nsetup: {template: {name: rtbeat, pattern: rtbeat}, ilm.enabled: false}\n"), 0o600))
	require.Contains(t, succeed(t, home, "", "setup", "-c", config).Stdout, "Index setup finished.")
	mu.Lock()
	defer mu.Unlock()
	require.Contains(t, written, "/_index_template/rtbeat")
}
