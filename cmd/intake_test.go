package cmd

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/auth"
)

func TestParseURL(t *testing.T) {
	for text, want := range map[string]string{
		"http://localhost":             "http://localhost:80/in",
		"http://localhost:8081/":       "http://localhost:8081/in",
		"https://[::1]":                "https://[::1]:443/in",
		"https://example.com:1/a/in":   "https://example.com:1/a/in",
		"unix:///run/rtbeat/in.sock":   "unix:///run/rtbeat/in.sock",
		"":                             "",
		"localhost:8081":               "",
		"ftp://localhost":              "",
		"http://":                      "",
		"http://:8081":                 "",
		"unix://in.sock":               "",
		"unix:in.sock":                 "",
		"http://user:hidden@localhost": "",
		"http://user:hidden@[::1":      "",
	} {
		got, err := parseURL(text)
		if want == "" {
			require.Error(t, err, text)
			require.NotContains(t, err.Error(), "hidden")
			continue
		}
		require.NoError(t, err, text)
		require.Equal(t, want, got.String())
	}
}

func TestEachSchemeSetsItsHeaders(t *testing.T) {
	headers := func(settings auth.Settings, name string) http.Header {
		credentials := credentialsOf(settings)
		require.Len(t, credentials, 1)
		require.Equal(t, name, credentials[0].Name)
		req := &http.Request{Header: http.Header{}}
		credentials[0].Set(req, `{"messages":[]}`)
		return req.Header
	}
	require.Equal(t, http.Header{"Authorization": {"Bearer a"}}, headers(auth.Settings{Bearer: auth.Bearer{Tokens: auth.Unnamed("a", "b")}}, "rtbeat.auth.bearer"))
	require.Equal(t, http.Header{"Authorization": {"Basic Yjpj"}}, headers(auth.Settings{Basic: auth.Basic{Username: "b", Password: "c"}}, "rtbeat.auth.basic"))
	signature := auth.HMAC{Keys: auth.Unnamed("key"), Header: "X-Signature", Prefix: "sha256="}
	require.Equal(t, http.Header{"X-Signature": {"sha256=a49973099b120d2ad2503d4b9901de5d89a241b6c38d8305739aff95ae31ee00"}}, headers(auth.Settings{HMAC: signature}, "rtbeat.auth.hmac"))
	signature.Prefix, signature.TimestampHeader = "", "X-Time"
	signed := headers(auth.Settings{HMAC: signature}, "rtbeat.auth.hmac")
	require.Len(t, signed["X-Time"], 1)
	require.Len(t, signed.Get("X-Signature"), 64)
	require.Len(t, credentialsOf(auth.Settings{Bearer: auth.Bearer{Tokens: auth.Unnamed("a")}, HMAC: signature}), 2)
}
