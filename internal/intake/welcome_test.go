package intake

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/clientip"
)

func tokens(good ...string) auth.Settings {
	settings := auth.DefaultSettings()
	settings.Bearer.Tokens = auth.Unnamed(good...)
	return settings
}

func with(settings auth.Settings) func(*limits) {
	return func(l *limits) {
		var err error
		if l.Authenticator, err = auth.New(settings); err != nil {
			panic(err)
		}
	}
}

// Without right credentials, the body is not read, and the answer names no other problem.
func TestWrongCredentialsAreRefusedBeforeTheBodyIsRead(t *testing.T) {
	r := newRig(t, with(tokens("another")))
	body := strings.NewReader(messages(1))
	req := r.chunked(body)
	req.Header.Set("Content-Type", "text/plain")
	c := r.do(req)
	c.requireAnswer(unauthorized)
	require.Equal(t, len(messages(1)), body.Len(), "bytes left")
	require.Equal(t, []string{`Bearer realm="rtbeat", error="invalid_token"`}, c.recorder.Header().Values("WWW-Authenticate"))
	require.Equal(t, "wrong_token", r.log.about(unauthorized)[0].fields["error.message"])
	require.NotContains(t, r.log.text(), bearer)
	r.requireUntouched()
}

// The signature covers the bytes on the wire. A body with a wrong signature is not decompressed.
func TestASignatureIsOverTheWire(t *testing.T) {
	const key = "a key to sign with"
	signed := auth.DefaultSettings()
	signed.HMAC.Keys = auth.Unnamed(key)
	r := newRig(t, with(signed))
	r.deliverAll()
	sign := func(body string) string {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(body))
		return "sha256=" + hex.EncodeToString(mac.Sum(nil))
	}
	wire := gzipped(messages(2))
	post := func(body, signature string) *call {
		req := r.request(body)
		req.Header.Set("Content-Encoding", "gzip")
		req.Header.Set("X-Signature", signature)
		return r.do(req)
	}
	post(wire, sign(wire)).requireAnswer(delivered)
	post(wire, sign(messages(2))).requireAnswer(unauthorized)
	post("no gzip", sign(wire)).requireAnswer(unauthorized)
	post("no gzip", sign("no gzip")).requireAnswer(corruptEncoding)
}

// lostConnections is a bound that has closed the connection already.
type lostConnections struct{ anyConnections }

func (lostConnections) Complete(context.Context) (done func(), ok bool) { return func() {}, false }

func TestARequestOnAClosedConnectionIsNotPublished(t *testing.T) {
	r := newRig(t, func(l *limits) { l.Connections = lostConnections{} })
	c := r.do(r.request(messages(1)))
	require.Equal(t, http.ErrAbortHandler, c.panicked)
	r.requireUntouched()
	r.requireAnswers("499 client_gone")
}

// countedConnections counts the requests between Complete and done.
type countedConnections struct {
	anyConnections
	complete *int
}

func (c countedConnections) Complete(context.Context) (done func(), ok bool) {
	*c.complete++
	return func() { *c.complete-- }, true
}

func TestAConnectionIsHeldFromTheBodyToTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		complete := 0
		r := newRig(t, func(l *limits) { l.Connections = countedConnections{complete: &complete} })
		c := r.start(r.request(messages(1)))
		job := r.take()
		synctest.Wait()
		require.Equal(t, 1, complete)
		job.deliver()
		c.requireAnswer(delivered)
		require.Zero(t, complete)

		r.do(r.request("")).requireAnswer(emptyBody)
		require.Zero(t, complete)
	})
}

