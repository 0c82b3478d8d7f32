package intake

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/clientip"
)

// FuzzHandler sends any request through all steps, to an output that acknowledges at once. The answer is in the table, and never a
// 500. Messages are published for a 200 alone, in the number that it says. Nothing is held afterwards.
func FuzzHandler(f *testing.F) {
	plain := messages(2)
	lines := "{\"uuid\":\"a\"}\n\n{\"b\":[1,2.5e3]}\r\n"
	for _, seed := range []struct{ contentType, encoding, authorization, forwarded, body string }{
		{"", "", "Bearer " + bearer, "", plain},
		{"application/json; charset=utf-8", "identity", "bearer " + bearer, "192.0.2.1, 10.0.0.1", plain},
		{"application/json", "gzip", "Bearer " + bearer, "for=192.0.2.1", gzipped(plain)},
		{"application/x-ndjson", "zstd", "Bearer " + bearer, "", zstandard(lines)},
		{"application/x-ndjson", "", "Bearer " + bearer, "", lines},
		{"application/json", "", "Bearer wrong", "", plain},
		{"application/json", "", "", "", plain},
		{"text/plain", "", "Bearer " + bearer, "", plain},
		{"", "br", "Bearer " + bearer, "", plain},
		{"", "gzip", "Bearer " + bearer, "", plain},
		{"", "", "Bearer " + bearer, "", "[" + strings.Repeat("{},", 110) + "{}]"},
		{"", "", "Bearer " + bearer, "", strings.Repeat("[", 200)},
		{"", "gzip", "Bearer " + bearer, "", gzipped(strings.Repeat(" ", 1<<20))},
	} {
		f.Add(seed.contentType, seed.encoding, seed.authorization, seed.forwarded, []byte(seed.body), true)
		f.Add(seed.contentType, seed.encoding, seed.authorization, seed.forwarded, []byte(seed.body), false)
	}
	f.Fuzz(func(t *testing.T, contentType, encoding, authorization, forwarded string, body []byte, announced bool) {
		r := newRig(t, func(l *limits) {
			var err error
			l.Authenticator, err = auth.New(tokens(bearer))
			require.NoError(t, err)
			l.Trusted, err = clientip.ParseTrusted([]string{"192.0.2.0/24", "10.0.0.0/8"})
			require.NoError(t, err)
			l.Timeout, l.MaxBody, l.InFlight = time.Minute, 64<<10, 64<<10
			l.IncludeHeaders = []string{"x-forwarded-for", "content-type"}
		})
		var published atomic.Int64
		r.work(func(b *taken) {
			b.deliver()
			published.Add(int64(len(b.messages)))
		})
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/in", io.NopCloser(bytes.NewReader(body)))
		if announced {
			req.ContentLength = int64(len(body))
		}
		for name, value := range map[string]string{
			"Content-Type": contentType, "Content-Encoding": encoding, "Authorization": authorization, "X-Forwarded-For": forwarded, "Forwarded": forwarded,
		} {
			if value != "" {
				req.Header.Set(name, value)
			}
		}
		w := httptest.NewRecorder()
		r.server.http.Handler.ServeHTTP(w, req)

		var said struct {
			Reason                        string
			Messages, Coalesced, Filtered int
		}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &said))
		if w.Code == http.StatusOK {
			// A worker counts after the acknowledgement, maybe after the answer.
			require.Eventually(t, func() bool { return int(published.Load()) == said.Messages-said.Coalesced }, patience, time.Millisecond)
			require.True(t, strings.HasSuffix(strings.TrimRight(authorization, " \t"), " "+bearer), "%q", authorization)
		} else {
			require.Contains(t, []int{400, 401, 413, 415}, w.Code, "%s", w.Body)
			require.Zero(t, published.Load())
			r.requireUntouched()
		}
		require.NotContains(t, w.Body.String(), bearer)
	})
}

func gzipped(text string) string {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return buf.String()
}

func zstandard(text string) string {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	defer w.Close()
	return string(w.EncodeAll([]byte(text), nil))
}
