package auth

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAuthorization(t *testing.T) {
	a := newAuth(t, Settings{
		Bearer: Bearer{Tokens: Unnamed("first-token", "second.token", "third~token+/==")},
		Basic:  Basic{"ada", "one"},
	}, Basic{"ada", "two"}, Basic{"bob", "with:colons:"}, Basic{"grün", "pässwort"}, Basic{"sp ace", " p "})
	for _, c := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"nothing", nil, Missing},
		{"another header", []string{"X-Authorization: Bearer first-token"}, Missing},

		{"the first token", []string{"Authorization: Bearer first-token"}, ""},
		{"the second", []string{"Authorization: Bearer second.token"}, ""},
		{"the last, with all that a token may have", []string{"Authorization: Bearer third~token+/=="}, ""},
		{"a scheme in small letters", []string{"Authorization: bearer first-token"}, ""},
		{"in capitals", []string{"Authorization: BEARER first-token"}, ""},
		{"more than one space", []string{"Authorization: Bearer   first-token"}, ""},
		{"a header in small letters", []string{"authorization: Bearer first-token"}, ""},

		{"a token in capitals", []string{"Authorization: Bearer FIRST-TOKEN"}, WrongToken},
		{"a part of a token", []string{"Authorization: Bearer first-toke"}, WrongToken},
		{"more than a token", []string{"Authorization: Bearer first-token1"}, WrongToken},
		{"padding less", []string{"Authorization: Bearer third~token+/="}, WrongToken},
		{"padding more", []string{"Authorization: Bearer first-token="}, WrongToken},
		{"a password as a token", []string{"Authorization: Bearer one"}, WrongToken},
		{"a login as a token", []string{"Authorization: Bearer YWRhOm9uZQ=="}, WrongToken},
		{"no token", []string{"Authorization: Bearer"}, BadAuthorization},
		{"spaces for a token", []string{"Authorization: Bearer    "}, BadAuthorization},
		{"only padding", []string{"Authorization: Bearer =="}, BadAuthorization},
		{"padding inside", []string{"Authorization: Bearer first=token"}, BadAuthorization},
		{"two tokens", []string{"Authorization: Bearer first-token second.token"}, BadAuthorization},
		{"a list of tokens", []string{"Authorization: Bearer first-token,second.token"}, BadAuthorization},
		{"a space after", []string{"Authorization: Bearer first-token "}, BadAuthorization},
		{"a tab after the space", []string{"Authorization: Bearer \tfirst-token"}, BadAuthorization},
		{"a parameter", []string{`Authorization: Bearer token="first-token"`}, BadAuthorization},
		{"a token that is not ASCII", []string{"Authorization: Bearer first-tokén"}, BadAuthorization},
		{"a token that is not UTF-8", []string{"Authorization: Bearer first-token\xff"}, BadAuthorization},
		{"a very long token", []string{"Authorization: Bearer " + strings.Repeat("a", 1<<20)}, WrongToken},

		{"an empty header", []string{"Authorization: "}, BadScheme},
		{"a token without its scheme", []string{"Authorization: first-token"}, BadScheme},
		{"a tab between", []string{"Authorization: Bearer\tfirst-token"}, BadScheme},
		{"a space before", []string{"Authorization:  Bearer first-token"}, BadScheme},
		{"a scheme nobody configured", []string{"Authorization: Digest first-token"}, BadScheme},
		{"a scheme with a colon", []string{"Authorization: Bearer: first-token"}, BadScheme},
		{"a long s in Basic", []string{"Authorization: Baſic YWRhOm9uZQ=="}, BadScheme},

		{"the same header twice", []string{"Authorization: Bearer first-token", "Authorization: Bearer first-token"}, RepeatedHeader},
		{"a right one and a wrong one", []string{"Authorization: Bearer first-token", "Authorization: Bearer x"}, RepeatedHeader},
		{"a right one and an empty one", []string{"Authorization: Bearer first-token", "Authorization: "}, RepeatedHeader},
		{"two that are both right", []string{"Authorization: Bearer first-token", basic("ada", "one")}, RepeatedHeader},

		{"a login", []string{basic("ada", "one")}, ""},
		{"the same user's other password", []string{basic("ada", "two")}, ""},
		{"a password with colons", []string{basic("bob", "with:colons:")}, ""},
		{"a login in UTF-8", []string{basic("grün", "pässwort")}, ""},
		{"spaces count", []string{basic("sp ace", " p ")}, ""},
		{"basic in capitals", []string{"Authorization: BASIC YWRhOm9uZQ=="}, ""},
		{"basic and spaces", []string{"Authorization: basic   YWRhOm9uZQ=="}, ""},

		{"another password", []string{basic("ada", "three")}, WrongLogin},
		{"somebody else's password", []string{basic("bob", "one")}, WrongLogin},
		{"an unknown user", []string{basic("eve", "one")}, WrongLogin},
		{"no password", []string{basic("ada", "")}, WrongLogin},
		{"no user", []string{basic("", "one")}, WrongLogin},
		{"neither", []string{basic("", "")}, WrongLogin},
		{"the first colon ends the user", []string{basic("bob:with", "colons:")}, ""},
		{"another case", []string{basic("Ada", "one")}, WrongLogin},
		{"spaces missing", []string{basic("sp ace", "p")}, WrongLogin},
		{"a zero byte behind", []string{basic("ada", "one\x00")}, WrongLogin},
		{"Latin-1", []string{basic("gr\xfcn", "p\xe4sswort")}, WrongLogin},
		{"decomposed", []string{basic("gru\u0308n", "pa\u0308sswort")}, WrongLogin},

		{"no colon", []string{"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("adaone"))}, BadAuthorization},
		{"no login", []string{"Authorization: Basic"}, BadAuthorization},
		{"no base64", []string{"Authorization: Basic ada:one"}, BadAuthorization},
		{"no padding", []string{"Authorization: Basic YWRhOm9uZQ"}, BadAuthorization},
		{"too much padding", []string{"Authorization: Basic YWRhOm9uZQ==="}, BadAuthorization},
		{"another spelling of the same bytes", []string{"Authorization: Basic YWRhOm9uZR=="}, BadAuthorization},
		{"a line break, which decoders pass over", []string{"Authorization: Basic YWRh\nOm9uZQ=="}, BadAuthorization},
		{"letters of URLs", []string{"Authorization: Basic " + base64.URLEncoding.EncodeToString([]byte("\xff\xfe:\xff"))}, BadAuthorization},
		{"a token as a login", []string{"Authorization: Basic first-token"}, BadAuthorization},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, detail(t, a, request(c.lines...), ""))
		})
	}
}

