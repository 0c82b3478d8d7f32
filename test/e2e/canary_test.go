//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// canary is the prefix of everything that a sender sends, and of every secret.
const canary = "canary"

// harmlessID is a request id that the log may have.
const harmlessID = "looked-for/in.the=log"

const (
	canaryToken    = canary + "-token-of-the-configuration"
	canaryUser     = canary + "-user"
	canaryPassword = canary + "-password-of-the-configuration"
	canaryKey      = canary + "-key-of-the-configuration"
)

// At level debug, with every selector, no log and no other file has a body, a path, a header's value or a secret.
func TestTheLogAtDebugHasNoBytesOfARequest(t *testing.T) {
	for name, ssl := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startCanary(t, ssl)
			c.playAll(t)
			c.requireSilence(t)
		})
	}
}

// canaryRig is a process at debug, with its ways to connect.
type canaryRig struct {
	home    string
	beat    *harness.Beat
	sink    *lumbersink.Sink
	connect func() net.Conn
	secrets []string // other texts that must not appear
}

func startCanary(t *testing.T, ssl bool) *canaryRig {
	t.Helper()
	c := &canaryRig{home: t.TempDir(), sink: harness.StartSink(t, lumbersink.Immediate())}
	rtbeat := map[string]any{
		"timeout": 1, "read_timeout": 1, "stall_after": 2, "max_body_bytes": 4 << 10, "max_header_bytes": 4 << 10, "max_messages": 5,
		"auth": map[string]any{
			"bearer": map[string]any{"tokens": []string{canaryToken}},
			"basic":  map[string]any{"username": canaryUser, "password": canaryPassword},
			"hmac":   map[string]any{"keys": []string{canaryKey}},
		},
		"include_headers": []string{"X-Kept", "User-Agent"}, "trusted_proxies": []string{"127.0.0.0/8"},
	}
	config := &tls.Config{ServerName: "server", NextProtos: []string{"http/1.1"}}
	if ssl {
		ca := harness.NewAuthority(t)
		certificate, key := harness.InPEM(t, ca.Issue(t, harness.CertificateFor("server")))
		rtbeat["ssl"] = map[string]any{"certificate": certificate, "key": key}
		config.RootCAs = ca.Pool
		c.secrets = append(c.secrets, strings.Split(key, "\n")[1])
	}
	settings := harness.Settings{
		Sink: c.sink.Addr(), Rtbeat: rtbeat,
		Processors: []any{ // each of which logs its input
			map[string]any{"decode_json_fields": map[string]any{"fields": []string{"rxtxMsg.text"}, "target": ""}},
			map[string]any{"dissect": map[string]any{"field": "rxtxMsg.text", "tokenizer": "%{a} of %{b}", "target_prefix": "parts"}},
			map[string]any{"convert": map[string]any{"fields": []any{map[string]any{"from": "rxtxMsg.text", "type": "integer"}}}},
			map[string]any{"rename": map[string]any{"fields": []any{map[string]any{"from": "rxtxMsg.none", "to": "rxtxMsg.text"}}}},
			map[string]any{"urldecode": map[string]any{"fields": []any{map[string]any{"from": "rxtxMsg.text", "to": "decoded"}}}},
		},
	}
	c.beat = harness.StartBeatArgs(t, c.home, "-c", settings.WriteConfig(t, c.home),
		"-E", "logging.level=debug", "-E", `logging.selectors=["*"]`, "-d", "*")
	c.connect = func() net.Conn {
		conn := dialFrom(t, "", c.beat.Addr)
		if !ssl {
			return conn
		}
		secure := tls.Client(conn, config)
		ctx, cancel := context.WithTimeout(t.Context(), answerWithin)
		defer cancel()
		require.NoError(t, secure.HandshakeContext(ctx))
		return secure
	}
	return c
}

// say sends a request and checks its answer. Code 0 means no answer.
func (c *canaryRig) say(t *testing.T, text string, code int) {
	t.Helper()
	l := newLine(t, c.connect())
	l.write(text)
	if code != 0 {
		require.Equal(t, code, l.read(t, "POST").code, "%s", text)
	}
	_ = l.conn.Close()
}

