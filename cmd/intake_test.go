package cmd

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elastic/elastic-agent-libs/transport/tlscommon"

	"github.com/txn2/rtbeat/config"
	"github.com/txn2/rtbeat/internal/auth"
)

func TestTheListenerHasAURL(t *testing.T) {
	for want, change := range map[string]func(*config.Config){
		"http://localhost:8081":  func(c *config.Config) { c.Host = "" },
		"http://localhost:80":    func(c *config.Config) { c.Host, c.Port = "0.0.0.0", 80 },
		"http://localhost:81":    func(c *config.Config) { c.Host, c.Port = "[::]", 81 },
		"http://[fe80::1]:8081":  func(c *config.Config) { c.Host = "fe80::1" },
		"https://localhost:8081": func(c *config.Config) { c.Host, c.SSL = "localhost", &tlscommon.ServerConfig{} },
		"unix:///run/in.sock":    func(c *config.Config) { c.Host = "unix:///run/in.sock" },
	} {
		c := config.Default()
		change(&c)
		require.Equal(t, want, listenerURL(c))
	}
}

func TestEachCredentialSetsItsHeaders(t *testing.T) {
	require.Equal(t, map[string]http.Header{
		"auth.bearer.tokens[0]": {"Authorization": {"Bearer a"}},
		"auth.bearer.tokens[1]": {"Authorization": {"Bearer b"}},
		"auth.basic":            {"Authorization": {"Basic Yjpj"}},
		"auth.header.values[0]": {"X-Api-Key": {"a"}},
		"auth.hmac":             {"X-Signature": {"sha256=a49973099b120d2ad2503d4b9901de5d89a241b6c38d8305739aff95ae31ee00"}},
	}, credentials(auth.Settings{
		Bearer: auth.Bearer{Tokens: auth.Unnamed("a", "b")},
		Basic:  auth.Basic{Username: "b", Password: "c"},
		Header: auth.Header{Name: "x-api-key", Values: auth.Unnamed("a")},
		HMAC:   auth.HMAC{Keys: auth.Unnamed("key", "other"), Header: "X-Signature", Prefix: "sha256="},
	}))
	signed := credentials(auth.Settings{HMAC: auth.HMAC{Keys: auth.Unnamed("key"), Header: "X-Signature", TimestampHeader: "X-Time"}})["auth.hmac"]
	require.Len(t, signed["X-Time"], 1)
	require.Len(t, signed.Get("X-Signature"), 64)
	require.Equal(t, map[string]http.Header{"no credentials": {}}, credentials(auth.Settings{}))
}
