//go:build monitoring

package monitoring

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// way is a proxy between Prometheus and rtbeat that records the format of the scrapes.
type way struct {
	addr string

	mu      sync.Mutex
	formats map[string]bool
}

// newWay passes scrapes on. accept replaces Prometheus's Accept header; empty keeps it.
func newWay(t testing.TB, target, accept string) *way {
	t.Helper()
	u, err := url.Parse("http://" + target)
	require.NoError(t, err)
	w := &way{formats: make(map[string]bool)}
	transport := &http.Transport{}
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			if accept != "" {
				r.Out.Header.Set("Accept", accept)
			}
		},
		ModifyResponse: func(r *http.Response) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.formats[r.Header.Get("Content-Type")] = true
			return nil
		},
		// In one phase of the story rtbeat has stopped.
		ErrorHandler: func(rw http.ResponseWriter, _ *http.Request, _ error) { rw.WriteHeader(http.StatusBadGateway) },
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		transport.CloseIdleConnections()
	})
	w.addr = server.Listener.Addr().String()
	return w
}

// spoke has the content types of the answers.
func (w *way) spoke() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for f := range w.formats {
		all = append(all, f)
	}
	return all
}

// get is a scrape by the test.
func get(ctx context.Context, t testing.TB, addr, accept string) (body []byte, contentType string) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/metrics", http.NoBody)
	require.NoError(t, err)
	req.Header.Set("Accept", accept)
	resp, err := transport.RoundTrip(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, resp.Body.Close()) }()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	body, err = io.ReadAll(resp.Body)
	require.NoError(t, err)
	return body, resp.Header.Get("Content-Type")
}
