package preset_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/preset"
)

// settingsOf returns the settings of a vector: the defaults of its preset, and what a user sets.
func settingsOf(t *testing.T, v vector) auth.Settings {
	t.Helper()
	p, ok := preset.Find(v.preset)
	require.True(t, ok)
	a := p.Defaults()
	a.HMAC.Keys = auth.Secrets{{Name: "another", Value: "YW5vdGhlciBrZXk="}, {Name: v.preset, Value: v.secret}}
	if v.timeHeader != "" {
		a.HMAC.TimestampHeader = v.timeHeader
	}
	require.NoError(t, p.Complete(&a, "rtbeat."))
	require.NoError(t, a.Check("rtbeat.auth"))
	return a
}

// detailOf returns the detail of the refusal of a request, "" for an accepted one.
func detailOf(a *auth.Authenticator, header http.Header, body string) (pending auth.Pending, detail string) {
	req := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/in", http.NoBody)
	req.Header = header
	pending, refusal := a.Check(req)
	if refusal == nil {
		refusal = pending.Verify([]byte(body))
	}
	if refusal != nil {
		return pending, refusal.Detail
	}
	return pending, ""
}

// TestVectors accepts the request of each sender when it was signed, and refuses it with one change.
func TestVectors(t *testing.T) {
	for _, v := range slices.Concat(published, computed) {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(time.Unix(v.at, 0)))
				s := settingsOf(t, v)
				a, err := auth.New(s)
				require.NoError(t, err)
				pending, detail := detailOf(a, v.header, v.body)
				require.Empty(t, detail)
				require.Equal(t, v.preset, pending.Sender())

				_, detail = detailOf(a, v.header, v.body+" ")
				require.Equal(t, auth.WrongSignature, detail, "another body")
				_, detail = detailOf(a, http.Header{}, v.body)
				require.Equal(t, auth.Missing, detail)
				for name, values := range v.header {
					without := v.header.Clone()
					without.Del(name)
					_, detail = detailOf(a, without, v.body)
					require.NotEmpty(t, detail, "without %s", name)
					changed := v.header.Clone()
					changed.Set(name, withOtherDigit(values[0]))
					_, detail = detailOf(a, changed, v.body)
					require.NotEmpty(t, detail, "another %s", name)
					twice := v.header.Clone()
					twice.Add(name, values[0])
					_, detail = detailOf(a, twice, v.body)
					require.NotEmpty(t, detail, "%s twice", name)
				}

				time.Sleep(5*time.Minute + time.Second)
				want := auth.StaleTimestamp
				if s.HMAC.TimestampHeader == "" {
					want = "" // github, shopify, and grafana without a time sign none
				}
				_, detail = detailOf(a, v.header, v.body)
				require.Equal(t, want, detail, "a replay after the window")
			})
		})
	}
}

// withOtherDigit changes one character in the middle.
func withOtherDigit(text string) string {
	other := "2"
	at := len(text) / 2
	if text[at] == '2' {
		other = "3"
	}
	return text[:at] + other + text[at+1:]
}

// TestTokens accepts the token of gitlab and okta as the whole value of a header.
func TestTokens(t *testing.T) {
	for name, header := range map[string]string{"gitlab": "X-Gitlab-Token", "okta": "Authorization"} {
		p, ok := preset.Find(name)
		require.True(t, ok)
		s := p.Defaults()
		s.Header.Values = auth.Unnamed("a secret")
		require.NoError(t, p.Complete(&s, "rtbeat."))
		a, err := auth.New(s)
		require.NoError(t, err)
		_, detail := detailOf(a, http.Header{header: {"a secret"}}, "{}")
		require.Empty(t, detail)
		_, detail = detailOf(a, http.Header{header: {"another"}}, "{}")
		require.Equal(t, auth.WrongToken, detail)
		_, detail = detailOf(a, http.Header{}, "{}")
		require.Equal(t, auth.Missing, detail)
	}
}

func TestEveryPresetHasATest(t *testing.T) {
	tested := []string{"gitlab", "okta"}
	for _, v := range slices.Concat(published, computed) {
		tested = append(tested, v.preset)
	}
	require.ElementsMatch(t, preset.Names(), slices.Compact(slices.Sorted(slices.Values(tested))))
	require.True(t, slices.IsSorted(preset.Names()))
	_, ok := preset.Find("another")
	require.False(t, ok)
}

// The form of each preset keeps the rules of the settings.
func TestFormsAreValid(t *testing.T) {
	for _, name := range preset.Names() {
		p, _ := preset.Find(name)
		s := p.Defaults()
		require.NoError(t, s.Check("rtbeat.auth"), name)
		require.Equal(t, p.Method == "", p.Challenge == nil, name)
		require.NotEqual(t, p.Header == "", p.HMAC.Header == "", name)
	}
}

func TestSecretsAreRequired(t *testing.T) {
	for name, want := range map[string]string{
		"github": "rtbeat.sources.0.preset is github, which signs its requests; set rtbeat.sources.0.auth.hmac.keys to the key that github signs with",
		"gitlab": "rtbeat.sources.0.preset is gitlab, which sends a token; set rtbeat.sources.0.auth.header.values to the token",
	} {
		p, _ := preset.Find(name)
		s := p.Defaults()
		s.Bearer.Tokens = auth.Unnamed("does not help")
		require.EqualError(t, p.Complete(&s, "rtbeat.sources.0."), want)
	}
}

// A user may set everything but the secret otherwise.
func TestUsersSettingsStay(t *testing.T) {
	p, _ := preset.Find("standard-webhooks")
	s := p.Defaults()
	s.HMAC.Keys, s.HMAC.Signed = auth.Unnamed("YQ=="), "{timestamp}{body}"
	require.NoError(t, p.Complete(&s, "rtbeat."))
	require.Equal(t, "{timestamp}{body}", s.HMAC.Signed)
	again := p.Defaults()
	require.Empty(t, again.HMAC.Signed, "the preset itself stays")
}
