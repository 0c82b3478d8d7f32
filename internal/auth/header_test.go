package auth

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTokenInAHeader(t *testing.T) {
	a := newAuth(t, Settings{Header: Header{"x-gitlab-token", Unnamed("first value", "second")}})
	for _, c := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"the first", []string{"X-Gitlab-Token: first value"}, ""},
		{"the second", []string{"x-gitlab-token: second"}, ""},
		{"an authorization that nobody asked for", []string{"X-Gitlab-Token: second", "Authorization: Bearer x"}, ""},
		{"nothing", nil, Missing},
		{"another header", []string{"X-Api-Key: second"}, Missing},
		{"in Authorization", []string{"Authorization: second"}, Missing},
		{"another value", []string{"X-Gitlab-Token: third"}, WrongToken},
		{"in capitals", []string{"X-Gitlab-Token: SECOND"}, WrongToken},
		{"a part", []string{"X-Gitlab-Token: secon"}, WrongToken},
		{"more", []string{"X-Gitlab-Token: second2"}, WrongToken},
		{"empty", []string{"X-Gitlab-Token: "}, WrongToken},
		{"a list", []string{"X-Gitlab-Token: second, second"}, WrongToken},
		{"twice", []string{"X-Gitlab-Token: second", "X-Gitlab-Token: second"}, RepeatedHeader},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, detail(t, a, request(c.lines...), ""))
		})
	}
}

// Okta sends a plain value in Authorization.
func TestTokenInAuthorization(t *testing.T) {
	a := newAuth(t, Settings{Header: Header{"authorization", Secrets{{"okta", "a plain value"}}}})
	require.Empty(t, detail(t, a, request("Authorization: a plain value"), ""))
	require.Equal(t, WrongToken, detail(t, a, request("Authorization: Bearer a plain value"), ""))
	require.Equal(t, RepeatedHeader, detail(t, a, request("Authorization: a plain value", "Authorization: x"), ""))
	require.Equal(t, []string{`Header realm="rtbeat", header="Authorization"`}, check(t, a, request(), "").Challenge)
	require.Equal(t, digestOf("a plain value"), a.values.list[0], "the value itself is not kept")
}

func TestSentSecrets(t *testing.T) {
	s := signatures()
	require.Empty(t, s.SentSecrets("rtbeat.auth"))
	s.Header.Values = Unnamed("v")
	require.Equal(t, "rtbeat.auth.header", s.SentSecrets("rtbeat.auth"))
	s.Bearer.Tokens = Unnamed("t")
	require.Equal(t, "rtbeat.auth.bearer and rtbeat.auth.header", s.SentSecrets("rtbeat.auth"))
	require.True(t, (&Settings{Header: s.Header}).IsSet())
}
