package auth

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The time of all tests, between two seconds.
var testNow = time.Unix(1_767_225_600, 500_000_000)

const testTimestamp = "1767225600"

// newAuth makes an Authenticator whose clock stands still. It accepts users in addition to the user of the settings.
func newAuth(tb testing.TB, s Settings, users ...Basic) *Authenticator {
	tb.Helper()
	a, err := New(withDefaults(s))
	require.NoError(tb, err)
	for _, user := range users {
		a.logins.add(user.Username, user.Username+":"+user.Password)
	}
	a.now = func() time.Time { return testNow }
	return a
}

// withDefaults sets the defaults of signatures in settings without keys, and the name of the header of tokens.
func withDefaults(s Settings) Settings {
	if len(s.HMAC.Keys) == 0 {
		s.HMAC = DefaultSettings().HMAC
	}
	s.Header.Name = cmp.Or(s.Header.Name, DefaultSettings().Header.Name)
	return s
}

// request makes a request with headers, each in the form "Name: value".
func request(lines ...string) *http.Request {
	req := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/in", http.NoBody)
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Add(name, value)
	}
	return req
}

// check checks a request as a handler does, and asserts the rules of every refusal.
func check(tb testing.TB, a *Authenticator, req *http.Request, body string) *Refusal {
	tb.Helper()
	pending, refusal := a.Check(req)
	if refusal != nil {
		require.Nil(tb, pending.auth)
		require.Same(tb, refusal, pending.Verify([]byte(body)), "Verify repeats the refusal")
	} else {
		refusal = pending.Verify([]byte(body))
		if pending.auth == nil {
			require.Nil(tb, refusal)
		}
	}
	if refusal != nil {
		holdRefusal(tb, refusal)
	}
	return refusal
}

func holdRefusal(tb testing.TB, refusal *Refusal) {
	tb.Helper()
	switch refusal.Status {
	case http.StatusUnauthorized:
		require.NotEmpty(tb, refusal.Challenge)
	case http.StatusForbidden:
		require.Empty(tb, refusal.Challenge)
	default:
		require.Failf(tb, "no such status", "%d", refusal.Status)
	}
	require.NotEmpty(tb, refusal.Detail)
}

// detail returns the detail of the refusal of check, "" for an accepted request.
func detail(tb testing.TB, a *Authenticator, req *http.Request, body string) string {
	tb.Helper()
	if refusal := check(tb, a, req, body); refusal != nil {
		return refusal.Detail
	}
	return ""
}

func basic(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// sign is HMAC-SHA256 by the letter of RFC 2104, to compare with: H(K XOR opad, H(K XOR ipad, text)).
func sign(key, text string) string {
	padded := make([]byte, sha256.BlockSize)
	if len(key) > len(padded) {
		sum := sha256.Sum256([]byte(key))
		copy(padded, sum[:])
	} else {
		copy(padded, key)
	}
	pad := func(with byte) []byte {
		out := bytes.Clone(padded)
		for i := range out {
			out[i] ^= with
		}
		return out
	}
	inner := sha256.Sum256(append(pad(0x36), text...))
	outer := sha256.Sum256(append(pad(0x5c), inner[:]...))
	return hex.EncodeToString(outer[:])
}

func signatures() Settings {
	s := DefaultSettings()
	s.HMAC.Keys = Unnamed("new-key", "old-key")
	return s
}

func timedSignatures() Settings {
	s := signatures()
	s.HMAC.TimestampHeader = "X-Timestamp"
	return s
}
