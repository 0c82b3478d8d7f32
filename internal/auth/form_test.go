package auth

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// inBase64 is sign with the other encoding.
func inBase64(key, text string) string {
	signature, err := hex.DecodeString(sign(key, text))
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(signature)
}

func TestBase64Signature(t *testing.T) {
	a := newAuth(t, hmacForm(func(h *HMAC) { h.Encoding, h.Prefix = "base64", "" }))
	right := inBase64("new-key", testBody)
	for _, c := range []struct{ name, value, want string }{
		{"right", right, ""},
		{"the second key", inBase64("old-key", testBody), ""},
		{"another body", inBase64("new-key", testBody+" "), WrongSignature},
		{"hex", sign("new-key", testBody), BadSignature},
		{"no padding", strings.TrimSuffix(right, "="), BadSignature},
		{"more padding", right + "=", BadSignature},
		{"letters of URLs", strings.Repeat("-", 43) + "=", BadSignature},
		{"another spelling of the same bytes", otherSpelling(right), BadSignature},
		{"short", right[:40], BadSignature},
		{"33 bytes", strings.Repeat("A", 44), BadSignature},
		{"31 bytes", strings.Repeat("A", 42) + "==", BadSignature},
		{"a line break inside", right[:42] + "\n=", BadSignature},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := request()
			req.Header["X-Signature"] = []string{c.value}
			require.Equal(t, c.want, detail(t, a, req, testBody))
		})
	}
}

// hmacForm returns signatures of another form.
func hmacForm(change func(*HMAC)) Settings {
	s := signatures()
	change(&s.HMAC)
	return s
}

// otherSpelling changes the bits of base64 that are not a part of the bytes.
func otherSpelling(text string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	at := len(text) - 2
	return text[:at] + string(alphabet[strings.IndexByte(alphabet, text[at])^1]) + text[at+1:]
}

func TestKeysInBase64(t *testing.T) {
	key := "\x00\xff a key"
	for name, text := range map[string]string{
		"with padding":    base64.StdEncoding.EncodeToString([]byte(key)),
		"without padding": base64.RawStdEncoding.EncodeToString([]byte(key)),
		"with a prefix":   "whsec_" + base64.StdEncoding.EncodeToString([]byte(key)),
	} {
		a := newAuth(t, hmacForm(func(h *HMAC) { h.Keys, h.KeyEncoding = Unnamed(text), "base64" }))
		require.Empty(t, detail(t, a, request("X-Signature: sha256="+sign(key, testBody)), testBody), name)
		require.Equal(t, WrongSignature, detail(t, a, request("X-Signature: sha256="+sign(text, testBody)), testBody), name)
	}
	a := newAuth(t, hmacForm(func(h *HMAC) { h.Keys = Unnamed("whsec_YQ==") }))
	require.Empty(t, detail(t, a, request("X-Signature: sha256="+sign("whsec_YQ==", testBody)), testBody), "the text is the key")
	for _, text := range []string{"whsec_", "=", "a-key", "YQ=Q", "YW\nFh"} {
		_, err := New(hmacForm(func(h *HMAC) { h.Keys, h.KeyEncoding = Unnamed(text), "base64" }))
		require.Error(t, err, text)
	}
}

func TestTemplate(t *testing.T) {
	a := newAuth(t, hmacForm(func(h *HMAC) {
		h.TimestampHeader, h.Signed = "X-Timestamp", "v0:{timestamp}:{header:x-id}:{body}\n{header:X-ID}{timestamp}."
	}))
	signed := "v0:" + testTimestamp + ":one:" + testBody + "\none" + testTimestamp + "."
	right, stamp := "X-Signature: sha256="+sign("old-key", signed), "X-Timestamp: "+testTimestamp
	for _, c := range []struct {
		name  string
		lines []string
		body  string
		want  string
	}{
		{"right", []string{right, stamp, "X-Id: one"}, testBody, ""},
		{"another body", []string{right, stamp, "X-Id: one"}, testBody + " ", WrongSignature},
		{"another header", []string{right, stamp, "X-Id: two"}, testBody, WrongSignature},
		{"another time", []string{right, "X-Timestamp: 1767225601", "X-Id: one"}, testBody, WrongSignature},
		{"no header", []string{right, stamp}, testBody, BadSignedHeader},
		{"the header twice", []string{right, stamp, "X-Id: one", "X-Id: one"}, testBody, BadSignedHeader},
		{"an empty header", []string{right, stamp, "X-Id: "}, testBody, WrongSignature},
		{"no time", []string{right, "X-Id: one"}, testBody, BadTimestamp},
		{"an old time", []string{right, "X-Timestamp: 1", "X-Id: one"}, testBody, StaleTimestamp},
		{"the default text", []string{"X-Signature: sha256=" + sign("old-key", testTimestamp+"."+testBody), stamp, "X-Id: one"}, testBody, WrongSignature},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, detail(t, a, request(c.lines...), c.body))
		})
	}
}

// elements makes settings with a time among the elements of the header of the signature.
func elements() Settings {
	return hmacForm(func(h *HMAC) {
		h.Separator, h.Prefix, h.TimestampHeader, h.TimestampPrefix = ",", "v1=", "X-Signature", "t="
	})
}

