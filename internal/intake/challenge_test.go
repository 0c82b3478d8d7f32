package intake

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/source"
)

// presetAt returns a source with a preset, and a secret for it.
func presetAt(t *testing.T, name, secret string) Source {
	t.Helper()
	s := Source{Source: source.Source{Name: name, Path: "/" + name, Settings: source.DefaultsOf(name)}}
	if s.Auth.HMAC.Header != auth.DefaultSettings().HMAC.Header {
		s.Auth.HMAC.Keys = auth.Unnamed(secret)
	} else {
		s.Auth.Header.Values = auth.Unnamed(secret)
	}
	require.NoError(t, s.Complete("rtbeat."))
	require.NoError(t, s.Check("rtbeat."))
	var err error
	s.Authenticator, err = auth.New(s.Auth)
	require.NoError(t, err)
	return s
}

// signedFor signs a body as Slack and Zoom do.
func signedFor(r *rig, path, header, timestampHeader, key, body string) *http.Request {
	req := r.request(body)
	req.URL.Path = path
	now := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte("v0:" + now + ":" + body))
	req.Header.Set(timestampHeader, now)
	req.Header.Set(header, "v0="+hex.EncodeToString(mac.Sum(nil)))
	return req
}

// A challenge is answered after the credentials were checked, and publishes nothing. Other requests of the same sender are messages.
func TestChallenges(t *testing.T) {
	r := newRig(t, func(l *limits) {
		l.Source = presetAt(t, "slack", "s-key")
		l.Others = []Source{presetAt(t, "zoom", "z-key"), presetAt(t, "okta", "o-token"), presetAt(t, "github", "g-key")}
	})
	slack := func(key, body string) *call {
		return r.do(signedFor(r, "/slack", "X-Slack-Signature", "X-Slack-Request-Timestamp", key, body))
	}
	okta := func(method, token, challenge string) *call {
		req := r.request("")
		req.Method, req.URL.Path = method, "/okta"
		req.Header.Set("Authorization", token)
		if challenge != "" {
			req.Header.Set("X-Okta-Verification-Challenge", challenge)
		}
		return r.do(req)
	}
	requireChallenge := func(c *call, want string) {
		t.Helper()
		require.Equal(t, http.StatusOK, c.recorder.Code, c.recorder.Body)
		require.JSONEq(t, want, c.recorder.Body.String())
		require.Equal(t, "application/json", c.recorder.Header().Get("Content-Type"))
		r.requireUntouched()
	}
	const question = `{"type":"url_verification","challenge":"3eZb"}`
	requireChallenge(slack("s-key", question), `{"challenge":"3eZb"}`)
	slack("another-key", question).requireAnswer(unauthorized)
	mac := hmac.New(sha256.New, []byte("z-key"))
	mac.Write([]byte("qgg8"))
	requireChallenge(r.do(signedFor(r, "/zoom", "x-zm-signature", "x-zm-request-timestamp", "z-key", `{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8"}}`)),
		`{"plainToken":"qgg8","encryptedToken":"`+hex.EncodeToString(mac.Sum(nil))+`"}`)
	requireChallenge(okta(http.MethodGet, "o-token", "a-challenge"), `{"verification":"a-challenge"}`)
	okta(http.MethodGet, "another-token", "a-challenge").requireAnswer(unauthorized)
	c := okta(http.MethodGet, "o-token", "")
	c.requireAnswer(methodNotAllowed)
	require.Equal(t, "POST, GET", c.recorder.Header().Get("Allow"))
	c = okta(http.MethodPut, "o-token", "a-challenge")
	c.requireAnswer(methodNotAllowed)
	require.Equal(t, "POST, GET", c.recorder.Header().Get("Allow"))
	get := r.request("")
	get.Method, get.URL.Path = http.MethodGet, "/github"
	r.do(get).requireAnswer(methodNotAllowed)
	require.Equal(t, map[string]int{"200 challenge": 3, "401 unauthorized": 2, "405 method_not_allowed": 3}, r.metrics.answered())
	require.Zero(t, r.server.Counts().Messages)

	r.deliverAll()
	slack("s-key", `[{"type":"event_callback","event_id":"Ev1"}]`).requireAnswer(delivered)
	require.Contains(t, slack("s-key", `[{"type":"event_callback","event_id":"Ev1"}]`).requireAnswer(delivered), `"coalesced":1`)
}