func (c *canaryRig) playAll(t *testing.T) {
	t.Helper()
	n := 0
	message := func() string {
		n++
		return fmt.Sprintf(`{"uuid":"%s-uuid-%d","%[1]s-key":"%[1]s-value","text":"{%[1]s text"}`, canary, n)
	}
	marked := []string{
		"X-Kept: " + canary + "-kept", "User-Agent: " + canary + "-agent", "Cookie: " + canary + "=" + canary,
		"Referer: https://" + canary + ".example/" + canary, "X-Forwarded-For: " + canary + "-address",
		"Forwarded: for=" + canary, "traceparent: " + canary, "X-Request-Id: " + harmlessID,
	}
	bearer := "Authorization: Bearer " + canaryToken
	with := func(headers ...string) []string { return append(headers, marked...) }
	sign := func(body string) string { return "X-Signature: sha256=" + signature(canaryKey, body) }
	path := func(text string) string {
		return strings.Replace(text, "POST /in ", "POST /in?"+canary+"=a;"+canary+" ", 1)
	}
	c.secrets = append(c.secrets, strings.Fields(basic(canaryUser, canaryPassword))[2])

	good := batchOf(message())
	c.say(t, path(post(good, with(bearer)...)), 200)
	good = batchOf(message(), message())
	c.say(t, post(good, with(basic(canaryUser, canaryPassword))...), 200)
	good = batchOf(message())
	c.say(t, post(good, with(sign(good))...), 200)
	c.secrets = append(c.secrets, signature(canaryKey, good))
	c.say(t, post(string(gzipped([]byte(batchOf(message())))), with(bearer, "Content-Encoding: gzip")...), 200)

	for _, credentials := range []string{
		"Authorization: Bearer " + canary + "-wrong", "Authorization: " + canary, basic(canaryUser, canary+"-wrong"),
		"Authorization: Digest " + canary, "X-Signature: sha256=" + canary, "X-Signature: sha256=" + signature(canaryKey, canary), "X-Nothing: " + canary,
	} {
		c.say(t, path(post(good, with(credentials)...)), 401)
	}
	for _, body := range []string{
		"{" + canary, `{"messages":[{"` + canary + `":` + canary + `}]}`, `[{}]{"` + canary + `"`, `["` + canary + `"]`,
		`{"size":7,"messages":[{"` + canary + `":1}]}`, `[{"` + canary + `":1,"` + canary + `":2}]`, strings.Repeat(`{"`+canary+`":`, 200),
		"[{\"" + canary + "\":\"\xff\"}]",
	} {
		c.say(t, path(post(body, with(bearer)...)), 400)
	}
	c.say(t, post(canary, with(bearer, "Content-Encoding: gzip")...), 400)
	c.say(t, post("a="+canary, with(bearer, "Content-Type: text/csv")...), 415)
	c.say(t, post("a="+canary, with(bearer, "Content-Encoding: "+canary)...), 415)
	c.say(t, post(`["`+strings.Repeat(canary, 1000)+`"]`, with(bearer)...), 413)
	c.say(t, post(string(gzipped([]byte(strings.Repeat(canary, 1000)))), with(bearer, "Content-Encoding: gzip")...), 413)
	c.say(t, post(batchOf(message(), message(), message(), message(), message(), message()), with(bearer)...), 413)
	c.say(t, "GET /"+canary+"?"+canary+" HTTP/1.1\r\nHost: "+canary+"\r\n\r\n", 404)
	c.say(t, canary+" /in HTTP/1.1\r\nHost: "+canary+"\r\n\r\n", 405)
	c.say(t, "GET /readyz?"+canary+" HTTP/1.1\r\nHost: "+canary+"\r\n\r\n", 200)
	// Answers of Go's HTTP server.
	c.say(t, canary+"\r\n\r\n", 400)
	c.say(t, post(good, bearer, canary), 400)
	c.say(t, post(good, bearer, "Host: "+canary), 400)
	c.say(t, post(good, bearer, "Expect: "+canary), 417)
	c.say(t, head("Transfer-Encoding: "+canary, bearer), 501)
	c.say(t, post(good, bearer, "X-Long: "+strings.Repeat(canary, 3000)), 431)
	c.say(t, head("Transfer-Encoding: chunked", bearer)+canary+"\r\n", 400)
	c.say(t, badTrailer(canary, bearer), 400)
	c.say(t, post(good, bearer, "X-Request-Id: "+canary+" id"), 200)
	// Broken and slow requests.
	c.say(t, head("Content-Length: 100", bearer)+`{"`+canary, 0)
	c.say(t, head("Content-Length: 100", bearer)+`{"`+canary, 408)
	c.say(t, "POST /in?"+canary+" HTTP/1.1\r\nHost: "+canary, 408)
	raw := dialFrom(t, "", c.beat.Addr) // with TLS: no handshake
	_, err := raw.Write([]byte("GET /" + canary + " HTTP/1.1\r\nHost: " + canary + "\r\n\r\n"))
	require.NoError(t, err)
	_ = raw.Close()

	// A stalled output: 504, then 503, and a sender that closes the connection.
	c.sink.SetPolicy(lumbersink.Never())
	c.say(t, post(batchOf(message()), with(bearer)...), http.StatusGatewayTimeout)
	c.say(t, post(batchOf(message()), with(bearer)...), 0)
	harness.Await(t, answerWithin, "a stall", func() bool { _, told := c.beat.Log.Find("the output is stalled"); return told })
	c.say(t, post(batchOf(message()), with(bearer)...), http.StatusServiceUnavailable)
	harness.RecoverSink(c.sink)
	harness.Await(t, answerWithin, "its end", func() bool { _, told := c.beat.Log.Find("the output acknowledges again"); return told })
}

// badTrailer is a body with an invalid trailer.
func badTrailer(word string, headers ...string) string {
	return head(append(headers, "Transfer-Encoding: chunked")...) + "2\r\n[]\r\n0\r\n" + word + "\r\n\r\n"
}

// requireSilence searches the log and every file of the process.
func (c *canaryRig) requireSilence(t *testing.T) {
	t.Helper()
	c.beat.Stop()
	log := c.beat.Log.String()
	for _, seen := range []string{harmlessID, "request ended", "request refused", "log.level\":\"debug", "listening on", "the output acknowledges again"} {
		require.Contains(t, log, seen, "the searched log")
	}
	requireNone := func(where, text string) {
		t.Helper()
		for line := range strings.Lines(text) {
			for _, word := range append(c.secrets, canary) {
				require.NotContains(t, strings.ToLower(line), strings.ToLower(word), where)
			}
		}
	}
	requireNone("the log", log)
	require.NoError(t, filepath.WalkDir(c.home, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == "rtbeat-under-test.yml" {
			return err
		}
		data, err := os.ReadFile(path)
		requireNone(path, string(data))
		return err
	}))
}