func TestElements(t *testing.T) {
	a := newAuth(t, elements())
	const at = "t=" + testTimestamp
	right := "v1=" + sign("old-key", testTimestamp+"."+testBody)
	wrong := "v1=" + sign("x", testTimestamp+"."+testBody)
	for _, c := range []struct{ name, value, want string }{
		{"one", at + "," + right, ""},
		{"the time behind", right + "," + at, ""},
		{"white space", at + " ,\t" + right + " ", ""},
		{"elements of other kinds", at + "," + right + ",v0=" + right + ",,x", ""},
		{"a wrong one first", at + "," + wrong + "," + right, ""},
		{"a wrong one last", at + "," + right + "," + wrong, ""},
		{"eight", at + strings.Repeat(","+wrong, 7) + "," + right, ""},
		{"nine", at + strings.Repeat(","+wrong, 8) + "," + right, BadSignature},
		{"only wrong ones", at + "," + wrong + "," + wrong, WrongSignature},
		{"a malformed one beside a right one", at + "," + right + ",v1=00", BadSignature},
		{"none", at, BadSignature},
		{"of another kind only", at + ",v0=" + right[3:], BadSignature},
		{"another separator", at + ";" + right, BadSignature},
		{"no time", right, BadTimestamp},
		{"two times", at + "," + at + "," + right, BadTimestamp},
		{"another time", "t=1767225601," + right, WrongSignature},
		{"an old time", "t=1," + right, StaleTimestamp},
		{"no digits", "t=x," + right, BadTimestamp},
		{"no digit", "t=," + right, BadTimestamp},
		{"empty", "", BadSignature},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, detail(t, a, request("X-Signature: "+c.value), testBody))
		})
	}
	require.Equal(t, BadSignature, detail(t, a, request("X-Signature: "+at, "X-Signature: "+right), testBody), "two headers")
	require.Equal(t, []string{`Signature realm="rtbeat", header="X-Signature"`}, check(t, a, request(), "").Challenge)
}

// Standard Webhooks has signatures of several kinds, by spaces, and a comma in the prefix.
func TestElementsBySpaces(t *testing.T) {
	a := newAuth(t, hmacForm(func(h *HMAC) { h.Separator, h.Prefix, h.Encoding = " ", "v1,", "base64" }))
	right := "v1," + inBase64("new-key", testBody)
	require.Empty(t, detail(t, a, request("X-Signature: v1a,"+right+"  "+right), testBody))
	require.Equal(t, BadSignature, detail(t, a, request("X-Signature: v1a,"+right), testBody))
}

func TestTimestampWithAPrefix(t *testing.T) {
	a := newAuth(t, hmacForm(func(h *HMAC) { h.TimestampHeader, h.TimestampPrefix = "X-Timestamp", "at " }))
	right := "X-Signature: sha256=" + sign("new-key", testTimestamp+"."+testBody)
	require.Empty(t, detail(t, a, request(right, "X-Timestamp: at "+testTimestamp), testBody))
	require.Equal(t, BadTimestamp, detail(t, a, request(right, "X-Timestamp: "+testTimestamp), testBody))
}

func TestKeyThatSigned(t *testing.T) {
	pending, refusal := newAuth(t, signatures()).Check(request("X-Signature: sha256=" + sign("old-key", testBody)))
	require.Nil(t, refusal)
	require.Nil(t, pending.Key())
	require.Nil(t, pending.Verify([]byte(testBody)))
	require.Equal(t, []byte("old-key"), pending.Key())

	s := signatures()
	s.Bearer.Tokens = Unnamed("token")
	pending, refusal = newAuth(t, s).Check(request("Authorization: Bearer token"))
	require.Nil(t, refusal)
	require.Nil(t, pending.Verify([]byte(testBody)))
	require.Nil(t, pending.Key())
}

// What Sign signs is accepted, in every form.
func TestSign(t *testing.T) {
	for name, change := range map[string]func(*HMAC){
		"default":  func(*HMAC) {},
		"a time":   func(h *HMAC) { h.TimestampHeader, h.TimestampPrefix = "X-Timestamp", "t=" },
		"base64":   func(h *HMAC) { h.Encoding = "base64" },
		"elements": func(h *HMAC) { *h = elements().HMAC },
		"a header": func(h *HMAC) { h.Signed = "{header:X-Id}.{body}" },
		"a key in base64": func(h *HMAC) {
			h.Keys, h.KeyEncoding = Unnamed("whsec_YSBrZXk="), "base64"
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := hmacForm(change)
			req := request()
			require.NoError(t, s.HMAC.Sign(req.Header, []byte(testBody), testNow))
			a := newAuth(t, s)
			require.Empty(t, detail(t, a, req, testBody))
			require.Equal(t, WrongSignature, detail(t, a, req, "another body"))
		})
	}
	s := hmacForm(func(h *HMAC) { h.Signed = "{header:X-Id}.{body}" })
	require.Error(t, s.HMAC.Sign(http.Header{"X-Id": {"a", "b"}}, nil, time.Time{}))
	req := request("X-Id: kept")
	require.NoError(t, s.HMAC.Sign(req.Header, nil, testNow))
	require.Equal(t, "kept", req.Header.Get("X-Id"))
}

// A replay is refused after the window, in every form of the time.
func TestReplayAfterTheWindow(t *testing.T) {
	for name, s := range map[string]Settings{"a header": timedSignatures(), "an element": elements()} {
		req := request()
		require.NoError(t, s.HMAC.Sign(req.Header, []byte(testBody), testNow))
		a := newAuth(t, s)
		require.Empty(t, detail(t, a, req, testBody), name)
		a.now = func() time.Time { return testNow.Add(5*time.Minute + time.Second) }
		require.Equal(t, StaleTimestamp, detail(t, a, req, testBody), name)
		req.Header = http.Header{"X-Timestamp": {strconv.FormatInt(a.now().Unix(), 10)}, "X-Signature": req.Header["X-Signature"]}
		require.NotEmpty(t, detail(t, a, req, testBody), name)
	}
}
