package auth

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzAuthorization checks that exactly the configured credentials are accepted. The oracle is a regular expression of all
// accepted headers: each has one spelling, except for case and spaces. The fuzzer may put a scheme before its text, or encode it
// as a login, so that it reaches the comparison.
func FuzzAuthorization(f *testing.F) {
	const (
		lines   = 3 // a mask: none, one, and twice two
		asToken = 4 // put Bearer before the first
		asLogin = 8 // encode the first, and put Basic before it
	)
	a := newAuth(f, Settings{
		Bearer: Bearer{Tokens: Unnamed("first-token", "t2+/==")},
		Basic:  Basic{"ada", "one"},
	}, Basic{"ada", "t:wo"}, Basic{"\u00fc", "\u00e4"})
	right := regexp.MustCompile(`^([Bb][Ee][Aa][Rr][Ee][Rr] +(first-token|t2\+/==)|` +
		`[Bb][Aa][Ss][Ii][Cc] +(YWRhOm9uZQ==|YWRhOnQ6d28=|w7w6w6Q=))\z`)

	for _, line := range []string{
		"", " ", "Bearer", "Bearer ", "Bearer first-token", "bEARER  t2+/==", "Bearer t2+/=", "Bearer first-token ", "first-token",
		"Basic YWRhOm9uZQ==", "basic  YWRhOnQ6d28=", "Basic w7w6w6Q=", "Basic YWRhOm9uZQ", "Basic YWRhOm9uZR==", "Basic YWRh\nOm9uZQ==",
		"Ba\u017fic YWRhOm9uZQ==", "Basic /DrkCg==", "Digest a=b", "Bearer\tfirst-token", "\xff", "Basic Og==",
	} {
		f.Add(line, "", uint8(1))
	}
	f.Add("Bearer first-token", "Bearer first-token", uint8(2))
	f.Add("Bearer first-token", "", uint8(2))
	f.Add("", "", uint8(0))
	f.Add("t2+/==", "", uint8(1|asToken))
	f.Add("ada:t:wo", "", uint8(1|asLogin))
	f.Add("ada:t:w\x00", "", uint8(1|asLogin))

	f.Fuzz(func(t *testing.T, first, second string, how uint8) {
		switch {
		case how&asToken != 0:
			first = "Bearer " + first
		case how&asLogin != 0:
			first = "Basic " + base64.StdEncoding.EncodeToString([]byte(first))
		}
		sent := []string{first, second}[:min(how&lines, 2)]
		req := request()
		req.Header["Authorization"] = sent
		refusal := check(t, a, req, "")
		want := len(sent) == 1 && right.MatchString(first)
		require.Equal(t, want, refusal == nil)
		if refusal != nil {
			require.Contains(t, []string{Missing, RepeatedHeader, BadScheme, BadAuthorization, WrongToken, WrongLogin}, refusal.Detail)
			require.Equal(t, len(sent) == 0, refusal.Detail == Missing)
			require.Equal(t, len(sent) == 2, refusal.Detail == RepeatedHeader)
			require.Equal(t, `Basic realm="rtbeat", charset="UTF-8"`, refusal.Challenge[1])
			require.Contains(t, []string{`Bearer realm="rtbeat"`, `Bearer realm="rtbeat", error="invalid_token"`}, refusal.Challenge[0])
		}
	})
}

// FuzzSignature checks that a body is accepted only with its HMAC, which the test computes by itself. Random bytes are never a
// right signature. So the bits of how choose between the text of the fuzzer and a right signature, changed a little.
func FuzzSignature(f *testing.F) {
	const (
		signIt  = 1 << iota // compute the signature
		oldKey              // with the second key
		upper               // in capitals
		stamped             // put the present time into the header
		untimed             // configure no timestamps
		twice               // repeat the signature's header
		ageless             // leave the timestamp's header away
	)
	timed, plain := newAuth(f, timedSignatures()), newAuth(f, signatures())
	form := regexp.MustCompile(`^sha256=([0-9A-Fa-f]{64})\z`)
	stampForm := regexp.MustCompile(`^\d{1,12}\z`)
	// The first and the last full second within five minutes of testNow.
	const oldest, newest = "1767225301", "1767225900"

	good := "sha256=" + sign("new-key", testTimestamp+"."+testBody)
	f.Add(good, testTimestamp, []byte(testBody), uint8(0))
	f.Add("sha256="+sign("old-key", testBody), "", []byte(testBody), uint8(untimed))
	f.Add(good, "0"+testTimestamp, []byte(testBody), uint8(0))
	f.Add(good[:70], testTimestamp, []byte(testBody), uint8(0))
	f.Add("", testTimestamp, []byte(testBody), uint8(signIt))
	f.Add("", "", []byte{}, uint8(signIt|stamped|upper))
	f.Add("", "1767225301", []byte("a"), uint8(signIt|oldKey))
	f.Add("", "1767225300", []byte("a"), uint8(signIt|oldKey))
	f.Add("", "1767225900", []byte("a"), uint8(signIt))
	f.Add("", "1767225901", []byte("a"), uint8(signIt))
	f.Add("", "-1", []byte("a"), uint8(signIt))
	f.Add("", "99999999999999999999", []byte("a"), uint8(signIt))
	f.Add("", testTimestamp, []byte("a"), uint8(signIt|twice))
	f.Add("", testTimestamp, []byte("a"), uint8(signIt|ageless))
	f.Add("x", testTimestamp+".", []byte("a"), uint8(signIt|untimed|upper))

	f.Fuzz(func(t *testing.T, signature, stamp string, body []byte, how uint8) {
		if how&stamped != 0 {
			stamp = testTimestamp
		}
		a, signedText := timed, stamp+"."+string(body)
		if how&untimed != 0 {
			a, signedText = plain, string(body)
		}
		expected := []string{sign("new-key", signedText), sign("old-key", signedText)}
		if how&signIt != 0 {
			hexadecimal := expected[0]
			if how&oldKey != 0 {
				hexadecimal = expected[1]
			}
			if how&upper != 0 {
				hexadecimal = strings.ToUpper(hexadecimal)
			}
			signature = "sha256=" + hexadecimal + signature
		}

		req := request()
		req.Header["X-Signature"] = []string{signature}
		if how&twice != 0 {
			req.Header["X-Signature"] = []string{signature, signature}
		}
		if how&ageless == 0 {
			req.Header["X-Timestamp"] = []string{stamp}
		}

		match := form.FindStringSubmatch(signature)
		want := how&twice == 0 && match != nil
		if want {
			presented, err := hex.DecodeString(match[1])
			require.NoError(t, err)
			text := hex.EncodeToString(presented)
			want = text == expected[0] || text == expected[1]
		}
		if how&untimed == 0 {
			want = want && how&ageless == 0 && stampForm.MatchString(stamp) && within(stamp, oldest, newest)
		}

		refusal := check(t, a, req, string(body))
		require.Equal(t, want, refusal == nil)
		if refusal != nil {
			require.Equal(t, http.StatusUnauthorized, refusal.Status)
			require.Contains(t, []string{BadSignature, BadTimestamp, StaleTimestamp, WrongSignature}, refusal.Detail)
		}
	})
}

// within compares digits as text, which is right for numbers of one length.
func within(stamp, oldest, newest string) bool {
	digits := strings.TrimLeft(stamp, "0")
	return len(digits) == len(oldest) && digits >= oldest && digits <= newest
}