func TestOnlyWhatIsConfiguredIsRead(t *testing.T) {
	bearer := newAuth(t, Settings{Bearer: Bearer{Tokens: Unnamed("token")}})
	require.Equal(t, BadScheme, detail(t, bearer, request(basic("ada", "one")), ""))
	require.Equal(t, Missing, detail(t, bearer, request("X-Signature: sha256="+sign("key", "")), ""))

	login := newAuth(t, Settings{Basic: Basic{"ada", "one"}})
	require.Equal(t, BadScheme, detail(t, login, request("Authorization: Bearer token"), ""))
	require.Empty(t, detail(t, login, request(basic("ada", "one")), ""))
}

func TestChallenges(t *testing.T) {
	all := timedSignatures()
	all.HMAC.Header, all.HMAC.TimestampHeader = "x-hub-signature", "x-time"
	all.Bearer.Tokens, all.Basic = Unnamed("token"), Basic{"ada", "one"}
	all.Header = Header{"x-gitlab-token", Unnamed("value")}

	const (
		bearer    = `Bearer realm="rtbeat"`
		invalid   = `Bearer realm="rtbeat", error="invalid_token"`
		login     = `Basic realm="rtbeat", charset="UTF-8"`
		token     = `Header realm="rtbeat", header="X-Gitlab-Token"`
		signature = `Signature realm="rtbeat", header="X-Signature"`
		timed     = `Signature realm="rtbeat", header="X-Hub-Signature", timestamp="X-Time"`
	)
	for _, c := range []struct {
		name     string
		settings Settings
		line     string
		want     []string
	}{
		{"bearer, nothing sent", Settings{Bearer: Bearer{Tokens: Unnamed("token")}}, "A: b", []string{bearer}},
		{"bearer, a wrong token", Settings{Bearer: Bearer{Tokens: Unnamed("token")}}, "Authorization: Bearer x", []string{invalid}},
		{"bearer, a malformed token", Settings{Bearer: Bearer{Tokens: Unnamed("token")}}, "Authorization: Bearer x y", []string{invalid}},
		{"bearer, another scheme", Settings{Bearer: Bearer{Tokens: Unnamed("token")}}, "Authorization: Basic x", []string{bearer}},
		{"basic", Settings{Basic: Basic{"ada", "one"}}, "A: b", []string{login}},
		{"basic, wrong", Settings{Basic: Basic{"ada", "one"}}, basic("a", "b"), []string{login}},
		{"hmac", signatures(), "A: b", []string{signature}},
		{"hmac, malformed", signatures(), "X-Signature: b", []string{signature}},
		{"all, nothing sent", all, "A: b", []string{bearer, login, token, timed}},
		{"all, a wrong token", all, "Authorization: Bearer x", []string{invalid, login, token, timed}},
		{"all, a wrong login", all, basic("a", "b"), []string{bearer, login, token, timed}},
		{"all, a wrong value", all, "X-Gitlab-Token: b", []string{bearer, login, token, timed}},
		{"all, a malformed signature", all, "X-Hub-Signature: b", []string{bearer, login, token, timed}},
	} {
		t.Run(c.name, func(t *testing.T) {
			refusal := check(t, newAuth(t, c.settings), request(c.line), "")
			require.NotNil(t, refusal)
			require.Equal(t, c.want, refusal.Challenge)
		})
	}
}

// The answer must not show whether the user exists.
func TestWrongUserAndWrongPasswordAreTheSame(t *testing.T) {
	a := newAuth(t, Settings{Basic: Basic{"ada", "one"}, Bearer: Bearer{Tokens: Unnamed("token")}}, Basic{"bob", "two"})
	wrongPassword := check(t, a, request(basic("ada", "x")), "")
	require.Equal(t, wrongPassword, check(t, a, request(basic("eve", "one")), ""))
	require.Equal(t, wrongPassword, check(t, a, request(basic("ada", "two")), ""))
}
