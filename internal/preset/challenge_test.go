package preset_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/preset"
)

func challenge(t *testing.T, name, method string, header http.Header, body string, key []byte) (string, bool) {
	t.Helper()
	p, found := preset.Find(name)
	require.True(t, found)
	req := httptest.NewRequestWithContext(t.Context(), method, "/in", http.NoBody)
	req.Header = header
	answer, ok := p.Challenge(req, []byte(body), key)
	return string(answer), ok
}

// Okta's support publishes this request and its answer.
func TestOktaChallenge(t *testing.T) {
	const value = "Me_rShK8JHsTnbyYrWXCEoMGbM_zsZ6k0hLPZ_Pg"
	header := http.Header{"X-Okta-Verification-Challenge": {value}}
	answer, ok := challenge(t, "okta", http.MethodGet, header, "", nil)
	require.True(t, ok)
	require.JSONEq(t, `{"verification":"`+value+`"}`, answer)
	require.Len(t, answer, 59)

	_, ok = challenge(t, "okta", http.MethodPost, header, "{}", nil)
	require.False(t, ok, "an event")
	for _, values := range [][]string{nil, {""}, {"a", "b"}, {strings.Repeat("a", 1025)}} {
		_, ok = challenge(t, "okta", http.MethodGet, http.Header{"X-Okta-Verification-Challenge": values}, "", nil)
		require.False(t, ok)
	}
	answer, ok = challenge(t, "okta", http.MethodGet, http.Header{"X-Okta-Verification-Challenge": {`"}<script>`}}, "", nil)
	require.True(t, ok)
	require.JSONEq(t, `{"verification":"\"}\u003cscript\u003e"}`, answer)
	require.NotContains(t, answer, "<", "for a browser that takes it for HTML")
}

// Slack publishes the body. The signature was computed with openssl, as those in computed, with the key of Slack's other example.
func TestSlackChallenge(t *testing.T) {
	const body = `{"token":"Jhj5dZrVaK7ZwHHjRyZWjbDl","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}`
	v := published[1]
	v.body = body
	v.header = http.Header{
		"X-Slack-Signature":         {"v0=f9bd80929259f3f6d5fe3a3186c453c89cd1ad4862815a15837584f31c993652"},
		"X-Slack-Request-Timestamp": {"1531420618"},
	}
	key := requireAccepted(t, v)
	answer, ok := challenge(t, "slack", http.MethodPost, nil, body, key)
	require.True(t, ok)
	require.JSONEq(t, `{"challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}`, answer)

	for name, body := range map[string]string{
		"an event":               `{"type":"event_callback","event":{"type":"url_verification"},"challenge":"a"}`,
		"an event about it":      `{"type":"event_callback","text":"url_verification"}`,
		"no challenge":           `{"type":"url_verification"}`,
		"a challenge as a group": `{"type":"url_verification","challenge":{}}`,
		"a long challenge":       `{"type":"url_verification","challenge":"` + strings.Repeat("a", 1025) + `"}`,
		"a long body":            `{"type":"url_verification","challenge":"a","more":"` + strings.Repeat("a", 8<<10) + `"}`,
		"an event in capitals":   `{"type":"event_callback","Type":"url_verification","challenge":"a"}`,
		"a type in capitals":     `{"TYPE":"url_verification","challenge":"a"}`,
		"two types":              `{"type":"event_callback","type":"url_verification","challenge":"a"}`,
		"no JSON":                `url_verification`,
		"nothing":                "",
	} {
		_, ok = challenge(t, "slack", http.MethodPost, nil, body, key)
		require.False(t, ok, name)
	}
}

// Zoom publishes the body, but not the key of its example. Signature and answer were computed with openssl, as those in computed.
func TestZoomChallenge(t *testing.T) {
	const body = `{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"},"event_ts":1654503849680}`
	v := vector{
		preset: "zoom", secret: "zoom secret token", body: body, at: 1_767_225_600,
		header: http.Header{
			"X-Zm-Signature":         {"v0=7150860e0296f2e2ced5e5f0668e278870d8b327a75f0fd85f841f95e741966d"},
			"X-Zm-Request-Timestamp": {"1767225600"},
		},
	}
	key := requireAccepted(t, v)
	require.Equal(t, "zoom secret token", string(key), "the second key, which made the signature")
	answer, ok := challenge(t, "zoom", http.MethodPost, nil, body, key)
	require.True(t, ok)
	require.JSONEq(t, `{"plainToken":"qgg8vlvZRS6UYooatFL8Aw","encryptedToken":"39b8dfc472156d09751ff95badb7c9dfc4e81295a8dd72928ab3e7f6b3f48769"}`, answer)

	_, ok = challenge(t, "zoom", http.MethodPost, nil, body, nil)
	require.False(t, ok, "a request that nobody signed")
	_, ok = challenge(t, "zoom", http.MethodPost, nil, `{"event":"meeting.started","payload":{"plainToken":"endpoint.url_validation"}}`, key)
	require.False(t, ok, "an event")
	_, ok = challenge(t, "zoom", http.MethodPost, nil, `{"event":"meeting.started","Event":"endpoint.url_validation","payload":{"plainToken":"a"}}`, key)
	require.False(t, ok, "an event in capitals")
	_, ok = challenge(t, "zoom", http.MethodPost, nil, `{"event":"endpoint.url_validation","payload":{"plaintoken":"a"}}`, key)
	require.False(t, ok, "another token")
	_, ok = challenge(t, "zoom", http.MethodPost, nil, `{"event":"endpoint.url_validation","payload":{"plainToken":"`+strings.Repeat("a", 1025)+`"}}`, key)
	require.False(t, ok, "a long token")
}

// requireAccepted checks a vector when it was signed, and returns the key that signed it.
func requireAccepted(t *testing.T, v vector) (key []byte) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Unix(v.at, 0)))
		a, err := auth.New(settingsOf(t, v))
		require.NoError(t, err)
		pending, detail := detailOf(a, v.header, v.body)
		require.Empty(t, detail)
		key = pending.Key()
	})
	return key
}
