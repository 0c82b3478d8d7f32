package intake

import (
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// client is an HTTP client that follows no redirects.
func client(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// ask sends a request and reads its answer.
func ask(t *testing.T, c *http.Client, method, url, body string) received {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	answer, err := c.Do(req)
	require.NoError(t, err)
	return receive(t, answer)
}

func TestPathsAndMethods(t *testing.T) {
	r := newRig(t)
	r.deliverAll()
	url, c := "http://"+r.serve(), client(t)
	for _, tt := range []struct {
		method, path string
		want         outcome
		allow        string
	}{
		{http.MethodPost, "/in", delivered, ""},
		{http.MethodPost, "/in?a=b", delivered, ""},
		{http.MethodGet, "/in", methodNotAllowed, "POST"},
		{http.MethodPut, "/in", methodNotAllowed, "POST"},
		{http.MethodOptions, "/in", methodNotAllowed, "POST"},
		{"POSTS", "/in", methodNotAllowed, "POST"},
		{http.MethodGet, "/livez", alive, ""},
		{http.MethodPost, "/livez", methodNotAllowed, "GET, HEAD"},
		{http.MethodGet, "/readyz", ready, ""},
		{http.MethodDelete, "/readyz", methodNotAllowed, "GET, HEAD"},
		{http.MethodPost, "/metrics", methodNotAllowed, "GET, HEAD"},
		{http.MethodPost, "/", notFound, ""},
		{http.MethodPost, "/in/", notFound, ""},
		{http.MethodPost, "/IN", notFound, ""},
		{http.MethodPost, "//in", notFound, ""},
		{http.MethodPost, "/x/../in", notFound, ""},
		{http.MethodGet, "/metrics/" + marker, notFound, ""},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			got := ask(t, c, tt.method, url+tt.path, messages(1))
			requireAnswer(t, tt.want, got.code, got.header, got.body)
			require.Equal(t, tt.allow, got.header.Get("Allow"))
			require.NotContains(t, got.body, marker)
			require.NotContains(t, r.log.text(), marker)
		})
	}
	got := ask(t, c, http.MethodGet, url+"/metrics", "")
	require.Equal(t, http.StatusOK, got.code)
	require.Contains(t, got.body, "\nrtbeat_batches_total{source=\"in\"} 2\n")
}

func TestHeadIsGetWithoutTheBody(t *testing.T) {
	r := newRig(t)
	url, c := "http://"+r.serve(), client(t)
	for _, path := range []string{"/livez", "/readyz"} {
		get := ask(t, c, http.MethodGet, url+path, "")
		head := ask(t, c, http.MethodHead, url+path, "")
		require.Equal(t, get.code, head.code)
		require.EqualValues(t, len(get.body), head.length)
		require.Empty(t, head.body)
	}
	require.Equal(t, http.StatusMethodNotAllowed, ask(t, c, http.MethodHead, url+"/in", "").code)
}

func TestOptionsOfTheWholeServerAreNoSuccess(t *testing.T) {
	w := dial(t, newRig(t).serve())
	w.send("OPTIONS * HTTP/1.1\r\nHost: rtbeat\r\n\r\n")
	w.requireAnswer(notFound)
}

func TestReadinessFollowsThePhases(t *testing.T) {
	r := newRig(t)
	readyz := func() *call {
		req := r.request("")
		req.Method, req.URL.Path = http.MethodGet, "/readyz"
		return r.do(req)
	}
	r.deliverAll()
	readyz().requireAnswer(starting)
	r.serve()
	readyz().requireAnswer(ready)
	r.server.Leave()
	require.Contains(t, readyz().requireAnswer(leaving), `"reason":"stopping","message":"rtbeat is stopping","setting":"rtbeat.shutdown_delay","age_seconds":`)
	r.do(r.request(messages(1))).requireLastAnswer(delivered)

	require.NoError(t, r.server.Drain(t.Context()))
	readyz().requireAnswer(leaving)
	r.server.Leave()
	require.Equal(t, "draining", r.server.Phase(), "a phase does not go back")

	livez := r.request("")
	livez.Method, livez.URL.Path = http.MethodGet, "/livez"
	r.do(livez).requireAnswer(alive)
}

func TestAFailingListenerIsAnErrorOfServe(t *testing.T) {
	r := newRig(t)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- r.server.Serve(listener) }()
	require.Eventually(t, func() bool { return r.server.at(phaseServing) }, patience, time.Millisecond)
	listener.Close()
	require.ErrorIs(t, within(t, served), net.ErrClosed)
}

// net/http writes a 200 for a handler that returns without writing. rtbeat's handlers always write.
func TestNoBrokenHandlerIsA200(t *testing.T) {
	for name, serve := range map[string]serveFunc{
		"says nothing":  func(http.ResponseWriter, *http.Request) result { return result{} },
		"panics":        func(http.ResponseWriter, *http.Request) result { panic("broken") },
		"aborts itself": func(http.ResponseWriter, *http.Request) result { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			w := dial(t, newRig(t).serveWith(serve))
			w.send(postOf(messages(1)))
			w.requireLastAnswer(panicked)
		})
	}
	for name, serve := range map[string]serveFunc{
		"ends its goroutine":        func(http.ResponseWriter, *http.Request) result { runtime.Goexit(); return result{} },
		"finds its sender gone":     func(http.ResponseWriter, *http.Request) result { return result{outcome: clientGone} },
		"names an unknown outcome":  func(http.ResponseWriter, *http.Request) result { return result{outcome: -1} },
		"names one beyond the last": func(http.ResponseWriter, *http.Request) result { return result{outcome: outcome(len(outcomes))} },
	} {
		t.Run(name, func(t *testing.T) {
			w := dial(t, newRig(t).serveWith(serve))
			w.send(postOf(messages(1)))
			w.requireClosed()
		})
	}
}
