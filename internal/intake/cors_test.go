package intake

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPagesOfOtherOrigins(t *testing.T) {
	r := newRig(t, func(l *limits) {
		l.CORS.AllowedOrigins = []string{"https://app.example.com"}
		l.Source = sourceAt(t, "hooks", "/hooks/*", "the-token")
	})
	r.deliverAll()
	ask := func(method, path, origin string, headers ...string) http.Header {
		req := r.request("[{}]")
		req.Method, req.URL.Path = method, path
		req.Header = http.Header{"Origin": {origin}}
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		c := r.do(req)
		header := c.recorder.Header()
		header.Set("Code", http.StatusText(c.recorder.Code))
		return header
	}
	preflight := func(path, origin string) http.Header {
		return ask(http.MethodOptions, path, origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type")
	}
	const page, other = "https://app.example.com", "https://example.com"

	allowed := preflight("/hooks/a", page)
	require.Equal(t, "No Content", allowed.Get("Code"))
	require.Equal(t, page, allowed.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "POST", allowed.Get("Access-Control-Allow-Methods"))
	require.Equal(t, "authorization,content-type", allowed.Get("Access-Control-Allow-Headers"))
	require.Empty(t, allowed.Get("Access-Control-Allow-Credentials"))
	require.Empty(t, preflight("/hooks/a", other).Get("Access-Control-Allow-Origin"))
	asked := ask(http.MethodOptions, "/hooks/a", page) // no preflight request
	require.Equal(t, []string{"Method Not Allowed", "POST, OPTIONS"}, []string{asked.Get("Code"), asked.Get("Allow")})
	asked = ask(http.MethodPut, "/hooks/a", page)
	require.Equal(t, []string{"Method Not Allowed", "POST, OPTIONS"}, []string{asked.Get("Code"), asked.Get("Allow")})
	for _, path := range []string{"/livez", "/in"} {
		require.Empty(t, preflight(path, page).Get("Access-Control-Allow-Origin"), path)
	}

	for origin, want := range map[string]string{page: page, other: ""} {
		answer := ask(http.MethodPost, "/hooks/a", origin, "Authorization", "Bearer the-token")
		require.Equal(t, []string{"OK", want}, []string{answer.Get("Code"), answer.Get("Access-Control-Allow-Origin")}, origin)
	}
	require.Equal(t, page, ask(http.MethodPost, "/hooks/a", page).Get("Access-Control-Allow-Origin"), "a page reads why it was refused")
}

func TestWithoutOriginsThereIsNoCORS(t *testing.T) {
	r := newRig(t)
	r.deliverAll()
	req := r.request(messages(1))
	req.Header.Set("Origin", "https://app.example.com")
	c := r.do(req)
	c.requireAnswer(delivered)
	require.NotContains(t, c.recorder.Header(), "Vary")
	preflight := r.request("")
	preflight.Method = http.MethodOptions
	preflight.Header.Set("Access-Control-Request-Method", "POST")
	r.do(preflight).requireAnswer(methodNotAllowed)
}