func TestEventsHaveTheirOrigin(t *testing.T) {
	trusted, err := clientip.ParseTrusted([]string{"192.0.2.1"})
	require.NoError(t, err)
	r := newRig(t, func(l *limits) {
		l.Trusted, l.IncludeHeaders = trusted, []string{"x-tenant", "host", "x-absent"}
	})
	req := r.request(messages(1)) // from 192.0.2.1
	req.Header.Set("X-Forwarded-For", "203.0.113.9")
	req.Header["X-Tenant"] = []string{"a\xff", "b"}
	c := r.start(req)
	job := r.take()
	require.Equal(t, "203.0.113.9", job.ClientIP)
	require.Equal(t, map[string]string{"x-tenant": "a\uFFFD, b", "host": "example.com"}, job.Headers)
	job.deliver()
	c.requireAnswer(delivered)

	req = r.request(messages(1))
	req.RemoteAddr = "198.51.100.7:1234"
	req.Header.Set("X-Forwarded-For", "203.0.113.9")
	req.Host = ""
	c = r.start(req)
	job = r.take()
	require.Equal(t, "198.51.100.7", job.ClientIP, "anybody can send this header")
	require.Equal(t, map[string]string{"host": ""}, job.Headers)
	job.deliver()
	c.requireAnswer(delivered)
}

func TestARequestOverAUnixSocketHasNoAddress(t *testing.T) {
	r := newRig(t)
	req := r.request(messages(1))
	req.RemoteAddr = "@"
	ctx := context.WithValue(req.Context(), http.LocalAddrContextKey, net.Addr(&net.UnixAddr{Name: "/run/in.sock", Net: "unix"}))
	c := r.start(req.WithContext(ctx))
	job := r.take()
	require.Empty(t, job.ClientIP)
	job.deliver()
	c.requireAnswer(delivered)
}

func TestRequestIDs(t *testing.T) {
	given := func(id string) string {
		r := newRig(t)
		req := r.request("")
		req.Header.Set("X-Request-ID", id)
		c := r.do(req)
		got := c.recorder.Header().Get("X-Request-ID")
		require.Equal(t, got, r.log.about(emptyBody)[0].fields["http.request.id"])
		return got
	}
	for _, id := range []string{"a", "0190-Ab_c.d:e/f+g=h@i", strings.Repeat("x", 128)} {
		require.Equal(t, id, given(id))
	}
	seen := make(map[string]bool)
	for _, id := range []string{"", " ", "a b", "a\"b", "a\x1b[31m", "ä", strings.Repeat("x", 129), "<script>"} {
		got := given(id)
		require.Regexp(t, `^[0-9a-f]{32}$`, got)
		require.False(t, seen[got])
		seen[got] = true
	}
}

// With an admin listener, health and metrics are only there.
func TestAdminRoutes(t *testing.T) {
	for separate, want := range map[bool][2]int{false: {http.StatusOK, http.StatusNotFound}, true: {http.StatusNotFound, http.StatusOK}} {
		r := newRig(t, func(l *limits) { l.Admin = separate })
		r.deliverAll()
		r.server.advance(phaseServing)
		code := func(handler http.Handler, method, path string) int {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(messages(1))))
			return w.Code
		}
		for _, path := range []string{"/livez", "/readyz", "/metrics"} {
			require.Equal(t, want[0], code(r.server.http.Handler, http.MethodGet, path), path)
			require.Equal(t, want[1], code(r.server.admin.Handler, http.MethodGet, path), path)
		}
		// The status page is never beside /in.
		for _, path := range []string{"/", "/status.json", "/status.css", "/status.js", "/status.svg"} {
			require.Equal(t, http.StatusNotFound, code(r.server.http.Handler, http.MethodGet, path), path)
			require.Equal(t, want[1], code(r.server.admin.Handler, http.MethodGet, path), path)
			require.Equal(t, want[1], code(r.server.admin.Handler, http.MethodHead, path), path)
			for _, method := range []string{http.MethodPost, http.MethodOptions, http.MethodDelete} {
				require.NotEqual(t, http.StatusOK, code(r.server.admin.Handler, method, path), path)
			}
		}
		require.Equal(t, http.StatusNotFound, code(r.server.admin.Handler, http.MethodGet, "/status.html"))
		require.Equal(t, http.StatusOK, code(r.server.http.Handler, http.MethodPost, "/in"))
		require.Equal(t, http.StatusNotFound, code(r.server.admin.Handler, http.MethodPost, "/in"))
	}
}

