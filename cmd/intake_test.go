package cmd

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elastic/elastic-agent-libs/transport/tlscommon"

	"github.com/txn2/rtbeat/config"
	"github.com/txn2/rtbeat/internal/auth"
)

func TestURLsOfRtbeat(t *testing.T) {
	for text, want := range map[string]string{
		"http://localhost":             "http://localhost/in",
		"http://localhost:8081/":       "http://localhost:8081/in",
		"https://[::1]":                "https://[::1]/in",
		"https://example.com:1/a/in":   "https://example.com:1/a/in",
		"unix:///run/rtbeat/in.sock":   "http://localhost/in",
		"unixs:///run/rtbeat/in.sock":  "https://localhost/in",
		"":                             "",
		"localhost:8081":               "",
		"ftp://localhost":              "",
		"http://":                      "",
		"unix://in.sock":               "",
		"http://user:hidden@localhost": "",
		"http://user:hidden@[::1":      "",
	} {
		c := connection{url: text, timeout: time.Second}
		client, err := c.client("to", "/in", nil, tlscommon.VerifyFull)
		if want == "" {
			require.ErrorContains(t, err, "--to must be http", text)
			require.NotContains(t, err.Error(), "hidden")
			continue
		}
		require.NoError(t, err, text)
		require.Equal(t, want, client.URL)
	}
}

func TestTheListenerHasAURL(t *testing.T) {
	for want, change := range map[string]func(*config.Config){
		"http://127.0.0.1:8081":  func(c *config.Config) { c.Host = "" },
		"http://127.0.0.1:80":    func(c *config.Config) { c.Host, c.Port = "0.0.0.0", 80 },
		"http://[::1]:8081":      func(c *config.Config) { c.Host = "[::]" },
		"http://[fe80::1]:8081":  func(c *config.Config) { c.Host = "fe80::1" },
		"https://localhost:8081": func(c *config.Config) { c.Host, c.SSL = "localhost", &tlscommon.ServerConfig{} },
		"unix:///run/in.sock":    func(c *config.Config) { c.Host = "unix:///run/in.sock" },
		"unixs:///run/in.sock":   func(c *config.Config) { c.Host, c.SSL = "unix:///run/in.sock", &tlscommon.ServerConfig{} },
	} {
		c := config.Default()
		change(&c)
		got, err := listenerURL(c)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := listenerURL(config.Config{})
	require.ErrorContains(t, err, "--url")
}

func TestHeadersOfTheCommandLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "headers")
	require.NoError(t, os.WriteFile(file, []byte("X-A: 1\r\nx-b: 2\n\n"), 0o600))
	headers, err := parseHeaders([]string{"authorization: Bearer x", "@" + file, "X-C: 3"})
	require.NoError(t, err)
	require.Equal(t, http.Header{"Authorization": {"Bearer x"}, "X-A": {"1"}, "X-B": {"2"}, "X-C": {"3"}}, headers)
	headers, err = parseHeaders(nil)
	require.NoError(t, err)
	require.Empty(t, headers)
	for _, wrong := range []string{"hidden", " hidden: x", "@" + file + ".other", "X-A hidden: x"} {
		_, err = parseHeaders([]string{wrong})
		require.Error(t, err, wrong)
		require.NotContains(t, err.Error(), "hidden")
	}
}

func TestEachSchemeSetsItsHeaders(t *testing.T) {
	headers := func(settings auth.Settings, name string) http.Header {
		credentials := credentialsOf(settings)
		require.Len(t, credentials, 1)
		require.Equal(t, name, credentials[0].name)
		req := &http.Request{Header: http.Header{}}
		credentials[0].set(req)
		return req.Header
	}
	require.Equal(t, http.Header{"Authorization": {"Bearer a"}}, headers(auth.Settings{Bearer: auth.Bearer{Tokens: auth.Unnamed("a", "b")}}, " with auth.bearer"))
	require.Equal(t, http.Header{"X-Api-Key": {"a"}}, headers(auth.Settings{Header: auth.Header{Name: "X-Api-Key", Values: auth.Unnamed("a", "b")}}, " with auth.header"))
	require.Equal(t, http.Header{"Authorization": {"Basic Yjpj"}}, headers(auth.Settings{Basic: auth.Basic{Username: "b", Password: "c"}}, " with auth.basic"))
	signature := auth.HMAC{Keys: auth.Unnamed("key"), Header: "X-Signature", Prefix: "sha256="}
	require.Equal(t, http.Header{"X-Signature": {"sha256=a49973099b120d2ad2503d4b9901de5d89a241b6c38d8305739aff95ae31ee00"}}, headers(auth.Settings{HMAC: signature}, " with auth.hmac"))
	signature.Prefix, signature.TimestampHeader = "", "X-Time"
	signed := headers(auth.Settings{HMAC: signature}, " with auth.hmac")
	require.Len(t, signed["X-Time"], 1)
	require.Len(t, signed.Get("X-Signature"), 64)
	require.Empty(t, credentialsOf(auth.Settings{})[0].name)
	require.Len(t, credentialsOf(auth.Settings{Bearer: auth.Bearer{Tokens: auth.Unnamed("a")}, HMAC: signature}), 2)
}
