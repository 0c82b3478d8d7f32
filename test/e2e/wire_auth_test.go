//go:build e2e

package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	authToken    = "token-4f1d9a"
	authPassword = "päss:word"
	authKey      = "a signing key"
)

// basic is the header of a user and a password.
func basic(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// signature signs text with a key.
func signature(key, text string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

// playAuth is a process that accepts a token, a password or a signature of the body.
func playAuth(t *testing.T, g *rig) {
	t.Helper()
	g.start(t, map[string]any{
		"auth": map[string]any{
			"bearer": map[string]any{"tokens": []string{"another-token", authToken}},
			"basic":  map[string]any{"username": "collector", "password": authPassword},
			"hmac":   map[string]any{"keys": []string{"another key", authKey}},
		},
		"max_body_bytes": 1 << 20,
	})
	const bearer = "Authorization: Bearer " + authToken
	g.credentials = func(string) []string { return []string{bearer} }
	sign := func(body string) string { return "X-Signature: sha256=" + signature(authKey, body) }

	for name, headers := range map[string][]string{
		"a token":                      {bearer},
		"the other token":              {"Authorization: Bearer another-token"},
		"a token, small letters":       {"authorization:bearer " + authToken},
		"a token, spaces":              {"Authorization: BEARER    " + authToken + "  "},
		"a password":                   {basic("collector", authPassword)},
		"a password, capitals":         {strings.Replace(basic("collector", authPassword), "Basic", "BASIC", 1)},
		"a token and others' headers":  {bearer, "Proxy-Authorization: Basic eDp5", "X-Api-Key: " + secret, "Cookie: a=b"},
		"a token and a type with utf8": {bearer, "Content-Type: application/json; charset=utf-8"},
	} {
		m := g.message()
		g.add("auth: "+name, post(batchOf(m), headers...), ok(m))
	}
	for name, key := range map[string]string{"a signature": authKey, "a signature with the other key": "another key"} {
		m := g.message()
		g.add("auth: "+name, post(batchOf(m), "X-Signature: sha256="+signature(key, batchOf(m))), ok(m))
	}
	m := g.message()
	g.add("auth: a signature in capitals", post(batchOf(m), "X-Signature: sha256="+strings.ToUpper(signature(authKey, batchOf(m)))), ok(m))
	m = g.message()
	g.add("auth: a signature and a token", post(batchOf(m), bearer, sign(batchOf(m))), ok(m))
	m = g.message()
	packed := string(gzipped([]byte(batchOf(m))))
	g.add("auth: a signature of compressed bytes", post(packed, "Content-Encoding: gzip", sign(packed)), ok(m))
	m = g.message()
	g.add("auth: a signature of chunks", head("Transfer-Encoding: chunked", sign(batchOf(m)))+
		fmt.Sprintf("5\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", batchOf(m)[:5], len(batchOf(m))-5, batchOf(m)[5:]), ok(m))
	g.add("auth: a signature of nothing", post("", sign("")), no("empty_body"))

	refused := no("unauthorized")
	for name, headers := range map[string][]string{
		"nothing":                         {},
		"an empty header":                 {"Authorization:"},
		"a scheme alone":                  {"Authorization: Bearer"},
		"a wrong token":                   {"Authorization: Bearer " + secret},
		"a token cut short":               {bearer[:len(bearer)-1]},
		"a token with more":               {bearer + "x"},
		"two tokens":                      {bearer + " " + authToken},
		"a list":                          {bearer + ", " + bearer},
		"the token twice":                 {bearer, bearer},
		"a right and a wrong one":         {bearer, "Authorization: Bearer " + secret},
		"a token without a scheme":        {"Authorization: " + authToken},
		"another scheme":                  {"Authorization: Digest username=" + secret},
		"the token as a password":         {basic("collector", authToken)},
		"a wrong password":                {basic("collector", "wrong")},
		"a wrong user":                    {basic("Collector", authPassword)},
		"no password":                     {basic("collector", "")},
		"no base64":                       {"Authorization: Basic collector:" + secret},
		"base64 without padding":          {strings.TrimRight(basic("collector", authPassword), "=") + "x"},
		"base64 without a colon":          {"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("collector"))},
		"a token in another header":       {"X-Authorization: Bearer " + authToken},
		"a token and a wrong sign":        {bearer, "X-Signature: sha256=" + signature("wrong", batchOf(m))},
		"a wrong token and a sign":        {"Authorization: Bearer " + secret, sign(batchOf(m))},
		"a sign with a wrong key":         {"X-Signature: sha256=" + signature("wrong", batchOf(m))},
		"a sign of another body":          {sign("[]")},
		"a sign without its prefix":       {"X-Signature: " + signature(authKey, batchOf(m))},
		"a sign with another prefix":      {"X-Signature: sha1=" + signature(authKey, batchOf(m))},
		"a sign cut short":                {sign(batchOf(m))[:50]},
		"a sign of letters":               {"X-Signature: sha256=" + strings.Repeat("zz", 32)},
		"two signs":                       {sign(batchOf(m)), sign(batchOf(m))},
		"an empty sign":                   {"X-Signature:"},
		"a token, with NUL":               {"Authorization: Bearer " + authToken + "%00"},
		"a token and the wrong type":      {"Authorization: Bearer " + secret, "Content-Type: text/csv"},
		"a wrong token and a coding":      {"Authorization: Bearer " + secret, "Content-Encoding: br"},
		"a sign of the plain bytes":       {"Content-Encoding: gzip", sign("plain")},
		"a token, and no ascii":           {"Authorization: Bearer " + authToken + "\xc3\xa4"},
		"nothing, with the id in the way": {"X-Request-Id: " + authToken},
	} {
		g.add("auth: refused: "+name, post(batchOf(m), headers...), refused)
	}
	// A refused sender is not read: neither its body nor its length matters.
	g.add("auth: refused: no body yet", head("Expect: 100-continue", "Content-Length: 100"), refused.last()).andLeaves()
	g.add("auth: refused: too large", head("Content-Length: 1000000000"), refused.last())
	g.add("auth: refused: a wrong token, much body", post(strings.Repeat(" ", 300_000), "Authorization: Bearer x"), refused.last())
	g.add("auth: refused: a sign of bad JSON", post("{", sign("{}")), refused)
	g.add("auth: a sign of bad JSON", post("{", sign("{")), no("malformed_json"))
	g.add("auth: a token with bad JSON", post("{", bearer), no("malformed_json"))
	g.add("auth: another path without a token", request("POST /out HTTP/1.1", "Content-Length: 0"), no("not_found"))
	g.add("auth: health without a token", request("GET /readyz HTTP/1.1"), reply{health: "/readyz"})
	g.add("auth: health with a wrong token", request("GET /livez HTTP/1.1", "Authorization: Bearer x"), reply{health: "/livez"})
	g.run(t)
}

// playSigned is a process that accepts signatures with a time, and nothing else.
func playSigned(t *testing.T, g *rig) {
	t.Helper()
	g.start(t, map[string]any{"auth": map[string]any{"hmac": map[string]any{
		"keys": []string{authKey}, "header": "X-Hub-Signature", "prefix": "v1,", "timestamp_header": "X-Sent-At", "window": "60s",
	}}})
	signed := func(at, text string) []string {
		return []string{"X-Hub-Signature: v1," + signature(authKey, at+"."+text), "X-Sent-At: " + at}
	}
	at := func(d time.Duration) string { return strconv.FormatInt(time.Now().Add(d).Unix(), 10) }
	g.credentials = func(body string) []string { return signed(at(0), body) }

	for name, d := range map[string]time.Duration{"now": 0, "a while ago": -30 * time.Second, "soon": 30 * time.Second} {
		m := g.message()
		g.add("signed: "+name, post(batchOf(m), signed(at(d), batchOf(m))...), ok(m))
	}
	m := g.message()
	packed := string(zstandard([]byte(batchOf(m))))
	g.add("signed: compressed", post(packed, append(signed(at(0), packed), "Content-Encoding: zstd")...), ok(m))

	m = g.message()
	g.add("signed: and an unneeded token", post(batchOf(m), append(signed(at(0), batchOf(m)), "Authorization: Bearer x")...), ok(m))

	m = g.message()
	body, now := batchOf(m), at(0)
	for name, headers := range map[string][]string{
		"nothing":             {},
		"long ago":            signed(at(-2*time.Minute), body),
		"far ahead":           signed(at(2*time.Minute), body),
		"no time":             signed(now, body)[:1],
		"the time not signed": {"X-Hub-Signature: v1," + signature(authKey, body), "X-Sent-At: " + now},
		"another time":        {signed(at(-10*time.Second), body)[0], "X-Sent-At: " + now},
		"two times":           append(signed(now, body), "X-Sent-At: "+now),
		"in milliseconds":     signed(now+"000", body),
		"a time with a sign":  signed("+"+now, body),
		"a time with words":   signed(now+" "+secret, body),
		"no number":           signed(secret, body),
		"an empty time":       signed("", body),
		"of another body":     signed(now, body+" "),
		"another prefix":      {strings.Replace(signed(now, body)[0], "v1", "v0", 1), signed(now, body)[1]},
		"the usual header":    {"X-Signature: sha256=" + signature(authKey, now+"."+body), "X-Sent-At: " + now},
		"a token":             {"Authorization: Bearer " + authToken},
	} {
		g.add("signed: refused: "+name, post(body, headers...),
			no("unauthorized").with("WWW-Authenticate", `Signature realm="rtbeat", header="X-Hub-Signature", timestamp="X-Sent-At"`))
	}
	g.run(t)
}