// A failed handshake is a warning, at most one each second.
func TestFailedHandshakesAreLoggedOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		complain := log.New(r.server.http.ErrorLog.Writer(), "", 0).Printf
		count := func(level string) (n int) {
			for line := range strings.Lines(r.log.text()) {
				if strings.HasPrefix(line, level) {
					n++
				}
			}
			return n
		}
		complain("http: TLS handshake error from 192.0.2.1:1: EOF")
		complain("http: something else")
		require.Zero(t, count("warn"), "a port scan")
		for range 1000 {
			complain("http: TLS handshake error from 192.0.2.1:1: remote error: %s\xff", strings.Repeat("x", 1000))
		}
		require.Equal(t, 1, count("warn"))
		<-time.After(logInterval)
		complain("http: TLS handshake error from 192.0.2.1:1: bad")
		require.Equal(t, 2, count("warn"))
		require.NotContains(t, r.log.text(), strings.Repeat("x", maxErrorLine))
	})
}

func TestEachFormAndCodingIsTaken(t *testing.T) {
	lines := "{\"a\":1}\n{\"b\":2}\n"
	r := newRig(t)
	r.deliverAll()
	for name, tt := range map[string]struct {
		contentType, encoding, body string
		want                        outcome
		messages                    int
	}{
		"lines":               {"application/x-ndjson", "", lines, delivered, 2},
		"lines as JSON":       {"application/json", "", lines, delivered, 2},
		"an array":            {"application/json", "", `[{"a":1},{"b":2},{}]`, delivered, 3},
		"compressed lines":    {"application/x-ndjson", "gzip", gzipped(lines), delivered, 2},
		"zstd":                {"application/json", "zstd", zstandard(messages(4)), delivered, 4},
		"nothing, compressed": {"application/json", "gzip", gzipped(""), emptyBody, 0},
		"too large inside":    {"application/json", "gzip", gzipped(strings.Repeat(" ", 1001)), bodyTooLarge, 0},
		"a window of 16 MiB":  {"application/json", "zstd", "\x28\xb5\x2f\xfd\x00\x70\x01\x00\x00", unsupportedEncoding, 0},
		"cut off":             {"application/json", "gzip", gzipped(lines)[:20], corruptEncoding, 0},
	} {
		t.Run(name, func(t *testing.T) {
			req := r.request(tt.body)
			req.Header.Set("Content-Type", tt.contentType)
			if tt.encoding != "" {
				req.Header.Set("Content-Encoding", tt.encoding)
			}
			answer := r.do(req).requireAnswer(tt.want)
			if tt.want == delivered {
				require.Contains(t, answer, fmt.Sprintf(`"messages":%d,`, tt.messages))
			}
			r.requireAtRest()
		})
	}
}

// A header of 800 bytes in each of 10 events is 8,000 bytes in flight.
func TestCopiedHeadersWeigh(t *testing.T) {
	r := newRig(t, func(l *limits) { l.IncludeHeaders = []string{"x-big"} })
	body := messages(10)
	whole, _ := weigh(body)
	req := r.request(body)
	req.Header.Set("X-Big", strings.Repeat("x", 700))
	c := r.start(req)
	job := r.take()
	require.Equal(t, whole+10*(5+700+headerWeight), r.admission.Used())
	job.handOver(10)
	job.ack(9)
	job.ack(1)
	c.requireAnswer(delivered)

	req = r.request(body)
	req.Header.Set("X-Big", strings.Repeat("x", 1000))
	r.do(req).requireAnswer(batchTooLarge)
	r.requireUntouched()
}
