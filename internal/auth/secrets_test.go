package auth

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// markers makes texts that occur nowhere by chance, and keeps them.
type markers struct {
	random *rand.Rand
	made   []string
}

func (m *markers) next() string {
	text := fmt.Sprintf("zq%016x", m.random.Uint64())
	m.made = append(m.made, text)
	return text
}

// absent asserts that no marker is in text, in any spelling.
func (m *markers) absent(t *testing.T, text string) {
	t.Helper()
	for _, marker := range m.made {
		for _, spelling := range []string{
			marker,
			hex.EncodeToString([]byte(marker)),
			base64.StdEncoding.EncodeToString([]byte(marker)),
			strings.Trim(fmt.Sprintf("%d", []byte(marker)), "[]"),
		} {
			require.NotContains(t, strings.ToLower(text), strings.ToLower(spelling))
		}
	}
}

// spoil makes a value that New refuses.
func spoil(m *markers) string {
	return m.next() + []string{"\n", "\x00", "\x7f", "\t"}[m.random.IntN(4)]
}

func TestErrorsHoldNoSecret(t *testing.T) {
	m := &markers{random: rand.New(rand.NewPCG(1, 2))}
	hmac := func(change func(*HMAC)) Settings {
		return hmacWith(func(h *HMAC) {
			h.Keys, h.Prefix = Unnamed(m.next()), m.next()
			change(h)
		})
	}
	for range 50 {
		m.made = nil
		for _, s := range []Settings{
			{Bearer: Bearer{Tokens: Unnamed(m.next(), spoil(m))}},
			{Bearer: Bearer{Tokens: Unnamed(m.next(), m.next()+" "+m.next())}},
			{Bearer: Bearer{Tokens: Secrets{{"alice", m.next()}, {"bob", spoil(m)}}}},
			{Bearer: Bearer{Tokens: Secrets{{m.next() + " ", "alice"}}}},
			{Header: Header{Values: Unnamed(m.next(), spoil(m))}},
			{Header: Header{Name: spoil(m)}},
			{Basic: Basic{m.next() + ":", m.next()}},
			{Basic: Basic{spoil(m), m.next()}},
			{Basic: Basic{m.next(), spoil(m)}},
			{Certificate: Certificate{Names: []string{m.next(), "*" + m.next()}}},
			{Certificate: Certificate{Names: []string{m.next(), " " + m.next()}}},
			hmac(func(h *HMAC) { h.Keys = append(h.Keys, Secret{Value: spoil(m)}) }),
			hmac(func(h *HMAC) { h.Header = spoil(m) }),
			hmac(func(h *HMAC) { h.TimestampHeader = spoil(m) }),
			hmac(func(h *HMAC) { h.TimestampHeader = h.Header }),
			hmac(func(h *HMAC) { h.Prefix = spoil(m) }),
			hmac(func(h *HMAC) { h.Window = -1 }),
			hmac(func(h *HMAC) { h.Encoding = m.next() }),
			hmac(func(h *HMAC) { h.KeyEncoding = m.next() }),
			hmac(func(h *HMAC) { h.KeyEncoding, h.Keys = "base64", Unnamed(m.next()+"!") }),
			hmac(func(h *HMAC) { h.Separator = m.next() }),
			hmac(func(h *HMAC) { h.TimestampPrefix = spoil(m) }),
			hmac(func(h *HMAC) { h.Signed = m.next() }),
			hmac(func(h *HMAC) { h.Signed = "{" + m.next() + "}" }),
			hmac(func(h *HMAC) { h.Signed = "{body}{header:" + m.next() + " }" }),
		} {
			_, err := New(withDefaults(s))
			require.Error(t, err)
			m.absent(t, fmt.Sprintf("%v %+v %#v", err, err, err))
		}
	}
}

// A refusal holds neither a byte of the request nor a secret.
func TestRefusalsHoldNoSecretAndNothingOfTheRequest(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		m := &markers{random: random}
		s := timedSignatures()
		s.HMAC.Keys = Unnamed(m.next(), m.next())
		s.HMAC.Prefix = m.next()
		s.Bearer.Tokens = Unnamed(m.next(), m.next())
		s.Basic = Basic{m.next(), m.next()}
		s.Header.Values = Unnamed(m.next(), m.next())
		a := newAuth(t, s)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			m.absent(t, fmt.Sprintf(verb, a))
		}

		lines := []string{"X-Other: " + m.next()}
		for _, candidates := range [][]string{
			{"", "Authorization: Bearer " + m.next(), "Authorization: Bearer " + m.next() + "," + m.next(), "Authorization: " + m.next(), basic(m.next(), m.next()), basic(s.Basic.Username, m.next()), "Authorization: Basic " + m.next()},
			{"", "", "Authorization: Bearer " + s.Bearer.Tokens[0].Value},
			{"", "X-Api-Key: " + m.next(), "X-Api-Key: " + s.Header.Values[1].Value},
			{"", "X-Signature: " + m.next(), "X-Signature: " + s.HMAC.Prefix + m.next(), "X-Signature: " + s.HMAC.Prefix + sign(m.next(), "")},
			{"", "X-Timestamp: " + m.next(), "X-Timestamp: " + testTimestamp, "X-Timestamp: 7"},
		} {
			if line := candidates[random.IntN(len(candidates))]; line != "" {
				lines = append(lines, line)
			}
		}
		pending, refusal := a.Check(request(lines...))
		if refusal == nil {
			m.absent(t, fmt.Sprintf("%v %+v", pending, pending))
			refusal = pending.Verify([]byte(m.next()))
		}
		if refusal != nil {
			holdRefusal(t, refusal)
			m.absent(t, fmt.Sprintf("%+v %#v", *refusal, *refusal))
		}
	}
}

func TestFormat(t *testing.T) {
	s := signatures()
	s.Bearer.Tokens = Unnamed("token")
	require.Equal(t, "auth(bearer, hmac)", fmt.Sprint(newAuth(t, s)))
	require.Equal(t, "auth()", fmt.Sprintf("%+v", (*Authenticator)(nil)))
}

func TestTokensAreKeptAsDigests(t *testing.T) {
	a := newAuth(t, Settings{Bearer: Bearer{Tokens: Unnamed("token")}, Basic: Basic{"ada", "one"}})
	require.Equal(t, []digest{digestOf("token")}, a.tokens.list)
	require.Equal(t, []digest{digestOf("ada:one")}, a.logins.list)
}
