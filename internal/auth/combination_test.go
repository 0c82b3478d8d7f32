package auth

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNothingConfigured(t *testing.T) {
	for name, a := range map[string]*Authenticator{"nil": nil, "empty": newAuth(t, Settings{})} {
		t.Run(name, func(t *testing.T) {
			require.False(t, a.Enabled())
			require.Empty(t, a.Schemes())
			for _, lines := range [][]string{
				nil,
				{"Authorization: Bearer x", "Authorization: y", "X-Signature: z"},
			} {
				require.Nil(t, check(t, a, request(lines...), testBody))
			}
		})
	}
}

func TestSchemes(t *testing.T) {
	all := signatures()
	all.Bearer.Tokens, all.Basic, all.Certificate.Names = Unnamed("t"), Basic{"u", "p"}, []string{"n"}
	all.Header.Values = Unnamed("v")
	for _, c := range []struct {
		settings Settings
		want     []string
	}{
		{Settings{Bearer: Bearer{Tokens: Unnamed("t")}}, []string{"bearer"}},
		{Settings{Basic: Basic{"u", "p"}}, []string{"basic"}},
		{Settings{Header: Header{Values: Unnamed("v")}}, []string{"header"}},
		{signatures(), []string{"hmac"}},
		{Settings{Certificate: Certificate{Names: []string{"n"}}}, []string{"certificate"}},
		{all, []string{"bearer", "basic", "header", "hmac", "certificate"}},
	} {
		a := newAuth(t, c.settings)
		require.True(t, a.Enabled())
		require.Equal(t, c.want, a.Schemes())
	}
}

// Every combination of credentials in a request, against every combination of schemes in force.
func TestCombinations(t *testing.T) {
	// The detail for each credential, in the order of the checks.
	type presented struct {
		line string
		want string
	}
	authorizations := map[string]presented{
		"no authorization": {},
		"right token":      {"Authorization: Bearer token", ""},
		"wrong token":      {"Authorization: Bearer x", WrongToken},
		"right login":      {basic("ada", "one"), ""},
		"wrong login":      {basic("ada", "two"), WrongLogin},
		"other scheme":     {"Authorization: Negotiate x", BadScheme},
	}
	bodySignatures := map[string]presented{
		"no signature":        {},
		"right signature":     {"X-Signature: sha256=" + sign("new-key", testBody), ""},
		"wrong signature":     {"X-Signature: sha256=" + sign("new-key", ""), WrongSignature},
		"malformed signature": {"X-Signature: x", BadSignature},
	}
	tokens := map[string]presented{
		"no value":    {},
		"right value": {"X-Api-Key: value", ""},
		"wrong value": {"X-Api-Key: x", WrongToken},
	}
	for configured := range 16 {
		bearer, login, hmac, header := configured&1 != 0, configured&2 != 0, configured&4 != 0, configured&8 != 0
		s := Settings{}
		if hmac {
			s = signatures()
		}
		if bearer {
			s.Bearer.Tokens = Unnamed("token")
		}
		if login {
			s.Basic = Basic{"ada", "one"}
		}
		if header {
			s.Header.Values = Unnamed("value")
		}
		a := newAuth(t, s)

		for authorizationName, authorization := range authorizations {
			for tokenName, token := range tokens {
				for signatureName, signature := range bodySignatures {
					// The rule of the package comment.
					var problems []string
					something := false
					if (bearer || login) && authorization.line != "" {
						something = true
						unknown := (authorizationName == "right token" || authorizationName == "wrong token") && !bearer ||
							(authorizationName == "right login" || authorizationName == "wrong login") && !login
						if unknown {
							problems = append(problems, BadScheme)
						} else if authorization.want != "" {
							problems = append(problems, authorization.want)
						}
					}
					if header && token.line != "" {
						something = true
						if token.want != "" {
							problems = append(problems, token.want)
						}
					}
					if hmac && signature.line != "" {
						something = true
						if signature.want != "" {
							problems = append(problems, signature.want)
						}
					}
					if !something && configured != 0 {
						problems = append(problems, Missing)
					}
					want := ""
					if len(problems) > 0 {
						want = problems[0]
					}

					var lines []string
					for _, line := range []string{authorization.line, token.line, signature.line} {
						if line != "" {
							lines = append(lines, line)
						}
					}
					name := fmt.Sprintf("%v, %s, %s, %s", a.Schemes(), authorizationName, tokenName, signatureName)
					require.Equal(t, want, detail(t, a, request(lines...), testBody), name)
				}
			}
		}
	}
}

func TestRotation(t *testing.T) {
	before := newAuth(t, Settings{Bearer: Bearer{Tokens: Unnamed("old")}})
	during := newAuth(t, Settings{Bearer: Bearer{Tokens: Unnamed("old", "new")}})
	after := newAuth(t, Settings{Bearer: Bearer{Tokens: Unnamed("new")}})
	for _, c := range []struct {
		a    *Authenticator
		old  string
		next string
	}{{before, "", WrongToken}, {during, "", ""}, {after, WrongToken, ""}} {
		require.Equal(t, c.old, detail(t, c.a, request("Authorization: Bearer old"), ""))
		require.Equal(t, c.next, detail(t, c.a, request("Authorization: Bearer new"), ""))
	}
}

func TestZeroPendingIsRefused(t *testing.T) {
	var pending Pending
	refusal := pending.Verify(nil)
	require.NotNil(t, refusal)
	holdRefusal(t, refusal)
	require.Equal(t, NotChecked, refusal.Detail)
}

// The settings may change or be wiped after New.
func TestSettingsAreCopied(t *testing.T) {
	s := signatures()
	s.Bearer.Tokens, s.Basic = Unnamed("token"), Basic{"ada", "one"}
	a := newAuth(t, s)
	s.Bearer.Tokens[0].Value, s.Basic.Password, s.HMAC.Keys[0].Value, s.HMAC.Header = "x", "x", "x", "X-Other"

	require.Empty(t, detail(t, a, request("Authorization: Bearer token"), ""))
	require.Empty(t, detail(t, a, request(basic("ada", "one")), ""))
	require.Empty(t, detail(t, a, request("X-Signature: sha256="+sign("new-key", testBody)), testBody))
}

// Many requests at once, for the race detector.
func TestConcurrentUse(t *testing.T) {
	s := timedSignatures()
	s.Bearer.Tokens = Unnamed("token")
	a := newAuth(t, s)
	done := make(chan string)
	lines := []string{
		"Authorization: Bearer token", "X-Timestamp: " + testTimestamp,
		"X-Signature: sha256=" + sign("old-key", testTimestamp+"."+testBody),
	}
	for range 8 {
		go func() {
			pending, refusal := a.Check(request(lines...))
			if refusal == nil {
				refusal = pending.Verify([]byte(testBody))
			}
			if refusal != nil {
				done <- refusal.Detail
				return
			}
			done <- ""
		}()
	}
	for range 8 {
		require.Empty(t, <-done)
	}
}
