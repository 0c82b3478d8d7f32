package auth

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// hmacWith returns valid settings with one change.
func hmacWith(change func(*HMAC)) Settings {
	s := timedSignatures()
	change(&s.HMAC)
	return s
}

func TestNewRefuses(t *testing.T) {
	header := func(name string) Settings { return hmacWith(func(h *HMAC) { h.Header = name }) }
	timestamp := func(name string) Settings { return hmacWith(func(h *HMAC) { h.TimestampHeader = name }) }
	prefix := func(text string) Settings { return hmacWith(func(h *HMAC) { h.Prefix = text }) }
	tokens := func(list ...string) Settings { return Settings{Bearer: Bearer{Tokens: Unnamed(list...)}} }
	login := func(user, password string) Settings { return Settings{Basic: Basic{user, password}} }
	keys := func(list ...string) Settings { return hmacWith(func(h *HMAC) { h.Keys = Unnamed(list...) }) }
	values := func(list ...string) Settings { return Settings{Header: Header{Values: Unnamed(list...)}} }
	token := func(name string) Settings { return Settings{Header: Header{Name: name, Values: Unnamed("v")}} }
	hmacAnd := func(s Settings) Settings {
		s.HMAC = timedSignatures().HMAC
		return s
	}
	names := func(list ...string) Settings { return Settings{Certificate: Certificate{Names: list}} }

	for _, c := range []struct {
		name     string
		settings Settings
		key      string
	}{
		{"an empty token", tokens(""), "rtbeat.auth.bearer.tokens.0 "},
		{"an empty token behind", tokens("good", ""), "rtbeat.auth.bearer.tokens.1 "},
		{"a blank token", tokens(" \u00a0"), "rtbeat.auth.bearer.tokens.0 "},
		{"a token with its line break", tokens("token\n"), "rtbeat.auth.bearer.tokens.0 "},
		{"a token with a zero byte", tokens("to\x00ken"), "rtbeat.auth.bearer.tokens.0 "},
		{"a token with a space", tokens("to ken"), "rtbeat.auth.bearer.tokens.0 "},
		{"a token with a comma", tokens("to,ken"), "rtbeat.auth.bearer.tokens.0 "},
		{"a token with letters that cannot be sent", tokens("töken"), "rtbeat.auth.bearer.tokens.0 "},
		{"a token with padding inside", tokens("to=ken"), "rtbeat.auth.bearer.tokens.0 "},
		{"a token that is only padding", tokens("=="), "rtbeat.auth.bearer.tokens.0 "},

		{"no user", login("", "p"), "rtbeat.auth.basic.username"},
		{"a blank user", login(" ", "p"), "rtbeat.auth.basic.username "},
		{"a user with a colon", login("a:b", "p"), "rtbeat.auth.basic.username "},
		{"a user with a control character", login("a\x7f", "p"), "rtbeat.auth.basic.username "},
		{"no password", login("a", ""), "rtbeat.auth.basic.password"},
		{"a blank password", login("a", "\t"), "rtbeat.auth.basic.password "},
		{"a password with its line break", login("a", "p\r\n"), "rtbeat.auth.basic.password "},

		{"an empty key", keys("good", ""), "rtbeat.auth.hmac.keys.1 "},
		{"a blank key", keys("   "), "rtbeat.auth.hmac.keys.0 "},
		{"a key with its line break", keys("key\n"), "rtbeat.auth.hmac.keys.0 "},
		{"no header", header(""), "rtbeat.auth.hmac.header "},
		{"a header with a colon", header("X-Signature:"), "rtbeat.auth.hmac.header "},
		{"a header with a space", header("X Signature"), "rtbeat.auth.hmac.header "},
		{"a header with a line break", header("X-Signature\r\nX: y"), "rtbeat.auth.hmac.header "},
		{"a header that is not ASCII", header("X-Sïgnature"), "rtbeat.auth.hmac.header "},
		{"authorization", header("authorization"), "rtbeat.auth.hmac.header "},
		{"a header that net/http takes away", header("HOST"), "rtbeat.auth.hmac.header "},
		{"a cookie", header("Cookie"), "rtbeat.auth.hmac.header "},
		{"a prefix with a line break", prefix("a\n"), "rtbeat.auth.hmac.prefix "},
		{"a prefix with a tab", prefix("a\t"), "rtbeat.auth.hmac.prefix "},
		{"a prefix that begins with a space", prefix(" a"), "rtbeat.auth.hmac.prefix "},
		{"a prefix that is not ASCII", prefix("é="), "rtbeat.auth.hmac.prefix "},
		{"a timestamp header that is none", timestamp("X Time"), "rtbeat.auth.hmac.timestamp_header "},
		{"a timestamp in authorization", timestamp("Authorization"), "rtbeat.auth.hmac.timestamp_header "},
		{"both headers the same", timestamp("x-signature"), "rtbeat.auth.hmac.timestamp_header "},
		{"no window", hmacWith(func(h *HMAC) { h.Window = 0 }), "rtbeat.auth.hmac.window "},
		{"a negative window", hmacWith(func(h *HMAC) { h.Window = -time.Second }), "rtbeat.auth.hmac.window "},

		{"an empty value", values("good", ""), "rtbeat.auth.header.values.1 "},
		{"a value with its line break", values("v\n"), "rtbeat.auth.header.values.0 "},
		{"a value that is not ASCII", values("v\u00e4"), "rtbeat.auth.header.values.0 "},
		{"a value with a space before", values(" v"), "rtbeat.auth.header.values.0 "},
		{"no header of tokens", Settings{Header: Header{Name: "a b"}}, "rtbeat.auth.header.name "},
		{"a token in a cookie", token("cookie"), "rtbeat.auth.header.name "},
		{"a token in a header that net/http takes away", token("Host"), "rtbeat.auth.header.name "},
		{"a token in Proxy-Authorization", token("Proxy-Authorization"), "rtbeat.auth.header.name "},
		{"a token in the header of the signature", hmacAnd(token("x-signature")), "rtbeat.auth.header.name "},
		{"a token in the header of the time", hmacAnd(token("x-timestamp")), "rtbeat.auth.header.name "},
		{"a token in Authorization beside bearer", Settings{Header: token("authorization").Header, Bearer: Bearer{Tokens: Unnamed("t")}}, "rtbeat.auth.header.name "},
		{"a token in Authorization beside basic", Settings{Header: token("Authorization").Header, Basic: Basic{"a", "b"}}, "rtbeat.auth.header.name "},

		{"an empty name", names("a", ""), "rtbeat.auth.certificate.names.1 "},
		{"white space around a name", names("a "), "rtbeat.auth.certificate.names.0 "},
		{"a name with a line break", names("a\n"), "rtbeat.auth.certificate.names.0 "},
		{"a star", names("*"), "rtbeat.auth.certificate.names.0 "},
		{"a star and a dot", names("*."), "rtbeat.auth.certificate.names.0 "},
		{"two stars", names("*.*.example.com"), "rtbeat.auth.certificate.names.0 "},
		{"a star inside", names("a.*.example.com"), "rtbeat.auth.certificate.names.0 "},
		{"a star in a label", names("a*.example.com"), "rtbeat.auth.certificate.names.0 "},
		{"a dot before", names(".example.com"), "rtbeat.auth.certificate.names.0 "},
		{"an empty label", names("*..example.com"), "rtbeat.auth.certificate.names.0 "},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := New(withDefaults(c.settings))
			require.Nil(t, a)
			require.ErrorContains(t, err, c.key)
			require.Equal(t, strings.ToLower(err.Error()[:1]), err.Error()[:1])
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestNewAccepts(t *testing.T) {
	for name, s := range map[string]Settings{
		"nothing":                         {},
		"empty lists":                     {Bearer: Bearer{Tokens: Unnamed()}, HMAC: HMAC{Keys: Unnamed()}, Certificate: Certificate{Names: []string{}}},
		"a password with colon and space": {Basic: Basic{"a", " :p: "}},
		"a key with all of Unicode":       hmacWith(func(h *HMAC) { h.Keys = Unnamed("gr\u00fcn \u2603") }),
		"no prefix":                       hmacWith(func(h *HMAC) { h.Prefix = "" }),
		"a prefix with a space":           hmacWith(func(h *HMAC) { h.Prefix = "HMAC-SHA256 " }),
		"an odd header":                   hmacWith(func(h *HMAC) { h.Header = "x!sig|" }),
		"a value with spaces inside":      {Header: Header{Values: Unnamed("Token a b")}},
		"a value in Authorization":        {Header: Header{Name: "authorization", Values: Unnamed("a")}},
		"an unused cookie":                {Header: Header{Name: "Cookie"}},
		"names of all kinds":              {Certificate: Certificate{Names: []string{"a", "*.b", "c@d", "spiffe://e/f", "g h, i:j"}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(withDefaults(s))
			require.NoError(t, err)
		})
	}
}
