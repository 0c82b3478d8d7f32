package auth

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func BenchmarkCheck(b *testing.B) {
	s := timedSignatures()
	s.Bearer.Tokens = Unnamed("first-token-of-some-length", "second-token-of-some-length", "third-token-of-some-length")
	s.Basic = Basic{"ada", "one"}
	a := newAuth(b, s, Basic{"ada", "two"}, Basic{"bob", "three"})
	for name, lines := range map[string][]string{
		"bearer":  {"Authorization: Bearer third-token-of-some-length"},
		"basic":   {basic("bob", "three")},
		"hmac":    {"X-Signature: sha256=" + sign("x", ""), "X-Timestamp: " + testTimestamp},
		"refused": {"Authorization: Bearer some-other-token-of-some-length"},
	} {
		req := request(lines...)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, refusal := a.Check(req); (refusal != nil) != (name == "refused") {
					b.Fatal(refusal)
				}
			}
		})
	}
}

// 185 KB are 500 messages of rxtx.
func BenchmarkVerify(b *testing.B) {
	body := bytes.Repeat([]byte("a"), 185_000)
	for name, keys := range map[string][]string{"keys=1": {"key"}, "keys=2": {"new-key", "key"}} {
		s := timedSignatures()
		s.HMAC.Keys = Unnamed(keys...)
		signature := sign("key", testTimestamp+"."+string(body))
		pending, refusal := newAuth(b, s).Check(request("X-Signature: sha256="+signature, "X-Timestamp: "+testTimestamp))
		require.Nil(b, refusal)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if refusal := pending.Verify(body); refusal != nil {
					b.Fatal(refusal)
				}
			}
		})
	}
}
